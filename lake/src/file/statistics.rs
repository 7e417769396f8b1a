//! Parquet column statistics to the JSON text that a Delta `add` carries, for readers that skip files by it.
//!
//! Source: the Delta transaction log protocol, section "Per-file Statistics". Only top-level columns of types whose
//! order is the same in both formats get bounds; a missing bound is always correct, a wrong one loses rows.

use arrow::datatypes::{DataType, Schema};
use chrono::DateTime;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;
use serde_json::{Map, Value, json};

use crate::partition::{DATES, date_text};

/// The statistics text of a finished file.
pub(super) fn of(schema: &Schema, meta: &ParquetMetaData, rows: u64) -> String {
    let (mut min, mut max, mut nulls) = (Map::new(), Map::new(), Map::new());
    let columns = meta.file_metadata().schema_descr().columns();
    for (leaf, column) in columns.iter().enumerate() {
        let [name] = column.path().parts() else {
            continue;
        };
        let Ok(field) = schema.field_with_name(name) else {
            continue;
        };
        let mut all = meta
            .row_groups()
            .iter()
            .map(|g| g.column(leaf).statistics());
        let Some(merged) = merge(field.data_type(), &mut all) else {
            continue;
        };
        nulls.insert(name.clone(), json!(merged.nulls));
        if let Some((low, high)) = merged.bounds
            && let (Some(low), Some(high)) = (
                low.render(field.data_type()),
                high.render(field.data_type()),
            )
        {
            min.insert(name.clone(), low);
            max.insert(name.clone(), high);
        }
    }
    json!({"numRecords": rows, "minValues": min, "maxValues": max, "nullCount": nulls}).to_string()
}

struct Merged {
    nulls: u64,
    bounds: Option<(Bound, Bound)>,
}

#[derive(Clone, PartialEq, PartialOrd)]
enum Bound {
    Int(i64),
    Text(String),
}

