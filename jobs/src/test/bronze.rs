//! The bronze tables of a case: the rows that the ingester would have written.

use std::sync::Arc;

use anyhow::Result;
use datafusion::arrow::array::{
    ArrayRef, BinaryArray, Date32Array, Int32Array, Int64Array, ListBuilder, RecordBatch,
    StringArray, StringBuilder, StructBuilder, TimestampMicrosecondArray, new_null_array,
};
use datafusion::arrow::datatypes::SchemaRef;
use userflow_models::bronze::{self, Origin};
use userflow_models::decode::Rejection;

/// The topic's id and name, which are Kafka's affair.
const TOPIC: &str = "case";

/// Rows of a decoded batch as rows of the events table. `schema` is the table's.
pub(super) fn events(
    schema: &SchemaRef,
    decoded: &RecordBatch,
    origin: Origin,
) -> Result<RecordBatch> {
    let rows = decoded.num_rows();
    let columns = schema.fields().iter().map(|field| -> ArrayRef {
        let name = field.name().as_str();
        if let Some(column) = decoded.column_by_name(name) {
            return Arc::clone(column);
        }
        match name {
            bronze::TOPIC_ID => Arc::new(StringArray::from(vec![TOPIC; rows])),
            bronze::KAFKA_PARTITION => Arc::new(Int32Array::from(vec![origin.partition; rows])),
            bronze::KAFKA_OFFSET => Arc::new(Int64Array::from(vec![origin.offset; rows])),
            bronze::KAFKA_TIME | bronze::INGESTED_AT => times(origin, rows),
            _ => new_null_array(field.data_type(), rows),
        }
    });
    Ok(RecordBatch::try_new(Arc::clone(schema), columns.collect())?)
}

/// A refused message as a row of the quarantine table. `schema` is the table's.
pub(super) fn quarantine(
    schema: &SchemaRef,
    rejection: &Rejection,
    raw: &[u8],
    origin: Origin,
) -> Result<RecordBatch> {
    let columns = schema.fields().iter().map(|field| -> ArrayRef {
        match field.name().as_str() {
            bronze::KAFKA_PARTITION => Arc::new(Int32Array::from(vec![origin.partition])),
            bronze::KAFKA_OFFSET => Arc::new(Int64Array::from(vec![origin.offset])),
            bronze::KAFKA_TIME | bronze::INGESTED_AT => times(origin, 1),
            bronze::TOPIC_ID | "_topic" => Arc::new(StringArray::from(vec![TOPIC])),
            "reason" => Arc::new(StringArray::from(vec![rejection.reason().as_str()])),
            "problems" => problems(rejection),
            "raw" => Arc::new(BinaryArray::from(vec![raw])),
            userflow_models::contract::PARTITION => {
                Arc::new(Date32Array::from(vec![origin.kept_date()]))
            }
            _ => new_null_array(field.data_type(), 1),
        }
    });
    Ok(RecordBatch::try_new(Arc::clone(schema), columns.collect())?)
}

/// Kafka's time of the message; it is ingested the moment it comes.
fn times(origin: Origin, rows: usize) -> ArrayRef {
    let micros = origin.kept_ms().map(|ms| ms * 1_000);
    Arc::new(TimestampMicrosecondArray::from(vec![micros; rows]).with_timezone("UTC"))
}

fn problems(rejection: &Rejection) -> ArrayRef {
    let mut list = ListBuilder::new(StructBuilder::from_fields(bronze::problem_fields(), 1))
        .with_field(bronze::problem_item());
    for problem in &rejection.problems {
        let item = list.values();
        let texts = [problem.reason.as_str(), &problem.field, &problem.detail];
        for (at, text) in texts.iter().enumerate() {
            let column = item.field_builder::<StringBuilder>(at);
            column
                .expect("every field of a problem is a text")
                .append_value(text);
        }
        item.append(true);
    }
    list.append(true);
    Arc::new(list.finish())
}
