//! What every check needs: the place of a problem, the contract's columns, plain values.

use std::path::Path;

use serde_yaml_ng::Value;

use crate::contract::{ColumnType, Contract};
use crate::duration;
use crate::error::Problem;
use crate::features::view::ValueType;
use crate::project::is_identifier;

/// What every check needs to name the place of a problem.
pub(super) struct Reader<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
    pub(super) contract: &'a Contract,
}

impl Reader<'_> {
    /// A problem at the line where `key` is written.
    pub(super) fn problem(&self, key: &str, message: impl Into<String>) -> Problem {
        let line = self.text.lines().position(|line| {
            line.match_indices(key).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                let after = line[at + key.len()..].trim_start_matches(['"', '\'']);
                before.is_none_or(|c| " {,\"'-".contains(c)) && after.starts_with(':')
            })
        });
        Problem::new(self.path, line.map(|at| at + 1), message)
    }

    pub(super) fn column(&self, key: &str, name: &str) -> Result<usize, Problem> {
        let columns = self.contract.columns();
        columns
            .iter()
            .position(|column| column.name == name)
            .ok_or_else(|| {
                let known: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
                let message = format!(
                    "`{key}`: the contract has no column `{name}`: it has {}",
                    known.join(", ")
                );
                self.problem(key, message)
            })
    }

    pub(super) fn value_column(
        &self,
        name: &str,
        kind: &str,
        argument: &Value,
    ) -> Result<(usize, ValueType), Problem> {
        let Some(column) = argument.as_str() else {
            let message = format!("`{name}`: {kind} names a column: write `{kind}: column`");
            return Err(self.problem(name, message));
        };
        let index = self.column(name, column)?;
        let column_type = self.contract.columns()[index].column_type;
        let wide = matches!(column_type, ColumnType::Decimal { precision, .. } if precision > 18);
        if wide
            || matches!(
                column_type,
                ColumnType::Double | ColumnType::Date | ColumnType::List
            )
        {
            let message = format!(
                "`{name}`: `{column}` cannot be aggregated exactly: make it a decimal(p,s) with p <= 18, a bigint or a timestamp in the contract"
            );
            return Err(self.problem(name, message));
        }
        Ok((index, ValueType::of_column(column_type)))
    }

    pub(super) fn text_column(
        &self,
        name: &str,
        kind: &str,
        argument: &Value,
    ) -> Result<usize, Problem> {
        let (index, value_type) = self.value_column(name, kind, argument)?;
        if value_type == ValueType::Text {
            Ok(index)
        } else {
            Err(self.problem(name, format!("`{name}`: {kind} needs a text or id column")))
        }
    }

    pub(super) fn identifier(&self, key: &str, name: &str) -> Result<(), Problem> {
        if is_identifier(name) && name.len() <= 48 {
            return Ok(());
        }
        let message = format!("`{name}` is no plain name: use a-z, 0-9 and _, at most 48 of them");
        Err(self.problem(key, message))
    }

    pub(super) fn number(
        &self,
        name: &str,
        key: &str,
        value: &Value,
        least: u32,
        most: u32,
    ) -> Result<u32, Problem> {
        value
            .as_u64()
            .and_then(|n| u32::try_from(n).ok())
            .filter(|n| (least..=most).contains(n))
            .ok_or_else(|| {
                let message = format!("`{name}`: {key} is a whole number from {least} to {most}");
                self.problem(name, message)
            })
    }

    /// A positive duration in microseconds.
    pub(super) fn duration(&self, key: &str, text: &str) -> Result<i64, Problem> {
        let read = duration::parse(text, duration::TEN_YEARS).filter(|time| !time.is_zero());
        let micros = read.and_then(|time| i64::try_from(time.as_micros()).ok());
        micros.ok_or_else(|| {
            let message = format!("`{key}`: `{text}` is no duration such as 30s, 10m, 2h or 30d");
            self.problem(key, message)
        })
    }
}
