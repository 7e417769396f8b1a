//! The columns of a row: what the engine fills and a store keeps, with their types. No word of SQL.
//!
//! A view whose entities are local to a partition has its features as readers see them, any other view what merges them with those of
//! other partitions. The engine fills each column from its [`Source`].

use std::sync::Arc;

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Field, Schema, SchemaRef, TimeUnit};

use super::super::view::{Aggregation, Feature, FeatureView, Ties, ValueType, Window};

/// The column that says of a session without an id that it is part of another now.
pub(super) const MERGED: &str = "_merged";

/// One column of a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Its name.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
    /// What stands in it.
    pub source: Source,
}

/// What stands in a stored column. Numbers are indexes of features; times in arrays are microseconds UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An entity column, by its place in the entity.
    Key(usize),
    /// The start of a session without an id, which is part of the key.
    Start,
    /// A feature as readers see it.
    Value(usize),
    /// Number of events that count for the feature.
    Count(usize),
    /// The exact sum, in units of the column.
    Total(usize),
    /// Number of values in the sum.
    Samples(usize),
    /// Time of the first or last value.
    TimeOf(usize),
    /// The sketch of a distinct count: the smallest hashes, as signed numbers of the same order.
    Hashes(usize),
    /// The values of a list.
    Values(usize),
    /// Their times.
    Times(usize),
    /// Their counts.
    Counts(usize),
    /// Newest events of a streak.
    StreakTimes(usize),
    /// Events of a streak that are older than those.
    StreakOlder(usize),
    /// Time of the newest of the older ones.
    StreakOlderNewest(usize),
    /// Time of the newest event that ends the streak.
    StreakUntil(usize),
    /// Times of all events in a `last` window.
    EventTimes,
    /// Whether the session has ended.
    IsFinal,
    /// Whether it ended because nothing came for longer than the gap; of partials only.
    TimedOut,
    /// Whether the session is another's part now, under another start: such a row only stands in the way of older ones.
    Merged,
    /// End of the window that the row shows.
    WindowEnd,
    /// Newest event used.
    EventTime,
    /// Offset of the newest message that the row reflects.
    Version,
    /// Kafka partition.
    Partition,
}

