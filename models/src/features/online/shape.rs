//! What the tables of the online store look like, compared with what they should: a column dropped, retyped or added by hand, a key that is
//! gone.
//!
//! The question is [`SHAPE`]; whoever has a connection asks it. Not here: a view whose meaning changed (its fingerprint tells).

use super::super::view::FeatureView;
use super::columns::stored;
use super::names::{SCHEMA, UPDATED_AT, column, is_shared, own_column, partials, relation, table};
use super::tables::not_null;
use super::types::catalogue_type;

/// Asks for every column of every table and view of the schema: relation, column, type, whether it must not be null, whether it has a
/// default, and its place in the primary key.
pub const SHAPE: &str =
    "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull,
         a.atthasdef OR a.attidentity <> '', array_position(i.indkey::int2[], a.attnum)
       FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = 'online'
         JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         LEFT JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisprimary
       WHERE c.relkind IN ('r', 'p', 'v') ORDER BY c.relname, a.attnum";

/// A column that is there: a row of [`SHAPE`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    relation: String,
    column: String,
    column_type: String,
    not_null: bool,
    has_default: bool,
    key: Option<i32>,
}

impl From<(String, String, String, bool, bool, Option<i32>)> for Found {
    fn from(row: (String, String, String, bool, bool, Option<i32>)) -> Self {
        let (relation, column, column_type, not_null, has_default, key) = row;
        Self {
            relation,
            column,
            column_type,
            not_null,
            has_default,
            key,
        }
    }
}

/// Says how the table of a view's entity differs from what was made, as far as the view is concerned.
pub fn differences(view: &FeatureView, found: &[Found]) -> Vec<String> {
    let name = relation(view);
    let there: Vec<&Found> = found.iter().filter(|c| c.relation == name).collect();
    if there.is_empty() {
        return vec![format!("{} is not there", table(view))];
    }
    let mut said = Vec::new();
    let stored = stored(view);
    let ours: Vec<(String, &str, bool)> = (stored.iter())
        .map(|stored| {
            let required = not_null(view, stored.source);
            (column(view, stored), catalogue_type(stored), required)
        })
        .chain([(
            own_column(&view.name, UPDATED_AT),
            "timestamp with time zone",
            false,
        )])
        .collect();
    for (name, column_type, required) in &ours {
        match there.iter().find(|column| column.column == *name) {
            None => said.push(format!("column {name} ({column_type}) is missing")),
            Some(column) if column.column_type != *column_type => said.push(format!(
                "column {name} is {}, not {column_type}",
                column.column_type
            )),
            Some(column) if column.not_null && !required => {
                said.push(format!(
                    "column {name} must not be null, but values may be missing"
                ));
            }
            Some(column) if *required && !column.not_null => {
                said.push(format!("column {name} may be null, but must not"));
            }
            Some(_) => {}
        }
    }
    for column in &there {
        let known = ours.iter().any(|(name, ..)| *name == column.column);
        if !known && column.not_null && !column.has_default {
            said.push(format!(
                "column {} is not one of ours, and nobody fills it: it must not be null and has no default",
                column.column
            ));
        }
    }
    let mut key: Vec<&Found> = (there.iter().copied())
        .filter(|c| c.key.is_some())
        .collect();
    key.sort_by_key(|column| column.key);
    let key: Vec<&str> = key.iter().map(|column| column.column.as_str()).collect();
    let wanted: Vec<&str> = (stored.iter())
        .filter(|column| is_shared(view, column.source))
        .map(|column| column.name.as_str())
        .collect();
    if key.is_empty() {
        said.push(format!(
            "the primary key ({}) is missing",
            wanted.join(", ")
        ));
    } else if key != wanted {
        let (key, wanted) = (key.join(", "), wanted.join(", "));
        said.push(format!("the primary key is ({key}), not ({wanted})"));
    }
    said
}

