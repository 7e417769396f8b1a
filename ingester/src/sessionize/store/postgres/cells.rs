//! Columns of Arrow as PostgreSQL takes them: one array per column, and texts such as it can hold.
//!
//! Not here: the types of the columns there (`userflow_models::features::online`), the statement (`rows.rs`).

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, StringArray, StringBuilder};
use arrow::datatypes::{
    DataType, Decimal128Type, DecimalType, Float64Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};
use chrono::{DateTime, Utc};
use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgBindIterExt};
use sqlx::query::Query;
use userflow_models::features::online::{self, Stored};

/// Binds the values of a column, straight from where they are.
pub(super) fn bind<'q>(
    query: Query<'q, Postgres, PgArguments>,
    column: &Stored,
    values: &ArrayRef,
) -> Query<'q, Postgres, PgArguments> {
    match &column.data_type {
        DataType::Int64 => query.bind(values.as_primitive::<Int64Type>().iter().bind_iter()),
        DataType::Int32 => query.bind(values.as_primitive::<Int32Type>().iter().bind_iter()),
        DataType::Float64 => query.bind(values.as_primitive::<Float64Type>().iter().bind_iter()),
        DataType::Utf8 => query.bind(values.as_string::<i32>().iter().bind_iter()),
        DataType::Boolean => query.bind(values.as_boolean().iter().bind_iter()),
        DataType::Timestamp(..) => {
            let times = values.as_primitive::<TimestampMicrosecondType>().iter();
            let time =
                |micros: Option<i64>| micros.and_then(DateTime::<Utc>::from_timestamp_micros);
            query.bind(times.map(time).bind_iter())
        }
        DataType::Decimal128(precision, scale) => {
            let units = values.as_primitive::<Decimal128Type>().iter();
            if online::sql_type(column) == "numeric" {
                let text = |units| Decimal128Type::format_decimal(units, *precision, *scale);
                query.bind(units.map(|units| units.map(text)).bind_iter())
            } else {
                let one = 10_f64.powi(i32::from(*scale));
                let double = |units: i128| units as f64 / one;
                query.bind(units.map(|units| units.map(double)).bind_iter())
            }
        }
        DataType::List(_) => query.bind(literals(values.as_list()).iter().bind_iter()),
        other => unreachable!("no row has a column of type {other}"),
    }
}

/// Lists as array literals. (`unnest` takes an array of arrays apart, so lists cannot go as they are.)
fn literals(lists: &ListArray) -> StringArray {
    let mut out = StringBuilder::new();
    for list in 0..lists.len() {
        if lists.is_null(list) {
            out.append_null();
            continue;
        }
        let values = lists.value(list);
        out.write_char('{').expect("memory takes all");
        match values.data_type() {
            DataType::Int64 => write_numbers(&mut out, values.as_primitive::<Int64Type>().values()),
            _ => write_texts(&mut out, values.as_string()),
        }
        .expect("memory takes all");
        out.append_value("}");
    }
    out.finish()
}

fn write_numbers(out: &mut StringBuilder, numbers: &[i64]) -> std::fmt::Result {
    for (index, number) in numbers.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        write!(out, "{comma}{number}")?;
    }
    Ok(())
}

/// Each in quotes, with `"` and `\` escaped.
fn write_texts(out: &mut StringBuilder, texts: &StringArray) -> std::fmt::Result {
    for (index, text) in texts.iter().flatten().enumerate() {
        out.write_str(if index > 0 { ",\"" } else { "\"" })?;
        let mut rest = text;
        while let Some(at) = rest.find(['"', '\\']) {
            out.write_str(&rest[..at])?;
            out.write_char('\\')?;
            out.write_str(&rest[at..=at])?;
            rest = &rest[at + 1..];
        }
        out.write_str(rest)?;
        out.write_char('"')?;
    }
    Ok(())
}

