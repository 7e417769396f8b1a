//! The online store's side of a view: its table, the upsert that fills it, and the SQL view that merges partials.
//!
//! A view whose entities are local to a partition has a table of its own name with the features as readers see them. Any other
//! view has a table `<name>__partials` with one row per entity and Kafka partition, and a SQL view `<name>` that merges the
//! partials of an entity when it is read. Which columns those are is decided here and nowhere else; the sessionizer fills
//! each column from its [`Source`].
//!
//! Identifiers come from checked view files (`a-z`, `0-9`, `_`) and are quoted, because a contract may call a column `user` or
//! `order`; values are always bound.

mod merge;
mod refusal;
mod shape;

pub use refusal::{REASONS, Refusal, reason, refusal};
pub use shape::{
    Found, SHAPE, changed_by_hand, differences, key_of, support_differs, view_differs,
};

use std::fmt::Write;

use super::view::{Aggregation, Feature, FeatureView, ValueType, Window};

/// The schema of all views.
pub const SCHEMA: &str = "online";

/// What every view needs beside its table: who owns which Kafka partition, which definition a table was made from, and the
/// functions that merge sketches and lists. Each entry can be run again.
pub const SUPPORT: &[&str] = &[
    "CREATE SCHEMA IF NOT EXISTS online",
    "CREATE TABLE IF NOT EXISTS online._owners (
       topic text NOT NULL, partition int NOT NULL, epoch bigint NOT NULL, topic_id text NOT NULL,
       owner text NOT NULL, claimed_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (topic, partition))",
    // The next offset of the newest checkpoint whose rows are all here: smaller than the checkpoint's in a store that was restored.
    "ALTER TABLE online._owners ADD COLUMN IF NOT EXISTS kept bigint",
    // One row: which store this is. A dump keeps it, a new store has another.
    "CREATE TABLE IF NOT EXISTS online._store (
       id uuid NOT NULL, created_at timestamptz NOT NULL DEFAULT now(), one boolean PRIMARY KEY DEFAULT true CHECK (one))",
    "INSERT INTO online._store (id) VALUES (gen_random_uuid()) ON CONFLICT DO NOTHING",
    "CREATE TABLE IF NOT EXISTS online._views (
       name text PRIMARY KEY, fingerprint text NOT NULL, columns text[] NOT NULL, created_at timestamptz NOT NULL DEFAULT now())",
    "CREATE OR REPLACE AGGREGATE online._concat(bigint[]) (SFUNC = array_cat, STYPE = bigint[], INITCOND = '{}')",
    "CREATE OR REPLACE AGGREGATE online._concat(text[]) (SFUNC = array_cat, STYPE = text[], INITCOND = '{}')",
    // The k-minimum-values estimate (Bar-Yossef et al. 2002): below `size` different hashes they are all there.
    "CREATE OR REPLACE FUNCTION online._distinct_count(hashes bigint[], size int) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
       SELECT CASE WHEN count(*) < size THEN count(*)
         ELSE round((size - 1) / ((max(h)::numeric + 9223372036854775809) / 18446744073709551616))::bigint END
       FROM (SELECT DISTINCT unnest(hashes) AS h ORDER BY h LIMIT size) AS smallest $$",
    "CREATE OR REPLACE FUNCTION online._newest(vals text[], times bigint[], n int, since bigint) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
       SELECT coalesce(array_agg(v ORDER BY t, v COLLATE \"C\"), '{}') FROM (
         SELECT v, max(t) AS t FROM unnest(vals, times) AS u(v, t) WHERE t >= since
         GROUP BY v ORDER BY max(t) DESC, v COLLATE \"C\" DESC LIMIT n) AS newest $$",
    "CREATE OR REPLACE FUNCTION online._since(times bigint[], n int) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
       SELECT coalesce(min(t), 0) FROM (SELECT unnest(times) AS t ORDER BY 1 DESC LIMIT n) AS newest $$",
    "CREATE OR REPLACE FUNCTION online._top_k(vals text[], counts bigint[], k int) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
       SELECT coalesce(array_agg(v ORDER BY n DESC, v COLLATE \"C\"), '{}') FROM (
         SELECT v, sum(n) AS n FROM unnest(vals, counts) AS u(v, n) GROUP BY v ORDER BY sum(n) DESC, v COLLATE \"C\" LIMIT k) AS top $$",
    // Older events are only counted: those of a partition are in the streak or not, all of them.
    "CREATE OR REPLACE FUNCTION online._streak(times bigint[], since bigint, older bigint[], older_newest bigint[]) RETURNS bigint
       LANGUAGE sql IMMUTABLE AS $$
       SELECT (SELECT count(*) FROM unnest(times) AS t WHERE since IS NULL OR t > since)
         + (SELECT coalesce(sum(n), 0) FROM unnest(older, older_newest) AS u(n, t) WHERE since IS NULL OR t > since)::bigint $$",
];

/// A column as the sessionizer fills it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Name of the column.
    pub name: String,
    /// How values travel to PostgreSQL.
    pub wire: Wire,
    /// What stands in it.
    pub source: Source,
}

/// How a column's values are bound: one array per column of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// `bigint[]`.
    BigInt,
    /// `double precision[]`.
    Double,
    /// `text[]`.
    Text,
    /// `boolean[]`.
    Boolean,
    /// `timestamptz[]`.
    Time,
    /// `int[]`.
    Int,
    /// `text[]` of decimal numbers: sums need more than 64 bits.
    Numeric,
    /// `text[]` of array literals, because `unnest` takes arrays of arrays apart.
    BigIntArray,
    /// The same for texts.
    TextArray,
}

impl Wire {
    /// The column's type in PostgreSQL.
    pub fn sql(self) -> &'static str {
        match self {
            Self::BigInt => "bigint",
            Self::Double => "double precision",
            Self::Text => "text",
            Self::Boolean => "boolean",
            Self::Time => "timestamptz",
            Self::Int => "int",
            Self::Numeric => "numeric",
            Self::BigIntArray => "bigint[]",
            Self::TextArray => "text[]",
        }
    }

    /// The element type of the array that is bound.
    fn bound(self) -> &'static str {
        match self {
            Self::Numeric | Self::BigIntArray | Self::TextArray => "text",
            other => other.sql(),
        }
    }

    fn of(value: ValueType) -> Self {
        match value {
            ValueType::BigInt => Self::BigInt,
            ValueType::Decimal { .. } | ValueType::Double => Self::Double,
            ValueType::Text => Self::Text,
            ValueType::Boolean => Self::Boolean,
            ValueType::Timestamp => Self::Time,
            ValueType::TextArray => Self::TextArray,
        }
    }
}