/// Whether a relation has a column.
pub fn has(found: &[Found], relation: &str, column: &str) -> bool {
    (found.iter()).any(|there| there.relation == relation && there.column == column)
}

/// The key of a table; empty when it is not there.
pub fn key_of<'f>(relation: &str, found: &'f [Found]) -> Vec<&'f str> {
    let mut key: Vec<&Found> = (found.iter())
        .filter(|column| column.relation == relation && column.key.is_some())
        .collect();
    key.sort_by_key(|column| column.key);
    key.iter().map(|column| column.column.as_str()).collect()
}

/// The columns that a view has in the table of its entity: left by one of its name that is not registered.
pub fn left_columns<'f>(view: &FeatureView, found: &'f [Found]) -> Vec<&'f str> {
    let relation = relation(view);
    let stored = stored(view);
    let own: Vec<String> = (stored.iter())
        .filter(|stored| !is_shared(view, stored.source))
        .map(|stored| column(view, stored))
        .collect();
    (found.iter())
        .filter(|column| column.relation == relation && own.contains(&column.column))
        .map(|column| column.column.as_str())
        .collect()
}

/// What the SQL views of a view lack; they hold no rows and can be made again.
pub fn view_differs(view: &FeatureView, found: &[Found]) -> Option<String> {
    let seen = (view.key().into_iter())
        .chain((view.features.iter().filter(|f| !f.hidden)).map(|f| f.name.as_str()))
        .chain(["event_time", "version", UPDATED_AT]);
    let differs = lacks(&view.name, seen, found);
    if view.partition_local {
        return differs;
    }
    let stored = stored(view);
    let partial = stored.iter().map(|column| column.name.as_str());
    differs.or_else(|| lacks(&partials(&view.name), partial.chain([UPDATED_AT]), found))
}

fn lacks<'n>(name: &str, wanted: impl Iterator<Item = &'n str>, found: &[Found]) -> Option<String> {
    let there: Vec<&str> = (found.iter())
        .filter(|column| column.relation == name)
        .map(|column| column.column.as_str())
        .collect();
    if there.is_empty() {
        return Some(format!("the SQL view {SCHEMA}.{name} is not there"));
    }
    let missing: Vec<&str> = wanted.filter(|name| !there.contains(name)).collect();
    (!missing.is_empty())
        .then(|| format!("the SQL view {SCHEMA}.{name} has no {}", missing.join(", ")))
}

/// What a person reads about a table that was changed by hand.
pub fn changed_by_hand(view: &FeatureView, differences: &[String]) -> String {
    let name = &view.name;
    format!(
        "the online table of {name}, {}, is not as `userflow-jobs init` made it: {}. Change it back, or run \
         `userflow-jobs init --recreate {name}`, which drops the online rows of that view; the sessionizer fills it again",
        table(view),
        differences.join("; ")
    )
}

