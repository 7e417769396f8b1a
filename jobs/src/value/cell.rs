//! A cell of a row in memory: a value that can be compared, or what only feature tests compare: a date, a list of texts.

use anyhow::Result;
use chrono::NaiveDate;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Date32Type, SchemaRef};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use userflow_models::cases::Clock;

use super::Value;
use super::column::{kind, values};

/// A cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// One value, null among them.
    One(Value),
    /// A date.
    Date(NaiveDate),
    /// A list of texts.
    Texts(Vec<String>),
    /// Anything else, as text.
    Other(String),
}

impl Cell {
    /// For people; times as short as the clock of a case reads them.
    pub fn shown(&self, clock: Clock) -> String {
        match self {
            Self::One(Value::Time(micros)) => clock.short(*micros),
            Self::One(value) => value.to_string(),
            Self::Date(date) => date.to_string(),
            Self::Texts(texts) => format!("[{}]", texts.join(", ")),
            Self::Other(text) => text.clone(),
        }
    }

    /// The value that the online store has: it keeps decimals as doubles.
    pub fn online(&self) -> Value {
        match self {
            Self::One(decimal @ Value::Decimal { .. }) => {
                Value::Double(decimal.to_string().parse().expect("digits are a number"))
            }
            Self::One(value) => value.clone(),
            Self::Date(date) => Value::Integer(date.to_epoch_days().into()),
            Self::Texts(_) | Self::Other(_) => Value::Null,
        }
    }

    /// The text of a key's cell.
    pub fn text(&self) -> String {
        match self {
            Self::One(value) => value.to_string(),
            Self::Date(date) => date.to_string(),
            Self::Texts(texts) => texts.join(","),
            Self::Other(text) => text.clone(),
        }
    }
}

/// The cells of a column.
pub fn cells(column: &ArrayRef) -> Result<Vec<Cell>> {
    let null_or = |row: usize, cell: &dyn Fn() -> Cell| match column.is_null(row) {
        true => Cell::One(Value::Null),
        false => cell(),
    };
    let rows = 0..column.len();
    Ok(match column.data_type() {
        DataType::Date32 => {
            let days = column.as_primitive::<Date32Type>();
            let date = |row| {
                let date = NaiveDate::from_epoch_days(days.value(row));
                Cell::Date(date.expect("a date of a partition is a date"))
            };
            rows.map(|row| null_or(row, &|| date(row))).collect()
        }
        DataType::List(item) if *item.data_type() == DataType::Utf8 => {
            let lists = column.as_list::<i32>();
            let texts = |row| {
                let texts = lists.value(row);
                let texts = texts.as_string::<i32>().iter();
                Cell::Texts(
                    texts
                        .map(|text| text.unwrap_or("null").to_owned())
                        .collect(),
                )
            };
            rows.map(|row| null_or(row, &|| texts(row))).collect()
        }
        known if kind(known).is_some() => values(column)?.into_iter().map(Cell::One).collect(),
        _ => {
            let options = FormatOptions::default();
            let text = ArrayFormatter::try_new(column, &options)?;
            let other = |row: usize| Cell::Other(text.value(row).to_string());
            rows.map(|row| null_or(row, &|| other(row))).collect()
        }
    })
}

/// The rows of batches of one schema.
pub fn rows(batches: &[RecordBatch]) -> Result<Vec<Vec<Cell>>> {
    let mut rows = Vec::new();
    for batch in batches {
        let columns = batch.columns().iter().map(cells);
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let row = |row: usize| columns.iter().map(|column| column[row].clone()).collect();
        rows.extend((0..batch.num_rows()).map(row));
    }
    Ok(rows)
}

/// The names of a schema's columns.
pub fn names(schema: &SchemaRef) -> Vec<String> {
    let fields = schema.fields().iter();
    fields.map(|field| field.name().clone()).collect()
}
