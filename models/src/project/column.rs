//! Declared columns: the types that a `.yml` may name and what they are in Arrow.
//!
//! What a declared type is in a warehouse is dbt's matter; what it is in the lake is decided here and nowhere else.

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The partition column of every table.
pub const PARTITION_COLUMN: &str = crate::contract::PARTITION;

/// The type of a declared column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// Text.
    String,
    /// 64-bit integer.
    Bigint,
    /// 32-bit integer.
    Integer,
    /// 64-bit float.
    Double,
    /// True or false.
    Boolean,
    /// Calendar date.
    Date,
    /// Instant, microseconds, UTC.
    Timestamp,
    /// Exact number: precision (1 to 38) and scale.
    Decimal(u8, i8),
}

impl ColumnType {
    /// The type as Arrow holds it.
    pub fn arrow(self) -> DataType {
        match self {
            Self::String => DataType::Utf8,
            Self::Bigint => DataType::Int64,
            Self::Integer => DataType::Int32,
            Self::Double => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Decimal(precision, scale) => DataType::Decimal128(precision, scale),
        }
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String => f.write_str("string"),
            Self::Bigint => f.write_str("bigint"),
            Self::Integer => f.write_str("integer"),
            Self::Double => f.write_str("double"),
            Self::Boolean => f.write_str("boolean"),
            Self::Date => f.write_str("date"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Decimal(precision, scale) => write!(f, "decimal({precision},{scale})"),
        }
    }
}

impl FromStr for ColumnType {
    type Err = String;

    /// Reads the type in our words or in the ones that DuckDB and Trino use for the same type.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.trim().to_ascii_lowercase();
        Ok(match name.as_str() {
            "string" | "varchar" | "text" => Self::String,
            "bigint" | "int64" => Self::Bigint,
            "integer" | "int" | "int32" => Self::Integer,
            "double" | "double precision" | "float64" => Self::Double,
            "boolean" | "bool" => Self::Boolean,
            "date" => Self::Date,
            "timestamp" | "timestamptz" | "timestamp with time zone" => Self::Timestamp,
            _ => decimal(&name).ok_or_else(|| {
                format!(
                    "unknown data_type `{text}`: write string, bigint, integer, double, boolean, date, timestamp or decimal(p,s)"
                )
            })?,
        })
    }
}

fn decimal(name: &str) -> Option<ColumnType> {
    let inside = name
        .strip_prefix("decimal")
        .or_else(|| name.strip_prefix("numeric"))?;
    let (precision, scale) = inside
        .trim()
        .strip_prefix('(')?
        .strip_suffix(')')?
        .split_once(',')?;
    let (precision, scale) = (
        precision.trim().parse::<u8>().ok()?,
        scale.trim().parse::<i8>().ok()?,
    );
    let fits =
        (1..=38).contains(&precision) && scale >= 0 && u8::try_from(scale).ok()? <= precision;
    fits.then_some(ColumnType::Decimal(precision, scale))
}

/// A column of a model or seed, as its `.yml` declares it.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Name in SQL and in the table.
    pub name: String,
    /// Declared type.
    pub data_type: ColumnType,
    /// What it means.
    pub description: String,
    /// The tests declared on it, in dbt's words.
    pub tests: Vec<Test>,
}

/// A test as it is written: `not_null`, or `accepted_values` with its arguments. What it asks for is a [`super::Check`].
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// The test's name.
    pub name: String,
    /// Its arguments; null when it has none.
    pub arguments: serde_json::Value,
    /// Its line in the file.
    pub line: Option<usize>,
}

/// The Arrow schema of declared columns. Every field is nullable: what must not be null is a test, not a type.
pub(crate) fn schema(columns: &[Column]) -> SchemaRef {
    let fields = columns
        .iter()
        .map(|column| Field::new(&column.name, column.data_type.arrow(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_read_back_from_its_own_name() {
        let types = [
            ColumnType::String,
            ColumnType::Bigint,
            ColumnType::Integer,
            ColumnType::Double,
            ColumnType::Boolean,
            ColumnType::Date,
            ColumnType::Timestamp,
            ColumnType::Decimal(38, 0),
            ColumnType::Decimal(3, 2),
        ];
        for kind in types {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
    }

    #[test]
    fn a_type_that_the_lake_cannot_hold_is_refused_with_the_list() {
        for text in [
            "",
            "blob",
            "decimal",
            "decimal(39,2)",
            "decimal(3,4)",
            "decimal(3,-1)",
            "decimal(0,0)",
            "timestampntz",
        ] {
            let message = text.parse::<ColumnType>().unwrap_err();
            assert!(
                message.contains("decimal(p,s)") && message.contains(text),
                "{message}"
            );
        }
    }
}
