//! The statements that make and remove what a view has in the store: its columns of the entity's table, and the SQL views over them.
//!
//! Not here: the merging SQL view (`merge`), how rows get in (`entity_table`).

use super::super::view::FeatureView;
use super::columns::{MERGED, Source, required, stored};
use super::merge::merged;
use super::names::{
    SCHEMA, UPDATED_AT, VERSION, column, is_shared, keys, own_column, partials, quoted, table,
};
use super::types::sql_type;

/// The statements that make the entity's table if it is not there, the view's columns of it, and the SQL views that readers see.
pub fn create(view: &FeatureView) -> Vec<String> {
    let mut statements = vec![entity_table(view), describe_table(view), add_columns(view)];
    statements.extend(create_views(view));
    statements
}

/// The table with the columns that all views of the entity share.
fn entity_table(view: &FeatureView) -> String {
    let stored = stored(view);
    let shared = stored
        .iter()
        .filter(|column| is_shared(view, column.source));
    let columns: Vec<String> = (shared.clone())
        .map(|column| {
            // Keys are compared on every write: as bytes, whatever language the database was made for.
            let order = match column.source {
                Source::Key(_) => " COLLATE \"C\"",
                _ => "",
            };
            let (name, sql_type) = (quoted(&column.name), sql_type(column));
            format!("{name} {sql_type}{order} NOT NULL")
        })
        .collect();
    let key: Vec<String> = shared.map(|column| quoted(&column.name)).collect();
    // Half-empty pages leave room for new versions of a row beside the old one, so that the index need not change (HOT).
    format!(
        "CREATE TABLE IF NOT EXISTS {} ({}, PRIMARY KEY ({})) WITH (fillfactor = 50)",
        table(view),
        columns.join(", "),
        key.join(", ")
    )
}

fn describe_table(view: &FeatureView) -> String {
    let per = match view.partition_local {
        true => "",
        false => " and Kafka partition",
    };
    format!(
        "COMMENT ON TABLE {} IS 'What the feature views of ({}) have of each entity{per}; readers use the SQL views of their names'",
        table(view),
        view.key().join(", ")
    )
}

/// Every column may be null: a row that one view has, another need not have.
fn add_columns(view: &FeatureView) -> String {
    let stored = stored(view);
    let own = (stored.iter())
        .filter(|stored| !is_shared(view, stored.source))
        .map(|stored| (column(view, stored), sql_type(stored)))
        .chain([(own_column(&view.name, UPDATED_AT), "timestamptz")]);
    let add: Vec<String> = own
        .map(|(name, sql_type)| format!("ADD COLUMN {} {sql_type}", quoted(&name)))
        .collect();
    format!("ALTER TABLE {} {}", table(view), add.join(", "))
}

/// The statements that make the SQL views of a view: what readers see and, where it merges partials, the partials under names that a
/// person can read.
pub fn create_views(view: &FeatureView) -> Vec<String> {
    let text = view.description.replace('\'', "''");
    let comment = format!("COMMENT ON VIEW {SCHEMA}.{} IS '{text}'", view.name);
    match view.partition_local {
        true => vec![rows(view, &view.name), comment],
        false => vec![rows(view, &partials(&view.name)), merged(view), comment],
    }
}

/// A SQL view of the rows that a view has in the table, with its columns under their own names.
fn rows(view: &FeatureView, name: &str) -> String {
    let stored = stored(view);
    let columns: Vec<String> = (stored.iter())
        .filter(|stored| stored.source != Source::Merged)
        .map(|stored| (column(view, stored), stored.name.as_str()))
        .chain([(own_column(&view.name, UPDATED_AT), UPDATED_AT)])
        .map(|(column, name)| format!("{} AS {}", quoted(&column), quoted(name)))
        .collect();
    format!(
        "CREATE OR REPLACE VIEW {SCHEMA}.{name} AS SELECT {} FROM {} WHERE {} IS NOT NULL{}",
        columns.join(", "),
        table(view),
        quoted(&own_column(&view.name, VERSION)),
        match view.start() {
            // Sessions that became part of others.
            Some(_) => format!(" AND NOT {}", quoted(&own_column(&view.name, MERGED))),
            None => String::new(),
        }
    )
}

/// The statement that removes the columns that a view had in a table, of which `columns` are the names as readers know them.
pub fn drop_columns<'c>(
    table: &str,
    view_name: &str,
    columns: impl Iterator<Item = &'c str>,
) -> String {
    let drop: Vec<String> = columns
        .chain([UPDATED_AT])
        .map(|name| {
            format!(
                "DROP COLUMN IF EXISTS {}",
                quoted(&own_column(view_name, name))
            )
        })
        .collect();
    format!("ALTER TABLE IF EXISTS {table} {}", drop.join(", "))
}

/// The statement that copies the rows of a view from a table of its own, as releases up to 0.1 made it, into the entity's table.
pub fn take_over(view: &FeatureView, from: &str) -> String {
    let stored = stored(view);
    let columns: Vec<(String, &str)> = (stored.iter())
        .map(|stored| (column(view, stored), stored.name.as_str()))
        .chain([(own_column(&view.name, UPDATED_AT), UPDATED_AT)])
        .collect();
    let list = |names: Vec<String>| names.join(", ");
    let own = (stored.iter())
        .filter(|stored| !is_shared(view, stored.source))
        .map(|stored| column(view, stored))
        .chain([own_column(&view.name, UPDATED_AT)]);
    let set = own.map(|name| format!("{0} = excluded.{0}", quoted(&name)));
    let key = match view.partition_local {
        true => keys(view),
        false => format!("{}, \"_partition\"", keys(view)),
    };
    format!(
        "INSERT INTO {} ({}) SELECT {} FROM {from} ON CONFLICT ({key}) DO UPDATE SET {}",
        table(view),
        list(columns.iter().map(|(column, _)| quoted(column)).collect()),
        list(columns.iter().map(|(_, name)| quoted(name)).collect()),
        list(set.collect()),
    )
}

/// Whether a column of a table may not be null: of the entity's.
pub(super) fn not_null(view: &FeatureView, source: Source) -> bool {
    is_shared(view, source) && required(source)
}