/// The columns of a row as the engine makes it and a store keeps it, in order. (A table has `updated_at` as well.)
pub fn stored(view: &FeatureView) -> Vec<Stored> {
    let mut columns = Vec::new();
    let mut add = |name: String, data_type, source| {
        columns.push(Stored {
            name,
            data_type,
            source,
        });
    };
    for (index, name) in view.entity.iter().enumerate() {
        add(name.clone(), DataType::Utf8, Source::Key(index));
    }
    if let Some(start) = view.start() {
        add(start.to_owned(), time(), Source::Start);
    }
    for (index, feature) in view.features.iter().enumerate() {
        if view.partition_local {
            if !feature.hidden {
                let data_type = of(feature.value_type);
                add(feature.name.clone(), data_type, Source::Value(index));
            }
            continue;
        }
        let name = || feature.name.clone();
        let with = |end: &str| format!("{}__{end}", feature.name);
        let last_window = matches!(view.window, Window::Last { .. });
        match &feature.aggregation {
            Aggregation::Count | Aggregation::Seen => {
                add(name(), DataType::Int64, Source::Count(index));
            }
            Aggregation::Sum { .. } | Aggregation::Avg { .. } => {
                add(name(), decimal(0), Source::Total(index));
                add(with("n"), DataType::Int64, Source::Samples(index));
            }
            Aggregation::Min(_) | Aggregation::Max(_) => {
                add(name(), of(feature.value_type), Source::Value(index));
            }
            Aggregation::First(_) | Aggregation::Last(_) => {
                add(name(), of(feature.value_type), Source::Value(index));
                add(with("t"), time(), Source::TimeOf(index));
            }
            Aggregation::LastN { .. } => {
                add(name(), texts(), Source::Values(index));
                add(with("t"), integers(), Source::Times(index));
            }
            Aggregation::DistinctCount { .. } => {
                add(name(), integers(), Source::Hashes(index));
            }
            Aggregation::TopK { ties, .. } => {
                add(name(), texts(), Source::Values(index));
                add(with("n"), integers(), Source::Counts(index));
                if *ties == Ties::Latest {
                    add(with("t"), integers(), Source::Times(index));
                }
            }
            Aggregation::Streak { .. } => {
                add(name(), integers(), Source::StreakTimes(index));
                add(with("older"), DataType::Int64, Source::StreakOlder(index));
                add(
                    with("older_newest"),
                    DataType::Int64,
                    Source::StreakOlderNewest(index),
                );
                add(with("since"), DataType::Int64, Source::StreakUntil(index));
            }
            Aggregation::Ratio(..)
            | Aggregation::Elapsed(..)
            | Aggregation::Case(_)
            | Aggregation::Coalesce(_) => {}
            Aggregation::Absence(_)
            | Aggregation::Run(_)
            | Aggregation::Appeared(_)
            | Aggregation::Detail(_) => unreachable!("{LOCAL_ONLY}"),
        }
        debug_assert!(!last_window || mergeable_in_last(feature));
    }
    if !view.partition_local && matches!(view.window, Window::Last { .. }) {
        add("_times".to_owned(), integers(), Source::EventTimes);
    }
    if view.is_session() {
        add("is_final".to_owned(), DataType::Boolean, Source::IsFinal);
        if !view.partition_local {
            add("_timed_out".to_owned(), DataType::Boolean, Source::TimedOut);
        }
    }
    if view.start().is_some() {
        add(MERGED.to_owned(), DataType::Boolean, Source::Merged);
    }
    if view.has_window_end() {
        add("window_end".to_owned(), time(), Source::WindowEnd);
    }
    add("event_time".to_owned(), time(), Source::EventTime);
    add("version".to_owned(), DataType::Int64, Source::Version);
    add("_partition".to_owned(), DataType::Int32, Source::Partition);
    columns
}

/// Why patterns have no partials.
pub(super) const LOCAL_ONLY: &str =
    "a view with a pattern is refused unless its entities are local to a partition";

/// Whether a feature of a `last` window can be merged from partials.
pub(in crate::features) fn mergeable_in_last(feature: &Feature) -> bool {
    matches!(
        feature.aggregation,
        Aggregation::Last(_) | Aggregation::LastN { .. }
    )
}

/// The columns as Arrow knows them.
pub fn schema(view: &FeatureView) -> SchemaRef {
    let fields = stored(view).into_iter().map(|column| {
        let nullable = !required(column.source);
        Field::new(column.name, column.data_type, nullable)
    });
    Arc::new(Schema::new(fields.collect::<Vec<Field>>()))
}

/// The type of a feature's values.
fn of(value: ValueType) -> DataType {
    match value {
        ValueType::BigInt => DataType::Int64,
        ValueType::Decimal { scale } => decimal(scale),
        ValueType::Double => DataType::Float64,
        ValueType::Text => DataType::Utf8,
        ValueType::Boolean => DataType::Boolean,
        ValueType::Timestamp => time(),
        ValueType::TextArray => texts(),
    }
}

/// Sums need more than 64 bits, so a decimal has all the digits that there are.
fn decimal(scale: u32) -> DataType {
    let scale = i8::try_from(scale).expect("a decimal has fewer than 39 digits");
    DataType::Decimal128(DECIMAL128_MAX_PRECISION, scale)
}

fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn integers() -> DataType {
    DataType::new_list(DataType::Int64, true)
}

fn texts() -> DataType {
    DataType::new_list(DataType::Utf8, true)
}

/// Whether a column has a value in every row.
pub(super) fn required(source: Source) -> bool {
    matches!(
        source,
        Source::Key(_)
            | Source::Start
            | Source::Merged
            | Source::IsFinal
            | Source::TimedOut
            | Source::WindowEnd
            | Source::EventTime
            | Source::Version
            | Source::Partition
    )
}