/// What stands in a stored column. Numbers are indexes of features; times in arrays are microseconds UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An entity column, by its place in the entity.
    Key(usize),
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
    /// End of the window that the row shows.
    WindowEnd,
    /// Newest event used.
    EventTime,
    /// Offset of the newest message that the row reflects.
    Version,
    /// Kafka partition.
    Partition,
}

/// Name of the table that the sessionizer writes.
pub fn table(view: &FeatureView) -> String {
    if view.partition_local {
        format!("{SCHEMA}.{}", view.name)
    } else {
        format!("{SCHEMA}.{}__partials", view.name)
    }
}

/// The columns of that table but `updated_at`, in order.
pub fn stored(view: &FeatureView) -> Vec<Stored> {
    let mut columns = Vec::new();
    let mut add = |name: String, wire, source| columns.push(Stored { name, wire, source });
    for (index, name) in view.entity.iter().enumerate() {
        add(name.clone(), Wire::Text, Source::Key(index));
    }
    for (index, feature) in view.features.iter().enumerate() {
        if view.partition_local {
            if !feature.hidden {
                let wire = Wire::of(feature.value_type);
                add(feature.name.clone(), wire, Source::Value(index));
            }
            continue;
        }
        let name = || feature.name.clone();
        let with = |end: &str| format!("{}__{end}", feature.name);
        let last_window = matches!(view.window, Window::Last { .. });
        match &feature.aggregation {
            Aggregation::Count | Aggregation::Seen => {
                add(name(), Wire::BigInt, Source::Count(index));
            }
            Aggregation::Sum { .. } | Aggregation::Avg { .. } => {
                add(name(), Wire::Numeric, Source::Total(index));
                add(with("n"), Wire::BigInt, Source::Samples(index));
            }
            Aggregation::Min(_) | Aggregation::Max(_) => {
                add(name(), Wire::of(feature.value_type), Source::Value(index));
            }
            Aggregation::First(_) | Aggregation::Last(_) => {
                add(name(), Wire::of(feature.value_type), Source::Value(index));
                add(with("t"), Wire::Time, Source::TimeOf(index));
            }
            Aggregation::LastN { .. } => {
                add(name(), Wire::TextArray, Source::Values(index));
                add(with("t"), Wire::BigIntArray, Source::Times(index));
            }
            Aggregation::DistinctCount { .. } => {
                add(name(), Wire::BigIntArray, Source::Hashes(index));
            }
            Aggregation::TopK { .. } => {
                add(name(), Wire::TextArray, Source::Values(index));
                add(with("n"), Wire::BigIntArray, Source::Counts(index));
            }
            Aggregation::Streak { .. } => {
                add(name(), Wire::BigIntArray, Source::StreakTimes(index));
                add(with("older"), Wire::BigInt, Source::StreakOlder(index));
                add(
                    with("older_newest"),
                    Wire::BigInt,
                    Source::StreakOlderNewest(index),
                );
                add(with("since"), Wire::BigInt, Source::StreakUntil(index));
            }
            Aggregation::Ratio(..) | Aggregation::Case(_) => {}
        }
        debug_assert!(!last_window || mergeable_in_last(feature));
    }
    if !view.partition_local && matches!(view.window, Window::Last { .. }) {
        add("_times".to_owned(), Wire::BigIntArray, Source::EventTimes);
    }
    if view.is_session() {
        add("is_final".to_owned(), Wire::Boolean, Source::IsFinal);
        if !view.partition_local {
            add("_timed_out".to_owned(), Wire::Boolean, Source::TimedOut);
        }
    }
    if view.has_window_end() {
        add("window_end".to_owned(), Wire::Time, Source::WindowEnd);
    }
    add("event_time".to_owned(), Wire::Time, Source::EventTime);
    add("version".to_owned(), Wire::BigInt, Source::Version);
    add("_partition".to_owned(), Wire::Int, Source::Partition);
    columns
}

