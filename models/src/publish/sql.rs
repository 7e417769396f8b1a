//! The statements of a batch view in PostgreSQL.
//!
//! A row says since when it has its values: its `version` and `event_time` are those of the partition that brought them. Rows that a newer
//! partition repeats are not written again; that they still hold is said once, by the view's line in `online._published`, and
//! the SQL view puts the two together. A row that a newer partition lacks is marked `_gone` and keeps its time, so it runs out by the ttl:
//! readers do not see it any more, and the publication after that removes it, when a copy of the rows has heard of it.
//!
//! Identifiers come from checked files (`a-z`, `0-9`, `_`) and are quoted; values are always bound.

use super::view::{BatchView, sql_type};
use crate::features::online::{SCHEMA, short};
use crate::project::ColumnType;

/// What every view has beside its own columns: name, type and meaning.
pub const ALWAYS: [(&str, &str, &str); 3] = [
    (
        "event_time",
        "timestamptz",
        "end of the newest date that has the row",
    ),
    (
        "version",
        "bigint",
        "that date and, in ten digits, the table's version",
    ),
    (
        "updated_at",
        "timestamptz",
        "when a value of the row was last written",
    ),
];

/// What every batch view needs beside its table: which there are, what they were made from, what they hold. Each entry can be run again.
pub const SUPPORT: &[&str] = &[
    "CREATE SCHEMA IF NOT EXISTS online",
    "CREATE TABLE IF NOT EXISTS online._published (
       name text PRIMARY KEY, model text NOT NULL, relation text NOT NULL, columns text[] NOT NULL,
       created_at timestamptz NOT NULL DEFAULT now(),
       event_date date, table_version bigint, version bigint, event_time timestamptz, ttl interval, row_count bigint,
       published_at timestamptz)",
    "COMMENT ON TABLE online._published IS 'The views that `userflow-jobs publish` fills, and which partition each of them shows'",
];

/// Name of the view's table, without the schema.
pub fn relation(view: &BatchView) -> String {
    short(format!("{}_{}__batch", view.domain, view.name))
}

fn table(view: &BatchView) -> String {
    format!("{SCHEMA}.{}", quoted(&relation(view)))
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

/// Something said of each name, one after the other.
fn each<'n>(
    names: impl IntoIterator<Item = &'n str>,
    with: &str,
    say: impl Fn(&str) -> String,
) -> String {
    let said: Vec<String> = names.into_iter().map(|name| say(&quoted(name))).collect();
    said.join(with)
}

fn key(view: &BatchView) -> impl Iterator<Item = &str> {
    view.key.iter().map(|column| column.name.as_str())
}

fn features(view: &BatchView) -> impl Iterator<Item = &str> {
    view.features.iter().map(|column| column.name.as_str())
}

fn all(view: &BatchView) -> impl Iterator<Item = &str> {
    key(view).chain(features(view))
}

/// The columns of a table of the view's rows.
fn definitions(view: &BatchView) -> String {
    let keys = view.key.iter().map(|column| {
        // Keys are compared on every write: as bytes, whatever language the database was made for.
        let order = match column.data_type {
            ColumnType::String => " COLLATE \"C\"",
            _ => "",
        };
        let (name, kind) = (quoted(&column.name), sql_type(column.data_type));
        format!("{name} {kind}{order} NOT NULL")
    });
    let features = view.features.iter();
    let features =
        features.map(|column| format!("{} {}", quoted(&column.name), sql_type(column.data_type)));
    let all: Vec<String> = keys.chain(features).collect();
    all.join(", ")
}

/// The statements that make the table and the SQL view that readers see. The view has a line in `online._published` by then.
pub fn create(view: &BatchView) -> Vec<String> {
    let (table, name) = (table(view), &view.name);
    let text = |text: &str| text.replace('\'', "''");
    vec![
        format!(
            "CREATE TABLE {table} ({}, event_time timestamptz NOT NULL, version bigint NOT NULL, \
             updated_at timestamptz NOT NULL DEFAULT clock_timestamp(), \"_gone\" boolean NOT NULL DEFAULT false, PRIMARY KEY ({}))",
            definitions(view),
            each(key(view), ", ", str::to_owned)
        ),
        format!(
            "COMMENT ON TABLE {table} IS 'What `userflow-jobs publish {}` wrote; readers use the SQL view {SCHEMA}.{name}'",
            view.model
        ),
        format!(
            "CREATE VIEW {SCHEMA}.{} AS SELECT {}, \
             CASE WHEN r.\"_gone\" THEN r.event_time ELSE greatest(r.event_time, p.event_time) END AS event_time, \
             CASE WHEN r.\"_gone\" THEN r.version ELSE greatest(r.version, p.version) END AS version, r.updated_at \
             FROM {table} AS r JOIN {SCHEMA}._published AS p ON p.name = '{name}' WHERE NOT r.\"_gone\" OR r.event_time > p.event_time - p.ttl",
            quoted(name),
            each(all(view), ", ", |name| format!("r.{name}")),
        ),
        format!(
            "COMMENT ON VIEW {SCHEMA}.{} IS '{}'",
            quoted(name),
            text(&view.description)
        ),
    ]
}

