//! The types of columns in PostgreSQL, and how values travel there.

use arrow::datatypes::DataType;

use super::columns::{Source, Stored};

/// A column's type in PostgreSQL. Readers see decimals as doubles; the sums that a view merges stay exact.
pub fn sql_type(column: &Stored) -> &'static str {
    match (&column.data_type, column.source) {
        (DataType::Int64, _) => "bigint",
        (DataType::Int32, _) => "int",
        (DataType::Decimal128(..), Source::Total(_)) => "numeric",
        (DataType::Decimal128(..) | DataType::Float64, _) => "double precision",
        (DataType::Utf8, _) => "text",
        (DataType::Boolean, _) => "boolean",
        (DataType::Timestamp(..), _) => "timestamptz",
        (DataType::List(item), _) if *item.data_type() == DataType::Int64 => "bigint[]",
        (DataType::List(_), _) => "text[]",
        (other, _) => unreachable!("no row has a column of type {other}"),
    }
}

/// The type of the values that are bound, one array per column of a batch. Decimal numbers beyond 64 bits go as text, and so do lists, as
/// literals: `unnest` takes arrays of arrays apart.
pub(super) fn bound(column: &Stored) -> &'static str {
    match sql_type(column) {
        "numeric" | "bigint[]" | "text[]" => "text",
        other => other,
    }
}

/// A column's type as `format_type` says it.
pub(super) fn catalogue_type(column: &Stored) -> &'static str {
    match sql_type(column) {
        "timestamptz" => "timestamp with time zone",
        "int" => "integer",
        other => other,
    }
}
