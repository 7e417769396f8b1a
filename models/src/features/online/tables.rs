//! The statements that make and remove the table of a view and the SQL view over it.

use std::fmt::Write;

use super::super::view::FeatureView;
use super::columns::{Source, required, stored};
use super::merge::merged;
use super::names::{SCHEMA, keys, quoted, table};
use super::types::sql_type;

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
        let _ = write!(sql, "{name} {}{order}{required}, ", sql_type(column));
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
    vec![sql, merged(view), comment("VIEW", &name)]
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
