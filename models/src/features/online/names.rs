//! Names in SQL: the schema, tables, columns, quoted identifiers.

use sha2::{Digest, Sha256};

use super::super::view::FeatureView;
use super::columns::{Source, Stored};

/// The schema of all views.
pub const SCHEMA: &str = "online";

/// The columns of a view that say when its part of a row was written, and whether it is there: without a version it is not.
pub const UPDATED_AT: &str = "updated_at";
pub(super) const VERSION: &str = "version";

/// Most bytes of a name in PostgreSQL, which cuts a longer one off.
const LONGEST: usize = 63;

/// Name of the table that the sessionizer writes, without the schema: one for all views of an entity.
///
/// Two underscores, because no column of a contract and no feature has them.
pub fn relation(view: &FeatureView) -> String {
    let rows = if view.partition_local {
        "local"
    } else {
        "rows"
    };
    short(format!("{}_{}__{rows}", view.domain, view.key().join("__")))
}

/// Name of that table.
pub fn table(view: &FeatureView) -> String {
    format!("{SCHEMA}.{}", relation(view))
}

/// Name of the SQL view that shows the partials of a view's entities, without the schema.
pub fn partials(view_name: &str) -> String {
    format!("{view_name}__partials")
}

/// Name of a column in the table: one of the entity has its own, any other that of its view before it.
pub(super) fn column(view: &FeatureView, stored: &Stored) -> String {
    match is_shared(view, stored.source) {
        true => stored.name.clone(),
        false => own_column(&view.name, &stored.name),
    }
}

/// Name in the table of a column that is a view's own.
pub(super) fn own_column(view_name: &str, column: &str) -> String {
    short(format!("{view_name}.{column}"))
}

/// Whether all views of the table share a column: the entity's, and the partition where it is part of the key.
pub(super) fn is_shared(view: &FeatureView, source: Source) -> bool {
    match source {
        Source::Key(_) | Source::Start => true,
        Source::Partition => !view.partition_local,
        _ => false,
    }
}

/// A name that PostgreSQL keeps whole. Of one that is too long the end is a hash, so that two do not become one.
pub(crate) fn short(name: String) -> String {
    if name.len() <= LONGEST {
        return name;
    }
    let hash = Sha256::digest(name.as_bytes());
    let digits: String = hash.iter().take(4).map(|b| format!("{b:02x}")).collect();
    let kept = name.floor_char_boundary(LONGEST - 1 - digits.len());
    format!("{}_{digits}", &name[..kept])
}

/// An identifier in quotes.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

/// The columns that name a row, separated by commas.
pub(super) fn keys(view: &FeatureView) -> String {
    let keys: Vec<String> = view.key().into_iter().map(quoted).collect();
    keys.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_by_us_and_stay_different() {
        let name = |end: &str| own_column(&"v".repeat(50), &format!("{}{end}", "f".repeat(20)));
        let (one, other) = (name("a"), name("b"));
        assert_eq!((one.len(), other.len()), (LONGEST, LONGEST));
        assert_ne!(one, other);
        assert_eq!(own_column("v", "f"), "v.f");
        let fits = own_column(&"v".repeat(40), &"f".repeat(22));
        assert_eq!(fits, format!("{}.{}", "v".repeat(40), "f".repeat(22)));
    }
}
