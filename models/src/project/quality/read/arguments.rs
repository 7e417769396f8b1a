//! The arguments of a test, each of the type that the test wants.

use std::collections::BTreeMap;

use serde_json::Value;

use super::reference::reference;
use crate::project::names::{Names, Ref};

/// The arguments of one test; each is taken once, and what is left over is a mistake.
pub(super) struct Arguments<'a> {
    pub(super) test: &'a str,
    known: &'static [&'static str],
    left: BTreeMap<&'a str, &'a Value>,
}

impl<'a> Arguments<'a> {
    pub(super) fn new(
        test: &'a str,
        known: &'static [&'static str],
        written: &'a Value,
    ) -> Result<Self, String> {
        let left = match written {
            Value::Null => BTreeMap::new(),
            Value::Object(entries) => entries
                .iter()
                .map(|(name, value)| (name.as_str(), value))
                .collect(),
            _ => {
                return Err(format!(
                    "test {test}: {written} is no mapping of arguments: write {}",
                    list(known)
                ));
            }
        };
        Ok(Self { test, known, left })
    }

    pub(super) fn take(&mut self, name: &str) -> Option<&'a Value> {
        self.left.remove(name)
    }

    pub(super) fn need(&mut self, name: &str, what: &str) -> Result<&'a Value, String> {
        self.take(name)
            .ok_or_else(|| format!("test {} needs {name}: {what}", self.test))
    }

    pub(super) fn wrong(&self, name: &str, what: &str) -> String {
        format!("test {}: {name} must be {what}", self.test)
    }

    pub(super) fn text(&mut self, name: &str) -> Result<String, String> {
        let value = self.need(name, "a name")?;
        let text = value.as_str().filter(|text| !text.is_empty());
        text.map(str::to_owned)
            .ok_or_else(|| self.wrong(name, "a name"))
    }

    /// A name of the test itself, as dbt takes it.
    pub(super) fn identifier(&mut self, name: &str) -> Result<String, String> {
        let text = self.text(name)?;
        let fits = |one: char| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '_';
        match text.chars().all(fits) {
            true => Ok(text),
            false => Err(self.wrong(
                name,
                "of lowercase letters, digits and _, such as order_sum",
            )),
        }
    }

    pub(super) fn sql(&mut self, name: &str) -> Result<String, String> {
        let value = self.need(name, "an SQL condition")?;
        sql(self.test, name, value)
    }

    pub(super) fn optional_sql(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.left.contains_key(name) {
            true => self.sql(name).map(Some),
            false => Ok(None),
        }
    }

    /// One name or a list of names.
    pub(super) fn names(&mut self, name: &str) -> Result<Vec<String>, String> {
        let what = "the name of a column or a list of them";
        let names: Option<Vec<String>> = match self.need(name, what)? {
            Value::String(one) => Some(vec![one.clone()]),
            Value::Array(many) if !many.is_empty() => many
                .iter()
                .map(|one| one.as_str().map(str::to_owned))
                .collect(),
            _ => None,
        };
        names.ok_or_else(|| self.wrong(name, what))
    }

    pub(super) fn flag(&mut self, name: &str, default: bool) -> Result<bool, String> {
        match self.take(name) {
            None => Ok(default),
            Some(value) => value
                .as_bool()
                .ok_or_else(|| self.wrong(name, "true or false")),
        }
    }

    pub(super) fn count(&mut self, name: &str) -> Result<Option<u64>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => {
                let count = value.as_u64();
                count
                    .map(Some)
                    .ok_or_else(|| self.wrong(name, "a whole number, 0 or more"))
            }
        }
    }

    /// A number, or SQL.
    pub(super) fn bound(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(value) => sql(self.test, name, value).map(Some),
        }
    }

    /// A table, if one is named.
    pub(super) fn optional_table(
        &mut self,
        name: &str,
        names: &Names,
    ) -> Result<Option<Ref>, String> {
        match self.left.contains_key(name) {
            true => self.table(name, names).map(Some),
            false => Ok(None),
        }
    }

    pub(super) fn table(&mut self, name: &str, names: &Names) -> Result<Ref, String> {
        let what = "ref('name') or source('bronze', 'name')";
        let value = self.need(name, what)?;
        let text = value.as_str().ok_or_else(|| self.wrong(name, what))?;
        match reference(text) {
            Some((None, table)) => names.resolve(table),
            Some((Some(schema), table)) => names.source(schema, table),
            None => return Err(self.wrong(name, what)),
        }
        .map_err(|message| format!("test {}: {message}", self.test))
    }

    pub(super) fn end(&self) -> Result<(), String> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(name) => Err(format!(
                "test {}: unknown argument `{name}`: write {}",
                self.test,
                list(self.known)
            )),
        }
    }
}

fn list(known: &[&str]) -> String {
    known
        .iter()
        .chain(&["config"])
        .copied()
        .collect::<Vec<_>>()
        .join(", ")
}

/// SQL text in our hands and dbt's must be the same, so nothing in it is templated.
pub(super) fn sql(test: &str, name: &str, value: &Value) -> Result<String, String> {
    let text = value
        .as_str()
        .map(str::trim)
        .filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| format!("test {test}: {name} must be SQL text"))?;
    if text.contains("{{") || text.contains("{%") {
        return Err(format!(
            "test {test}: {name} is templated and must be plain SQL over the table's columns"
        ));
    }
    Ok(text.to_owned())
}
