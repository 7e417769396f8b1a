//! Rows of a batch as text, so that they can be compared with rows that were never in Arrow.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType,
};
use userflow_models::contract::Contract;
use userflow_models::decode::{Decoder, Rejection};

/// One value for each column: texts as they are, times in microseconds, dates in days, decimals in units, floats in bits.
pub(crate) type Row = Vec<Option<String>>;

/// 2026-11-02T00:00:00Z, the Kafka time of every message that does not say otherwise.
pub(crate) const NOW_MS: i64 = 1_793_577_600_000;

/// What Kafka says when it does not know: then an event may be of any time.
pub(crate) const NO_TIME: i64 = -1;

pub(crate) fn rows(batch: &RecordBatch) -> Vec<Row> {
    (0..batch.num_rows())
        .map(|row| {
            batch
                .columns()
                .iter()
                .map(|column| cell(column.as_ref(), row))
                .collect()
        })
        .collect()
}

fn cell(column: &dyn Array, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    Some(match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float64 => column
            .as_primitive::<Float64Type>()
            .value(row)
            .to_bits()
            .to_string(),
        DataType::Boolean => column.as_boolean().value(row).to_string(),
        DataType::Date32 => column.as_primitive::<Date32Type>().value(row).to_string(),
        DataType::Decimal128(..) => column
            .as_primitive::<Decimal128Type>()
            .value(row)
            .to_string(),
        DataType::Timestamp(..) => column
            .as_primitive::<TimestampMicrosecondType>()
            .value(row)
            .to_string(),
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row);
            let items = (0..items.len()).map(|item| cell(items.as_ref(), item).unwrap());
            format!("[{}]", items.collect::<Vec<_>>().join(", "))
        }
        DataType::Struct(_) => {
            let fields = column.as_struct().columns().iter();
            let fields = fields.map(|field| cell(field.as_ref(), row).unwrap_or_default());
            fields.collect::<Vec<_>>().join("|")
        }
        other => panic!("no column of a contract has type {other}"),
    })
}

/// Decodes one message by itself.
pub(crate) fn decode(contract: &Contract, message: &[u8]) -> Result<Row, Rejection> {
    let mut decoder = Decoder::new(contract);
    decoder.decode(message, NOW_MS)?;
    let batch = decoder.finish();
    assert_eq!(batch.num_rows(), 1);
    assert_eq!(batch.schema(), contract.schema());
    Ok(rows(&batch).remove(0))
}

/// The value of one column of a row.
pub(crate) fn value<'a>(contract: &Contract, row: &'a Row, column: &str) -> Option<&'a str> {
    row[contract.schema().index_of(column).unwrap()].as_deref()
}

/// The reasons and fields of a rejection, as `reason field`.
pub(crate) fn problems(rejection: &Rejection) -> Vec<String> {
    rejection
        .problems
        .iter()
        .map(|p| format!("{} {}", p.reason, p.field).trim().to_owned())
        .collect()
}
