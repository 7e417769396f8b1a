//! What a batch view is: its columns, their types, the version of its rows.

use std::time::Duration;

use chrono::NaiveDate;

use crate::features::{KeyPart, form, template};
use crate::project::{Column, ColumnType};

/// A table of the lake whose newest partition readers find in the online store.
#[derive(Clone, Debug)]
pub struct BatchView {
    /// Its name in the online store.
    pub name: String,
    /// The model whose partitions are published, `gold.table`.
    pub model: String,
    /// The model's domain.
    pub domain: String,
    /// What one row is, as the model says.
    pub description: String,
    /// The columns that name a row.
    pub key: Vec<Column>,
    /// The columns that readers get, in order.
    pub features: Vec<Column>,
    /// How long a row holds after the end of its date.
    pub ttl: Duration,
    /// The key of a row in Redis, where a copy was asked for.
    pub redis: Option<Vec<KeyPart>>,
}

impl BatchView {
    /// Its key in Redis without the names in it: two views with the same one may meet in a key.
    pub fn redis_form(&self) -> Option<String> {
        self.redis.as_deref().map(form)
    }

    /// Its key in Redis as it is written.
    pub fn redis_template(&self) -> Option<String> {
        self.redis.as_deref().map(template)
    }

    /// Its columns in the store, each `name type`: what `init` remembers, and holds a changed file against.
    pub fn columns(&self) -> Vec<String> {
        let columns = self.key.iter().chain(&self.features);
        columns
            .map(|column| format!("{} {}", column.name, sql_type(column.data_type)))
            .collect()
    }
}

/// A column's type in PostgreSQL. Readers see decimals as doubles, as in streaming views.
pub fn sql_type(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::String => "text",
        ColumnType::Bigint => "bigint",
        ColumnType::Integer => "int",
        ColumnType::Double | ColumnType::Decimal(..) => "double precision",
        ColumnType::Boolean => "boolean",
        ColumnType::Date => "date",
        ColumnType::Timestamp => "timestamptz",
    }
}

/// Table versions that a date has room for in a row's version.
const PER_DATE: i64 = 10_000_000_000;

/// The version of the rows of a date that were read from a version of the table, so that a later date always is the newer one. As a number it
/// begins with the date: 20261101 and ten digits of the table's version.
pub fn version(date: NaiveDate, table_version: i64) -> i64 {
    use chrono::Datelike;
    let day = i64::from(date.year()) * 10_000 + i64::from(date.month() * 100 + date.day());
    day * PER_DATE + table_version.clamp(0, PER_DATE - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_date_is_newer_whatever_version_the_table_has() {
        let date = |text: &str| text.parse::<NaiveDate>().unwrap();
        assert_eq!(version(date("2026-11-01"), 42), 202_611_010_000_000_042);
        assert!(version(date("2026-11-02"), 0) > version(date("2026-11-01"), i64::MAX));
        assert!(version(date("2026-11-01"), 2) > version(date("2026-11-01"), 1));
        assert!(version(date("2027-01-01"), 0) > version(date("2026-12-31"), 9));
        assert!(version(date("9999-12-31"), i64::MAX) > 0);
    }
}
