//! The name of a table or view of somebody else's in PostgreSQL, as a seed's `.yml` gives it.

use std::fmt;
use std::str::FromStr;

use super::names::is_identifier;

/// A table or view, with its schema. Both are plain names, so they are safe in SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresTable {
    schema: String,
    name: String,
}

impl PostgresTable {
    /// Its schema.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// Its name in the schema.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for PostgresTable {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // PostgreSQL cuts longer names off.
        let is_name = |name: &str| is_identifier(name) && name.len() <= 63;
        match text.split_once('.') {
            Some((schema, name)) if is_name(schema) && is_name(name) => Ok(Self {
                schema: schema.to_owned(),
                name: name.to_owned(),
            }),
            _ => Err(format!(
                "`postgres: {text}` is no table: write schema.table, both of a-z, 0-9 and _ (a table with another name can be read through a \
                 view)"
            )),
        }
    }
}

impl fmt::Display for PostgresTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}
