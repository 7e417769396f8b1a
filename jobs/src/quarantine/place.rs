//! Where a message stands in Kafka, as a row of either table says it.

use anyhow::{Context, Result};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringViewArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int32Type, Int64Type, TimestampMicrosecondType};
use userflow_models::bronze::{KAFKA_OFFSET, KAFKA_PARTITION, KAFKA_TIME, NO_TOPIC_ID, TOPIC_ID};

/// The ids of topics, each known by its number.
#[derive(Debug, Default)]
pub struct Topics(Vec<String>);

impl Topics {
    /// The number of an id. There are few, and rows of one come together.
    pub fn number(&mut self, id: &str) -> u32 {
        let at = match self.0.iter().rposition(|known| known == id) {
            Some(at) => at,
            None => {
                self.0.push(id.to_owned());
                self.0.len() - 1
            }
        };
        #[expect(clippy::expect_used, reason = "a lake has fewer topics than that")]
        u32::try_from(at).expect("fewer than 2^32 topics")
    }
}

/// Where a message stands. Kafka's time belongs to it for rows without their topic's id: only the time tells such a message from one
/// with the same partition and offset in another topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The number of its topic's id; none in rows from before `_topic_id`, or whose broker had none.
    pub topic: Option<u32>,
    /// Kafka partition.
    pub partition: i32,
    /// Kafka offset.
    pub offset: i64,
    /// Kafka's time, microseconds UTC.
    pub time: Option<i64>,
}

impl Place {
    /// Whether both are the same message. A row that does not know its topic's id may be of any topic, so there the times decide.
    pub fn is(&self, other: &Self) -> bool {
        (self.partition, self.offset) == (other.partition, other.offset)
            && match (self.topic, other.topic) {
                (Some(own), Some(theirs)) => own == theirs,
                _ => self.time == other.time,
            }
    }
}

/// The columns of a batch that say where its rows come from.
pub struct Places {
    topics: StringViewArray,
    partitions: ArrayRef,
    offsets: ArrayRef,
    times: ArrayRef,
}

impl Places {
    /// Finds the columns.
    pub fn of(batch: &RecordBatch) -> Result<Self> {
        let column = |name: &str, data_type: &DataType| -> Result<ArrayRef> {
            let column = batch
                .column_by_name(name)
                .with_context(|| format!("the rows have no column {name}"))?;
            Ok(cast(column, data_type)?)
        };
        let time = DataType::Timestamp(
            datafusion::arrow::datatypes::TimeUnit::Microsecond,
            Some("UTC".into()),
        );
        Ok(Self {
            topics: column(TOPIC_ID, &DataType::Utf8View)?
                .as_string_view()
                .clone(),
            partitions: column(KAFKA_PARTITION, &DataType::Int32)?,
            offsets: column(KAFKA_OFFSET, &DataType::Int64)?,
            times: column(KAFKA_TIME, &time)?,
        })
    }

    /// The id of the row's topic, if it says.
    pub fn topic_id(&self, row: usize) -> Option<&str> {
        self.topics.is_valid(row).then(|| self.topics.value(row))
    }

    /// The place of a row; none of a row that another writer has put there without.
    pub fn at(&self, row: usize, topics: &mut Topics) -> Option<Place> {
        if self.partitions.is_null(row) || self.offsets.is_null(row) {
            return None;
        }
        let times = self.times.as_primitive::<TimestampMicrosecondType>();
        Some(Place {
            topic: (self.topic_id(row).filter(|id| *id != NO_TOPIC_ID)).map(|id| topics.number(id)),
            partition: self.partitions.as_primitive::<Int32Type>().value(row),
            offset: self.offsets.as_primitive::<Int64Type>().value(row),
            time: times.is_valid(row).then(|| times.value(row)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_that_of_its_topic_or_else_of_its_time() {
        let mut topics = Topics::default();
        let [old, new] = ["old", "new"].map(|id| Some(topics.number(id)));
        let at = |topic, time| Place {
            topic,
            partition: 1,
            offset: 5,
            time,
        };
        assert_eq!(Some(topics.number("old")), old);
        assert!(at(old, Some(1)).is(&at(old, Some(1))));
        assert!(!at(old, Some(1)).is(&at(new, Some(1))));
        assert!(at(None, Some(1)).is(&at(new, Some(1))));
        assert!(!at(None, Some(1)).is(&at(None, Some(2))));
        assert!(!at(old, None).is(&Place {
            offset: 6,
            ..at(old, None)
        }));
    }
}