/// PostgreSQL has no text with a zero byte in it; the replacement character stands for one, as in a decoder. A text that came with the
/// replacement character is then the same text: two keys can become one. None: there is no zero byte.
pub(super) fn storable(rows: &RecordBatch) -> Option<RecordBatch> {
    let columns: Vec<Option<ArrayRef>> = rows.columns().iter().map(without_zeros).collect();
    if columns.iter().all(Option::is_none) {
        return None;
    }
    let columns = columns.into_iter().zip(rows.columns());
    let columns = columns.map(|(changed, as_it_was)| changed.unwrap_or_else(|| as_it_was.clone()));
    let changed = RecordBatch::try_new(rows.schema(), columns.collect());
    Some(changed.expect("texts stay texts, and as many"))
}

fn without_zeros(column: &ArrayRef) -> Option<ArrayRef> {
    match column.data_type() {
        DataType::Utf8 => {
            let changed = texts_without_zeros(column.as_string())?;
            Some(Arc::new(changed))
        }
        DataType::List(item) if *item.data_type() == DataType::Utf8 => {
            let lists = column.as_list::<i32>();
            let values = texts_without_zeros(lists.values().as_string())?;
            let changed = ListArray::new(
                Arc::clone(item),
                lists.offsets().clone(),
                Arc::new(values),
                lists.nulls().cloned(),
            );
            Some(Arc::new(changed))
        }
        _ => None,
    }
}

fn texts_without_zeros(texts: &StringArray) -> Option<StringArray> {
    // All texts of a column lie one after the other, so that one look is enough.
    if !texts.value_data().contains(&0) {
        return None;
    }
    let changed = texts
        .iter()
        .map(|text| text.map(|text| text.replace('\0', "\u{fffd}")));
    Some(changed.collect())
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Builder, ListBuilder};

    use super::super::super::layout::Layout;
    use super::super::super::sample::{rows, view};
    use super::*;

    #[test]
    fn lists_become_literals() {
        let mut texts = ListBuilder::new(StringBuilder::new());
        for list in [
            vec![],
            vec!["a", "b, {c}"],
            vec!["\"", "\\", "a\"b\\"],
            vec![""],
        ] {
            texts.append_value(list.into_iter().map(Some));
        }
        let literals = |lists: ListArray| {
            let literals = super::literals(&lists);
            literals
                .iter()
                .map(|text| text.unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            literals(texts.finish()),
            [
                "{}",
                r#"{"a","b, {c}"}"#,
                r#"{"\"","\\","a\"b\\"}"#,
                r#"{""}"#
            ]
        );
        let mut numbers = ListBuilder::new(Int64Builder::new());
        numbers.append_value([]);
        numbers.append_value([Some(i64::MIN), Some(0), Some(i64::MAX)]);
        assert_eq!(
            literals(numbers.finish()),
            ["{}", "{-9223372036854775808,0,9223372036854775807}"]
        );
    }

    #[test]
    fn a_zero_byte_gives_way_before_keys_are_compared() {
        // Both keys become the same one, and PostgreSQL refuses a statement with two rows of it.
        let batch = rows(&[
            ("a\0b", 10, 7, 0),
            ("a\u{fffd}b", 20, 8, 0),
            ("\0\0", 1, 9, 0),
        ]);
        let changed = storable(&batch).expect("there are zero bytes");
        let (left, gone) = Layout::new(&view("partition_local: true\n")).one_row_per_key(changed);
        assert_eq!(gone, 1);
        assert_eq!(
            left,
            rows(&[("a\u{fffd}b", 20, 8, 0), ("\u{fffd}\u{fffd}", 1, 9, 0)])
        );
        assert!(storable(&left).is_none());
    }

    #[test]
    fn a_zero_byte_in_a_list_gives_way() {
        let mut lists = ListBuilder::new(StringBuilder::new());
        lists.append_value([Some("a"), Some("\0")]);
        lists.append_null();
        lists.append_value([Some("b\0c")]);
        let lists: ArrayRef = Arc::new(lists.finish());
        let changed = without_zeros(&lists).expect("there are zero bytes");
        let expected: [Option<&str>; 3] =
            [Some("{\"a\",\"\u{fffd}\"}"), None, Some("{\"b\u{fffd}c\"}")];
        let literals = literals(changed.as_list());
        assert_eq!(literals.iter().collect::<Vec<_>>(), expected);
    }
}