impl Bound {
    /// As the log has it; `None` for a date or a time in no year of four digits, which not every reader takes.
    fn render(&self, data_type: &DataType) -> Option<Value> {
        Some(match (self, data_type) {
            (Self::Text(text), _) => json!(text),
            (Self::Int(days), DataType::Date32) => {
                let days = i32::try_from(*days).expect("days of a 32 bit column");
                json!(date_text(days))
            }
            (Self::Int(micros), DataType::Timestamp(..)) => {
                let time = DateTime::from_timestamp_micros(*micros);
                let time = time.expect("a bound is in the years that readers write");
                json!(time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
            }
            (Self::Int(value), _) => json!(value),
        })
    }
}

/// Statistics over all row groups; `None` when a row group has none.
fn merge(
    data_type: &DataType,
    all: &mut dyn Iterator<Item = Option<&Statistics>>,
) -> Option<Merged> {
    let mut merged = Merged {
        nulls: 0,
        bounds: None,
    };
    let mut bounded = true;
    for statistics in all {
        let statistics = statistics?;
        let nulls = statistics.null_count_opt()?;
        merged.nulls += nulls;
        match bounds(data_type, statistics) {
            Some((low, high)) => {
                merged.bounds = Some(match merged.bounds.take() {
                    None => (low, high),
                    Some((a, b)) => (
                        if low < a { low } else { a },
                        if high > b { high } else { b },
                    ),
                });
            }
            // A row group of nulls only has no bounds and needs none.
            None => bounded &= !has_values(statistics),
        }
    }
    if !bounded {
        merged.bounds = None;
    }
    Some(merged)
}

fn has_values(statistics: &Statistics) -> bool {
    statistics.min_bytes_opt().is_some()
        || !matches!(
            statistics,
            Statistics::Int32(_) | Statistics::Int64(_) | Statistics::ByteArray(_)
        )
}

fn bounds(data_type: &DataType, statistics: &Statistics) -> Option<(Bound, Bound)> {
    match (data_type, statistics) {
        (DataType::Int32, Statistics::Int32(s)) => Some((
            Bound::Int(i64::from(*s.min_opt()?)),
            Bound::Int(i64::from(*s.max_opt()?)),
        )),
        (DataType::Date32, Statistics::Int32(s)) => {
            let (low, high) = (*s.min_opt()?, *s.max_opt()?);
            (DATES.contains(&low) && DATES.contains(&high))
                .then_some((Bound::Int(low.into()), Bound::Int(high.into())))
        }
        // Microseconds are whole milliseconds everywhere in the lake, so the text below loses nothing.
        (DataType::Int64, Statistics::Int64(s)) => {
            Some((Bound::Int(*s.min_opt()?), Bound::Int(*s.max_opt()?)))
        }
        (DataType::Timestamp(..), Statistics::Int64(s)) => {
            // A time outside the years that readers write has no text that they read.
            let fits = |v: &i64| {
                let days = v.div_euclid(86_400_000_000);
                v % 1_000 == 0 && i32::try_from(days).is_ok_and(|days| DATES.contains(&days))
            };
            let (low, high) = (s.min_opt()?, s.max_opt()?);
            (fits(low) && fits(high)).then_some((Bound::Int(*low), Bound::Int(*high)))
        }
        (DataType::Utf8 | DataType::Utf8View, Statistics::ByteArray(s)) => {
            let text = |b: &[u8]| std::str::from_utf8(b).ok().map(str::to_owned);
            Some((
                Bound::Text(text(s.min_opt()?.data())?),
                Bound::Text(text(s.max_opt()?.data())?),
            ))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        Date32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    };

    use crate::{FileWriter, WriteSettings};

    #[test]
    fn statistics_bound_what_was_written() {
        let batch = RecordBatch::try_from_iter([
            (
                "n",
                Arc::new(Int64Array::from(vec![Some(5), None, Some(-3)])) as _,
            ),
            ("s", Arc::new(StringArray::from(vec!["b", "a", "c"])) as _),
            ("d", Arc::new(Date32Array::from(vec![1, 0, 2])) as _),
            (
                "t",
                Arc::new(
                    TimestampMicrosecondArray::from(vec![1_000, 2_500_000, 0]).with_timezone("UTC"),
                ) as _,
            ),
            ("e", Arc::new(Int64Array::from(vec![None::<i64>; 3])) as _),
        ])
        .unwrap();
        let settings = WriteSettings {
            row_group_rows: 2,
            ..WriteSettings::default()
        };
        let mut writer = FileWriter::new(&batch.schema(), &settings).unwrap();
        writer.write(&batch).unwrap();
        let stats: serde_json::Value =
            serde_json::from_str(&writer.finish().unwrap().stats).unwrap();
        assert_eq!(
            stats,
            serde_json::json!({
                "numRecords": 3,
                "minValues": {"n": -3, "s": "a", "d": "1970-01-01", "t": "1970-01-01T00:00:00.000Z"},
                "maxValues": {"n": 5, "s": "c", "d": "1970-01-03", "t": "1970-01-01T00:00:02.500Z"},
                "nullCount": {"n": 1, "s": 0, "d": 0, "t": 0, "e": 3},
            })
        );
    }

    #[test]
    fn times_that_readers_cannot_write_have_no_bounds() {
        let micros = [0, 1_793_534_400_000_000_000];
        let batch = RecordBatch::try_from_iter([
            ("d", Arc::new(Date32Array::from(vec![0, i32::MAX])) as _),
            (
                "t",
                Arc::new(TimestampMicrosecondArray::from(micros.to_vec()).with_timezone("UTC"))
                    as _,
            ),
        ])
        .unwrap();
        let mut writer = FileWriter::new(&batch.schema(), &WriteSettings::default()).unwrap();
        writer.write(&batch).unwrap();
        let stats: serde_json::Value =
            serde_json::from_str(&writer.finish().unwrap().stats).unwrap();
        assert_eq!(
            stats,
            serde_json::json!({
                "numRecords": 2, "minValues": {}, "maxValues": {}, "nullCount": {"d": 0, "t": 0},
            })
        );
    }

    #[test]
    fn the_bound_of_a_long_text_is_still_a_bound() {
        let long = "z".repeat(500);
        let batch = RecordBatch::try_from_iter([(
            "s",
            Arc::new(StringArray::from(vec![long.as_str()])) as _,
        )])
        .unwrap();
        let mut writer = FileWriter::new(&batch.schema(), &WriteSettings::default()).unwrap();
        writer.write(&batch).unwrap();
        let stats: serde_json::Value =
            serde_json::from_str(&writer.finish().unwrap().stats).unwrap();
        let bound = |side: &str| stats[side]["s"].as_str().expect("a bound").to_owned();
        let (least, most) = (bound("minValues"), bound("maxValues"));
        assert!(least.as_str() <= long.as_str(), "{least}");
        assert!(most.as_str() >= long.as_str(), "{most}");
        assert!(least.len() < long.len() && most.len() < long.len());
    }
}