/// Whether a feature of a `last` window can be merged from partials.
pub(super) fn mergeable_in_last(feature: &Feature) -> bool {
    matches!(
        feature.aggregation,
        Aggregation::Last(_) | Aggregation::LastN { .. }
    )
}

/// The statements that make the view's table and, if it is not local to a partition, the SQL view that merges.
pub fn create(view: &FeatureView) -> Vec<String> {
    let table = table(view);
    let columns = stored(view);
    let mut sql = format!("CREATE TABLE {table} (");
    for column in &columns {
        let required = if required(column.source) {
            " NOT NULL"
        } else {
            ""
        };
        let name = quoted(&column.name);
        // Keys are compared on every write: as bytes, whatever language the database was made for.
        let order = match column.source {
            Source::Key(_) => " COLLATE \"C\"",
            _ => "",
        };
        let _ = write!(sql, "{name} {}{order}{required}, ", column.wire.sql());
    }
    let mut key = keys(view);
    if !view.partition_local {
        key.push_str(", _partition");
    }
    // Half-empty pages leave room for new versions of a row beside the old one, so that the index need not change (HOT).
    let _ = write!(
        sql,
        "updated_at timestamptz NOT NULL, PRIMARY KEY ({key})) WITH (fillfactor = 50)"
    );
    let comment = |what: &str, name: &str| {
        let text = view.description.replace('\'', "''");
        format!("COMMENT ON {what} {name} IS '{text}'")
    };
    if view.partition_local {
        return vec![sql, comment("TABLE", &table)];
    }
    let name = format!("{SCHEMA}.{}", view.name);
    vec![sql, merge::merged(view), comment("VIEW", &name)]
}

/// Whether a column has a value in every row.
fn required(source: Source) -> bool {
    matches!(
        source,
        Source::Key(_)
            | Source::IsFinal
            | Source::TimedOut
            | Source::WindowEnd
            | Source::EventTime
            | Source::Version
            | Source::Partition
    )
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

/// The entity's columns, separated by commas.
fn keys(view: &FeatureView) -> String {
    let keys: Vec<String> = view.entity.iter().map(|name| quoted(name)).collect();
    keys.join(", ")
}

/// The statements that remove what [`create`] made of a view that was local to a partition, or was not.
///
/// PostgreSQL refuses `DROP TABLE` of a view and `DROP VIEW` of a table, even with `IF EXISTS`.
pub fn remove(view_name: &str, partition_local: bool) -> Vec<String> {
    if partition_local {
        vec![format!("DROP TABLE IF EXISTS {SCHEMA}.{view_name}")]
    } else {
        vec![
            format!("DROP VIEW IF EXISTS {SCHEMA}.{view_name}"),
            format!("DROP TABLE IF EXISTS {SCHEMA}.{view_name}__partials"),
        ]
    }
}

/// The upsert of a batch as one part of a `WITH`: parameters from `$first` on, one array per column of [`stored`]; rows are
/// written only where `condition` holds. A row gives way to one that is as new or newer.
pub fn upsert(view: &FeatureView, first: usize, condition: &str) -> String {
    let table = table(view);
    let columns = stored(view);
    let names: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
    let arrays: Vec<String> = (columns.iter().enumerate())
        .map(|(index, column)| format!("${}::{}[]", first + index, column.wire.bound()))
        .collect();
    let values: Vec<String> = (columns.iter())
        .map(|column| match column.wire {
            Wire::Numeric | Wire::BigIntArray | Wire::TextArray => {
                format!("e.{}::{}", quoted(&column.name), column.wire.sql())
            }
            _ => format!("e.{}", quoted(&column.name)),
        })
        .collect();
    let mut key: Vec<String> = view.entity.iter().map(|name| quoted(name)).collect();
    if !view.partition_local {
        key.push(quoted("_partition"));
    }
    let set: Vec<String> = (names.iter())
        .filter(|name| !key.contains(name))
        .map(|name| format!("{name} = excluded.{name}"))
        .collect();
    // A local entity that moved to another partition (the topic got more of them) has other offsets there.
    let newer = if view.partition_local {
        "(t._partition = excluded._partition AND t.version <= excluded.version) \
         OR (t._partition <> excluded._partition AND t.event_time <= excluded.event_time)"
    } else {
        "t.version <= excluded.version"
    };
    format!(
        "INSERT INTO {table} AS t ({names}, updated_at) SELECT {values}, clock_timestamp() FROM unnest({arrays}) AS e({names}) \
         WHERE {condition} ON CONFLICT ({key}) DO UPDATE SET {set}, updated_at = excluded.updated_at WHERE {newer}",
        names = names.join(", "),
        values = values.join(", "),
        arrays = arrays.join(", "),
        key = key.join(", "),
        set = set.join(", "),
    )
}
