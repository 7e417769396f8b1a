//! Names in SQL: the schema, the tables, quoted identifiers.

use super::super::view::FeatureView;

/// The schema of all views.
pub const SCHEMA: &str = "online";

/// Name of the table that the sessionizer writes.
pub fn table(view: &FeatureView) -> String {
    if view.partition_local {
        format!("{SCHEMA}.{}", view.name)
    } else {
        format!("{SCHEMA}.{}__partials", view.name)
    }
}

/// An identifier in quotes.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

/// The entity's columns, separated by commas.
pub(super) fn keys(view: &FeatureView) -> String {
    let keys: Vec<String> = view.entity.iter().map(|name| quoted(name)).collect();
    keys.join(", ")
}