/// What the store's own tables lack since an older release.
pub fn support_differs(found: &[Found]) -> Option<String> {
    let missing = [
        ("_store", "id"),
        ("_owners", "kept"),
        ("_views", "created_at"),
        ("_views", "relation"),
    ]
    .into_iter()
    .find(|(relation, column)| !has(found, relation, column));
    missing.map(|(relation, column)| {
        format!(
            "the online store is of an older release: {SCHEMA}.{relation} has no column {column}"
        )
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::domain::Domain;
    use crate::features::parse;

    const TEXT: &str = "feature_view: webtoon_test\ndescription: A test\nentity: [user_id, webtoon_id]\nwindow: lifetime\nfeatures:\n  n: {count: {}}\n";

    fn made() -> (FeatureView, Vec<Found>) {
        let models = Path::new(env!("CARGO_MANIFEST_DIR"));
        let contract = Domain::load(models, "webtoon")
            .expect("the domain")
            .contract;
        let view = parse(TEXT, &contract).expect("a view");
        let column = |name: &str, column_type: &str, not_null, key| Found {
            relation: "webtoon_user_id__webtoon_id__rows".to_owned(),
            column: name.to_owned(),
            column_type: column_type.to_owned(),
            not_null,
            has_default: false,
            key,
        };
        let found = vec![
            column("user_id", "text", true, Some(0)),
            column("webtoon_id", "text", true, Some(1)),
            column("_partition", "integer", true, Some(2)),
            column("webtoon_test.n", "bigint", false, None),
            column(
                "webtoon_test.event_time",
                "timestamp with time zone",
                false,
                None,
            ),
            column("webtoon_test.version", "bigint", false, None),
            column(
                "webtoon_test.updated_at",
                "timestamp with time zone",
                false,
                None,
            ),
        ];
        (view, found)
    }

    #[test]
    fn each_change_by_hand_is_said() {
        let (view, found) = made();
        assert_eq!(differences(&view, &found), Vec::<String>::new());
        let after = |change: &dyn Fn(&mut Vec<Found>)| {
            let mut changed = found.clone();
            change(&mut changed);
            differences(&view, &changed).join("; ")
        };
        assert_eq!(
            after(&|f| drop(f.remove(3))),
            "column webtoon_test.n (bigint) is missing"
        );
        assert_eq!(
            after(&|f| f[3].column_type = "integer".to_owned()),
            "column webtoon_test.n is integer, not bigint"
        );
        assert_eq!(
            after(&|f| f[3].not_null = true),
            "column webtoon_test.n must not be null, but values may be missing"
        );
        assert_eq!(
            after(&|f| f[2].not_null = false),
            "column _partition may be null, but must not"
        );
        let extra = |not_null, has_default| Found {
            column: "mine".to_owned(),
            not_null,
            has_default,
            ..found[3].clone()
        };
        assert_eq!(after(&|f| f.push(extra(false, false))), "");
        assert_eq!(after(&|f| f.push(extra(true, true))), "");
        assert!(
            after(&|f| f.push(extra(true, false))).starts_with("column mine is not one of ours")
        );
        assert_eq!(
            after(&|f| f.iter_mut().for_each(|column| column.key = None)),
            "the primary key (user_id, webtoon_id, _partition) is missing"
        );
        assert_eq!(
            after(&|f| f[2].key = None),
            "the primary key is (user_id, webtoon_id), not (user_id, webtoon_id, _partition)"
        );
        assert_eq!(
            after(&|f| f.clear()),
            "online.webtoon_user_id__webtoon_id__rows is not there"
        );
    }

    #[test]
    fn what_only_shows_rows_is_told_apart_from_what_has_them() {
        let (view, mut found) = made();
        let missing = view_differs(&view, &found).expect("no view");
        assert_eq!(missing, "the SQL view online.webtoon_test is not there");
        let mut add = |relation: &str, names: &[&str]| {
            for name in names {
                let column = Found {
                    relation: relation.to_owned(),
                    column: (*name).to_owned(),
                    key: None,
                    ..found[0].clone()
                };
                found.push(column);
            }
            view_differs(&view, &found)
        };
        let seen = ["user_id", "webtoon_id", "n", "event_time", "version"];
        assert_eq!(
            add("webtoon_test", &seen).expect("a column less"),
            "the SQL view online.webtoon_test has no updated_at"
        );
        assert_eq!(
            add("webtoon_test", &["updated_at"]).expect("no partials"),
            "the SQL view online.webtoon_test__partials is not there"
        );
        let partial = [&seen[..], &["_partition"]].concat();
        assert_eq!(
            add("webtoon_test__partials", &partial).expect("a column less"),
            "the SQL view online.webtoon_test__partials has no updated_at"
        );
        assert_eq!(add("webtoon_test__partials", &["updated_at"]), None);
        assert_eq!(
            key_of("webtoon_user_id__webtoon_id__rows", &found),
            ["user_id", "webtoon_id", "_partition"]
        );
        assert_eq!(left_columns(&view, &found).len(), 3);
    }
}
