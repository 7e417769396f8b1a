//! What a view takes from a dimension.

use serde_yaml_ng::Value;

use super::reader::Reader;
use crate::contract::{ColumnType, Contract};
use crate::error::Problem;
use crate::features::Dimension;
use crate::features::view::{Join, Taken};
use crate::project;

const SHAPE: &str =
    "write `join: {dimension: seed, on: column, take: [column, {new_name: column}]}`";

impl Reader<'_> {
    pub(super) fn join(&self, written: &Value, dimensions: &[Dimension]) -> Result<Join, Problem> {
        let shape = || self.problem("join", SHAPE);
        let body = written.as_mapping().ok_or_else(shape)?;
        let text = |key: &str| body.get(key).and_then(Value::as_str).ok_or_else(shape);
        let take = body.get("take").and_then(Value::as_sequence);
        let take = take
            .filter(|take| !take.is_empty() && body.len() == 3)
            .ok_or_else(shape)?;
        let (name, on) = (text("dimension")?, text("on")?);
        let Some(dimension) = dimensions.iter().find(|known| known.name == name) else {
            let known: Vec<&str> = dimensions.iter().map(|known| known.name.as_str()).collect();
            let message = format!(
                "`join`: there is no dimension `{name}`: the domain's seeds are {}",
                if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                }
            );
            return Err(self.problem("join", message));
        };
        self.key(dimension, on)?;
        let mut join = Join {
            dimension: name.to_owned(),
            on: on.to_owned(),
            take: Vec::new(),
        };
        for item in take {
            let (new, column) = match item {
                Value::String(column) => (column.as_str(), column.as_str()),
                Value::Mapping(renamed) if renamed.len() == 1 => {
                    let (new, column) = renamed.iter().next().ok_or_else(shape)?;
                    (
                        new.as_str().ok_or_else(shape)?,
                        column.as_str().ok_or_else(shape)?,
                    )
                }
                _ => return Err(shape()),
            };
            self.new_name(new, column, &join)?;
            join.take.push(Taken {
                name: new.to_owned(),
                column: column.to_owned(),
                column_type: self.type_in(dimension, column)?,
            });
        }
        Ok(join)
    }

    /// The column that finds a row must be a text on both sides.
    fn key(&self, dimension: &Dimension, on: &str) -> Result<(), Problem> {
        let index = self.column("join", on)?;
        let is_text = |found: ColumnType| matches!(found, ColumnType::String | ColumnType::Id);
        let of_event = is_text(self.contract.columns()[index].column_type);
        if of_event && is_text(self.type_in(dimension, on)?) {
            return Ok(());
        }
        let message = format!(
            "`join`: `{on}` is not a text or id column of the contract and a string of `{}`: rows are found by texts",
            dimension.name
        );
        Err(self.problem("join", message))
    }

    fn new_name(&self, new: &str, column: &str, join: &Join) -> Result<(), Problem> {
        self.identifier("join", new)?;
        let taken = |known: &Contract| known.columns().iter().any(|column| column.name == new);
        if taken(self.contract) || join.take.iter().any(|taken| taken.name == new) {
            let message = format!(
                "`join`: the events have a column `{new}` already: take it by another name: `{{{}_{new}: {column}}}`",
                join.dimension
            );
            return Err(self.problem("join", message));
        }
        Ok(())
    }

    fn type_in(&self, dimension: &Dimension, name: &str) -> Result<ColumnType, Problem> {
        let Some(column) = dimension.columns.iter().find(|column| column.name == name) else {
            let known: Vec<&str> = (dimension.columns.iter())
                .map(|column| column.name.as_str())
                .collect();
            let message = format!(
                "`join`: `{}` has no column `{name}`: it has {}",
                dimension.name,
                known.join(", ")
            );
            return Err(self.problem("join", message));
        };
        Ok(match column.data_type {
            project::ColumnType::String => ColumnType::String,
            project::ColumnType::Bigint | project::ColumnType::Integer => ColumnType::BigInt,
            project::ColumnType::Double => ColumnType::Double,
            project::ColumnType::Boolean => ColumnType::Boolean,
            project::ColumnType::Date => ColumnType::Date,
            project::ColumnType::Timestamp => ColumnType::Timestamp,
            project::ColumnType::Decimal(precision, scale) => ColumnType::Decimal {
                precision,
                scale: scale.unsigned_abs(),
            },
        })
    }
}
