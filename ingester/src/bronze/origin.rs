//! Where a message stands in Kafka, and the columns that say so in both tables: topic id, partition, offset, Kafka's time, and when it
//! was ingested.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Int8Array, Int32Builder, Int64Builder, StringArray,
    TimestampMicrosecondArray, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Int8Type, Schema, SchemaRef};
use userflow_models::bronze::KAFKA_TIME;
use userflow_models::decode::{Problem, Reason};

/// 9999-12-31T23:59:59.999Z, the last time that every reader of the tables knows how to write.
const LAST_MS: i64 = 253_402_300_799_999;

/// Where a message stands in Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) partition: i32,
    pub(super) offset: i64,
    /// Kafka's timestamp, milliseconds UTC; very old brokers give none.
    pub(super) time_ms: Option<i64>,
}

impl Origin {
    /// Kafka's time as the tables keep it: not before 1970 and not after 9999. A producer that counts microseconds gives times
    /// in the year 58,000, which readers refuse together with every other row of the table.
    pub(super) fn kept_ms(self) -> Option<i64> {
        Some(self.time_ms?.clamp(0, LAST_MS))
    }

    /// The UTC date of that time, in days since 1970. A message without a time has the first date: null is no partition.
    pub(super) fn kept_date(self) -> i32 {
        let days = self.kept_ms().unwrap_or(0) / 86_400_000;
        i32::try_from(days).expect("a date of the years 1970 to 9999")
    }

    /// What there is to say if the time that is kept is another than Kafka's.
    pub(super) fn capped(self) -> Option<Problem> {
        let (sent, kept) = (self.time_ms?, self.kept_ms()?);
        (sent != kept).then(|| Problem {
            reason: Reason::OutOfRange,
            field: KAFKA_TIME.to_owned(),
            detail: format!(
                "Kafka's time of the message, {sent} ms, is not in the years 1970 to 9999: {kept} ms is stored"
            ),
        })
    }
}

/// Builders of the columns, row by row.
pub(super) struct OriginColumns {
    topic_id: String,
    partitions: Int32Builder,
    offsets: Int64Builder,
    times: TimestampMicrosecondBuilder,
}

impl OriginColumns {
    pub(super) fn new(topic_id: &str, rows: usize) -> Self {
        Self {
            topic_id: topic_id.to_owned(),
            partitions: Int32Builder::with_capacity(rows),
            offsets: Int64Builder::with_capacity(rows),
            times: TimestampMicrosecondBuilder::with_capacity(rows).with_timezone("UTC"),
        }
    }

    pub(super) fn append(&mut self, origin: Origin) {
        self.partitions.append_value(origin.partition);
        self.offsets.append_value(origin.offset);
        self.times
            .append_option(origin.kept_ms().map(|ms| ms * 1_000));
    }

    /// `_topic_id`, `_partition`, `_offset`, `_kafka_time`, `_ingested_at` of the rows since the last call.
    pub(super) fn finish(&mut self) -> [ArrayRef; 5] {
        let partitions = self.partitions.finish();
        let rows = partitions.len();
        let now = chrono::Utc::now().timestamp_millis() * 1_000;
        let ingested = TimestampMicrosecondArray::from_value(now, rows).with_timezone("UTC");
        [
            constant(&self.topic_id, rows),
            Arc::new(partitions),
            Arc::new(self.offsets.finish()),
            Arc::new(self.times.finish()),
            Arc::new(ingested),
        ]
    }
}

/// A column with one text in all rows: a byte a row here, and a dictionary of one entry in the file.
pub(super) fn constant(text: &str, rows: usize) -> ArrayRef {
    let keys = Int8Array::from_value(0, rows);
    let values = Arc::new(StringArray::from(vec![text]));
    Arc::new(DictionaryArray::<Int8Type>::new(keys, values))
}

/// The schema of batches for a table's files in which these columns are made by [`constant`].
pub(super) fn with_constants(file_schema: &SchemaRef, constants: &[&str]) -> SchemaRef {
    let dictionary = || DataType::Dictionary(DataType::Int8.into(), DataType::Utf8.into());
    let fields = file_schema.fields().iter().map(|field| {
        if constants.contains(&field.name().as_str()) {
            Arc::new(Field::new(field.name(), dictionary(), field.is_nullable()))
        } else {
            Arc::clone(field)
        }
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::{Int64Type, TimestampMicrosecondType};

    use super::*;

    fn at(time_ms: Option<i64>) -> Origin {
        Origin {
            partition: 3,
            offset: 7,
            time_ms,
        }
    }

    #[test]
    fn kafka_times_stay_in_the_years_that_readers_write() {
        for (sent, kept) in [
            (None, None),
            (Some(0), Some(0)),
            (Some(1_793_534_400_000), Some(1_793_534_400_000)),
            (Some(LAST_MS), Some(LAST_MS)),
            (Some(LAST_MS + 1), Some(LAST_MS)),
            (Some(1_793_534_400_000_000), Some(LAST_MS)),
            (Some(i64::MAX), Some(LAST_MS)),
            (Some(-5), Some(0)),
        ] {
            assert_eq!(at(sent).kept_ms(), kept);
            assert_eq!(at(sent).capped().is_some(), sent != kept);
            assert!((0..=2_932_896).contains(&at(sent).kept_date()), "{sent:?}");
        }
        let last = chrono::DateTime::from_timestamp_millis(LAST_MS).unwrap();
        assert_eq!(last.to_rfc3339(), "9999-12-31T23:59:59.999+00:00");
    }

    #[test]
    fn the_columns_hold_what_was_appended() {
        let mut columns = OriginColumns::new("an-id", 2);
        columns.append(at(Some(5)));
        columns.append(at(None));
        let [topic_ids, partitions, offsets, times, ingested] = columns.finish();
        let topic_ids = arrow::compute::cast(&topic_ids, &DataType::Utf8).unwrap();
        let texts: Vec<_> = topic_ids.as_string::<i32>().iter().collect();
        assert_eq!(texts, [Some("an-id"); 2]);
        assert_eq!(partitions.len(), 2);
        assert_eq!(offsets.as_primitive::<Int64Type>().values(), &[7, 7]);
        let times: Vec<_> = times
            .as_primitive::<TimestampMicrosecondType>()
            .iter()
            .collect();
        assert_eq!(times, [Some(5_000), None]);
        assert_eq!(ingested.len(), 2);
        assert!(columns.finish().iter().all(|column| column.is_empty()));
    }
}