/// The statements that remove a view with its rows.
pub fn drop(name: &str, relation: &str) -> [String; 2] {
    [
        format!("DROP VIEW IF EXISTS {SCHEMA}.{}", quoted(name)),
        format!("DROP TABLE IF EXISTS {SCHEMA}.{}", quoted(relation)),
    ]
}

/// The table of this session that takes the partition. A key without a value, or twice, is refused there.
pub fn stage(view: &BatchView) -> String {
    format!(
        "CREATE TEMPORARY TABLE staged ({}, PRIMARY KEY ({})) ON COMMIT DROP",
        definitions(view),
        each(key(view), ", ", str::to_owned)
    )
}

/// Takes rows as text, in the order of [`BatchView::columns`].
pub fn copy(view: &BatchView) -> String {
    format!(
        "COPY staged ({}) FROM STDIN",
        each(all(view), ", ", str::to_owned)
    )
}

/// Marks the rows that the partition lacks. They hold as long as the partition of before said: $1 is its time and $2 its version.
pub fn mark_gone(view: &BatchView) -> String {
    format!(
        "UPDATE {} AS r SET \"_gone\" = true, event_time = greatest(r.event_time, $1), version = greatest(r.version, $2), \
         updated_at = clock_timestamp() WHERE NOT r.\"_gone\" AND NOT EXISTS (SELECT FROM staged AS s WHERE {})",
        table(view),
        same_key(view)
    )
}

/// Writes the rows whose values differ, or that were gone: $1 is the partition's time and $2 its version.
pub fn change(view: &BatchView) -> String {
    let set = each(features(view), ", ", |name| format!("{name} = s.{name}"));
    let of = |row: &str| each(features(view), ", ", |name| format!("{row}.{name}"));
    format!(
        "UPDATE {} AS r SET {set}, event_time = $1, version = $2, updated_at = clock_timestamp(), \"_gone\" = false FROM staged AS s \
         WHERE {} AND (r.\"_gone\" OR ROW({}) IS DISTINCT FROM ROW({}))",
        table(view),
        same_key(view),
        of("r"),
        of("s")
    )
}

/// Writes the rows that are new: $1 is the partition's time and $2 its version.
pub fn add(view: &BatchView) -> String {
    let names = each(all(view), ", ", str::to_owned);
    format!(
        "INSERT INTO {table} ({names}, event_time, version) SELECT {}, $1, $2 FROM staged AS s \
         WHERE NOT EXISTS (SELECT FROM {table} AS r WHERE {})",
        each(all(view), ", ", |name| format!("s.{name}")),
        same_key(view),
        table = table(view),
    )
}

/// Every row with what a copy needs to know of it: whether it was written after version $1, and the milliseconds that it has left, of
/// $2 of a row that holds.
pub fn rows_since(view: &BatchView) -> String {
    format!(
        "SELECT {}, r.version > $1 AS changed, \
         CASE WHEN r.\"_gone\" THEN $2 - (extract(epoch FROM p.event_time - r.event_time) * 1000)::bigint ELSE $2 END AS left_ms \
         FROM {} AS r JOIN {SCHEMA}._published AS p ON p.name = '{}'",
        each(all(view), ", ", |name| format!("r.{name}")),
        table(view),
        view.name
    )
}

/// How many rows have run out when the partition of time $1 is published; $2 is the ttl in seconds.
pub fn run_out(view: &BatchView) -> String {
    format!("SELECT count(*) FROM {} WHERE {RUN_OUT}", table(view))
}

/// Removes them: $1 is the time of the partition with which they ran out.
pub fn expire(view: &BatchView) -> String {
    format!("DELETE FROM {} WHERE {RUN_OUT}", table(view))
}

const RUN_OUT: &str = "\"_gone\" AND event_time <= $1 - make_interval(secs => $2)";

fn same_key(view: &BatchView) -> String {
    each(key(view), " AND ", |name| format!("r.{name} = s.{name}"))
}
