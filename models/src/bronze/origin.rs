//! Where a message stands in Kafka, the columns that say so in both tables (topic id, partition, offset, Kafka's time, and when it was
//! ingested), and the rows of the events that they become beside what the decoder gave. The ingester makes them from a topic, `replay`
//! from the quarantine.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Date32Array, DictionaryArray, Int8Array, Int32Builder, Int64Builder,
    RecordBatch, StringArray, TimestampMicrosecondArray, TimestampMicrosecondBuilder,
    new_null_array,
};
use arrow::datatypes::{DataType, Field, Int8Type, Schema, SchemaRef};
use arrow::error::ArrowError;

use super::{KAFKA_TIME, timestamp};
use crate::decode::{Problem, Reason};
use crate::project::PARTITION_COLUMN;

/// 9999-12-31T23:59:59.999Z, the last time that every reader of the tables knows how to write.
const LAST_MS: i64 = 253_402_300_799_999;

/// Where a message stands in Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its Kafka partition.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// Kafka's timestamp, milliseconds UTC; very old brokers give none.
    pub time_ms: Option<i64>,
}

impl Origin {
    /// Kafka's time as the tables keep it: not before 1970 and not after 9999. A producer that counts microseconds gives times
    /// in the year 58,000, which readers refuse together with every other row of the table.
    pub fn kept_ms(self) -> Option<i64> {
        Some(self.time_ms?.clamp(0, LAST_MS))
    }

    /// The UTC date of that time, in days since 1970. A message without a time has the first date: null is no partition.
    pub fn kept_date(self) -> i32 {
        let days = self.kept_ms().unwrap_or(0) / 86_400_000;
        #[expect(clippy::expect_used, reason = "kept times end with the year 9999")]
        i32::try_from(days).expect("a date of the years 1970 to 9999")
    }

    /// Kafka's time of a stored message as the decoder takes it: -1, "unknown", for one that no clock shows. Of a time that was capped the
    /// bound is stored, so the bounds tell nothing about the event's time either.
    pub fn stored_clock_ms(self) -> i64 {
        self.time_ms
            .filter(|ms| (1..LAST_MS).contains(ms))
            .unwrap_or(-1)
    }

    /// What there is to say if the time that is kept is another than Kafka's.
    pub fn capped(self) -> Option<Problem> {
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

/// Builders of the columns, row by row, for messages of one topic.
pub struct OriginColumns {
    topic_id: Option<String>,
    partitions: Int32Builder,
    offsets: Int64Builder,
    times: TimestampMicrosecondBuilder,
}

impl OriginColumns {
    /// Bytes of a row in these columns.
    pub const ROW_BYTES: usize = 1 + 4 + 8 + 8 + 8;

    /// Room for `rows` rows. Without a topic id the column is null, as in tables from before it.
    pub fn new(topic_id: Option<&str>, rows: usize) -> Self {
        Self {
            topic_id: topic_id.map(str::to_owned),
            partitions: Int32Builder::with_capacity(rows),
            offsets: Int64Builder::with_capacity(rows),
            times: TimestampMicrosecondBuilder::with_capacity(rows).with_timezone("UTC"),
        }
    }

    /// The topic id of all rows.
    pub fn topic_id(&self) -> Option<&str> {
        self.topic_id.as_deref()
    }

    /// Adds a row.
    pub fn append(&mut self, origin: Origin) {
        self.partitions.append_value(origin.partition);
        self.offsets.append_value(origin.offset);
        self.times
            .append_option(origin.kept_ms().map(|ms| ms * 1_000));
    }

    /// `_topic_id`, `_partition`, `_offset`, `_kafka_time`, `_ingested_at` of the rows since the last call.
    pub fn finish(&mut self) -> [ArrayRef; 5] {
        let partitions = self.partitions.finish();
        let rows = partitions.len();
        [
            constant(self.topic_id(), rows),
            Arc::new(partitions),
            Arc::new(self.offsets.finish()),
            Arc::new(self.times.finish()),
            now(rows),
        ]
    }
}

/// The time of this call, in all rows.
fn now(rows: usize) -> ArrayRef {
    let now = chrono::Utc::now().timestamp_millis() * 1_000;
    Arc::new(TimestampMicrosecondArray::from_value(now, rows).with_timezone("UTC"))
}

/// Rows of the events: what the decoder gave and where each row came from. Their dates stand beside them, because a file of the table
/// does not have the partition column. `schema` is that of [`with_constants`].
pub fn rows(
    decoded: &RecordBatch,
    origins: [ArrayRef; 5],
    replayed: bool,
    schema: &SchemaRef,
) -> Result<(Date32Array, RecordBatch), ArrowError> {
    let dates = decoded
        .column_by_name(PARTITION_COLUMN)
        .and_then(|dates| dates.as_primitive_opt())
        .ok_or_else(|| ArrowError::SchemaError(format!("no date {PARTITION_COLUMN} was decoded")))?
        .clone();
    let fields = decoded.schema();
    let mut columns: Vec<ArrayRef> = (decoded.columns().iter().zip(fields.fields()))
        .filter(|(_, field)| field.name() != PARTITION_COLUMN)
        .map(|(column, _)| Arc::clone(column))
        .collect();
    columns.extend(origins);
    columns.push(match replayed {
        true => now(decoded.num_rows()),
        false => new_null_array(&timestamp(), decoded.num_rows()),
    });
    Ok((
        dates,
        RecordBatch::try_new(SchemaRef::clone(schema), columns)?,
    ))
}

/// A column with one text in all rows, or none: a byte a row here, and a dictionary of one entry in the file.
pub fn constant(text: Option<&str>, rows: usize) -> ArrayRef {
    let keys = match text {
        Some(_) => Int8Array::from_value(0, rows),
        None => Int8Array::new_null(rows),
    };
    let values = Arc::new(StringArray::from(vec![text.unwrap_or_default()]));
    Arc::new(DictionaryArray::<Int8Type>::new(keys, values))
}

/// The schema of batches for a table's files in which these columns are made by [`constant`].
pub fn with_constants(file_schema: &SchemaRef, constants: &[&str]) -> SchemaRef {
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
            let known = kept.filter(|kept| ![0, LAST_MS].contains(kept));
            assert_eq!(at(kept).stored_clock_ms(), known.unwrap_or(-1));
            assert!((0..=2_932_896).contains(&at(sent).kept_date()), "{sent:?}");
        }
        let last = chrono::DateTime::from_timestamp_millis(LAST_MS).unwrap();
        assert_eq!(last.to_rfc3339(), "9999-12-31T23:59:59.999+00:00");
    }

    #[test]
    fn the_columns_hold_what_was_appended() {
        let mut columns = OriginColumns::new(Some("an-id"), 2);
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
