//! The two tables that a domain's events land in: names, columns, descriptions. Derived from the contract, so that the
//! ingester that writes them and the jobs that create and read them cannot disagree.
//!
//! Not here: how they are written (`ingester/src/bronze`) and what is computed from them (`silver`, `gold`).

mod content;
mod origin;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

use crate::contract::{Contract, EXTRA, INDEX, PARTITION};

pub use content::{content_id, content_of, content_position, content_topic_id};
pub use origin::{Origin, OriginColumns, constant, rows, with_constants};

/// Id of the message's topic (KIP-516), in both tables. With partition and offset it is the message's identity: a topic that
/// is made again under its name counts its offsets from 0 again, and so does every other topic.
pub const TOPIC_ID: &str = "_topic_id";
/// What stands for the id of a topic whose broker has none (Kafka before 2.8).
pub const NO_TOPIC_ID: &str = "-";
/// Kafka partition of the message, in both tables.
pub const KAFKA_PARTITION: &str = "_partition";
/// Kafka offset of the message, in both tables.
pub const KAFKA_OFFSET: &str = "_offset";
/// Kafka timestamp of the message, in both tables.
pub const KAFKA_TIME: &str = "_kafka_time";
/// When the message was ingested, in both tables.
pub const INGESTED_AT: &str = "_ingested_at";
/// When the row was landed from quarantine, in the events; null in rows that came straight from Kafka. A message with such a row is
/// in both tables: the quarantine keeps what it was refused for, and the row is the one that counts.
pub const REPLAYED_AT: &str = "_replayed_at";

/// The columns that say which message a row is. Rows of tables from before `_topic_id` have null there, and null is one id
/// of its own: such rows are compared with one another by partition and offset.
pub const IDENTITY: [&str; 3] = [TOPIC_ID, KAFKA_PARTITION, KAFKA_OFFSET];

/// The start of the application ids under which the ingester keeps the positions of a topic in both tables; the Kafka partition
/// follows. The topic's id is part of it: a topic that was deleted and created again starts at offset 0 under a new id, and its
/// messages are not those that the old positions counted.
pub fn position_prefix(topic: &str, topic_id: &str) -> String {
    format!("userflow-ingester/{topic}/{topic_id}/")
}

/// A table of the bronze layer.
#[derive(Clone, Debug)]
pub struct BronzeTable {
    /// `bronze.<table>`.
    pub name: String,
    /// One sentence with the grain.
    pub description: String,
    /// All columns, `event_date` included.
    pub schema: SchemaRef,
}

fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// `bronze.<domain>_events`: the contract's columns, then where each row came from.
pub fn events(contract: &Contract) -> BronzeTable {
    let mut fields: Vec<Arc<Field>> = contract.schema().fields().iter().cloned().collect();
    fields.extend([
        Arc::new(Field::new(TOPIC_ID, DataType::Utf8, true)),
        Arc::new(Field::new(KAFKA_PARTITION, DataType::Int32, true)),
        Arc::new(Field::new(KAFKA_OFFSET, DataType::Int64, true)),
        Arc::new(Field::new(KAFKA_TIME, timestamp(), true)),
        Arc::new(Field::new(INGESTED_AT, timestamp(), true)),
        Arc::new(Field::new(REPLAYED_AT, timestamp(), true)),
    ]);
    BronzeTable {
        name: format!("bronze.{}_events", contract.domain()),
        description: format!(
            "One row per accepted message of the {} topic, as it came",
            contract.domain()
        ),
        schema: Arc::new(Schema::new(fields)),
    }
}

/// `bronze.<domain>_quarantine`: the messages that the contract does not accept, byte for byte, with every reason.
pub fn quarantine(contract: &Contract) -> BronzeTable {
    BronzeTable {
        name: format!("bronze.{}_quarantine", contract.domain()),
        description: format!(
            "One row per message of the {} topic that its contract does not accept, with the original bytes",
            contract.domain()
        ),
        schema: Arc::new(Schema::new(vec![
            Field::new(PARTITION, DataType::Date32, true),
            Field::new("_topic", DataType::Utf8, true),
            Field::new(TOPIC_ID, DataType::Utf8, true),
            Field::new(KAFKA_PARTITION, DataType::Int32, true),
            Field::new(KAFKA_OFFSET, DataType::Int64, true),
            Field::new(KAFKA_TIME, timestamp(), true),
            Field::new(INGESTED_AT, timestamp(), true),
            Field::new("reason", DataType::Utf8, true),
            Field::new("problems", DataType::List(Arc::new(problem_item())), true),
            Field::new("raw", DataType::Binary, true),
        ])),
    }
}

/// What the columns mean that no contract describes; empty for the others.
pub fn meaning(column: &str) -> &'static str {
    match column {
        EXTRA => "the fields that the contract does not name, as JSON; null when there are none",
        INDEX => {
            "which event of its message the row is, counted from 0, when the message is a list of events; null when it is one event"
        }
        "_topic" => "Kafka topic of the message; of a line that `load` read, its file",
        TOPIC_ID => {
            "Kafka's id of the topic, which tells a topic that was made again from the one before; `-` when the broker has none, \
             null in rows of releases that did not keep it. Of a line that `load` read: `sha256:`, the hash of what the file held, a blank and \
             the file's name"
        }
        KAFKA_PARTITION => "Kafka partition of the message; 0 for a line of a file",
        KAFKA_OFFSET => {
            "Kafka offset of the message in its partition; of a line of a file, its number from 1"
        }
        KAFKA_TIME => "Kafka's timestamp of the message, UTC; null for a line of a file",
        INGESTED_AT => "when the message was ingested, UTC",
        REPLAYED_AT => {
            "when `userflow-jobs replay` landed the message from quarantine, UTC; null when the contract accepted it at once"
        }
        "reason" => "the first reason why the contract does not accept the message",
        "problems" => "every reason, each with the field and what was found there",
        "raw" => "the original bytes",
        _ => "",
    }
}

/// One problem of a quarantined message: `reason`, `field` (empty for the message as a whole) and `detail`.
pub fn problem_fields() -> Fields {
    Fields::from(vec![
        Field::new("reason", DataType::Utf8, true),
        Field::new("field", DataType::Utf8, true),
        Field::new("detail", DataType::Utf8, true),
    ])
}

/// The item of the `problems` list.
pub fn problem_item() -> Field {
    Field::new("element", DataType::Struct(problem_fields()), true)
}
