//! What the tables of the online store look like, compared with what they should: a column dropped, retyped or added by hand, a key that is
//! gone.
//!
//! The question is [`SHAPE`]; whoever has a connection asks it. Not here: a view whose meaning changed (its fingerprint tells).

use super::super::view::FeatureView;
use super::columns::{Source, required, stored};
use super::names::{SCHEMA, table};
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

/// Says how a view's table, and the SQL view over it, differ from what was made.
pub fn differences(view: &FeatureView, found: &[Found]) -> Vec<String> {
    let name = table(view);
    let relation = name.trim_start_matches(SCHEMA).trim_start_matches('.');
    let there: Vec<&Found> = found.iter().filter(|c| c.relation == relation).collect();
    if there.is_empty() {
        return vec![format!("{name} is not there")];
    }
    let mut said = Vec::new();
    let stored = stored(view);
    let ours: Vec<(&str, &str, bool)> = stored
        .iter()
        .map(|column| {
            let required = required(column.source);
            (column.name.as_str(), catalogue_type(column), required)
        })
        .chain([("updated_at", "timestamp with time zone", true)])
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
        .filter(|column| {
            matches!(column.source, Source::Key(_))
                || (!view.partition_local && column.source == Source::Partition)
        })
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

/// The key of what stands under a view's name, whichever form it has; empty when there is none.
pub fn key_of<'f>(view: &FeatureView, found: &'f [Found]) -> Vec<&'f str> {
    let names = [view.name.clone(), format!("{}__partials", view.name)];
    let mut key: Vec<&Found> = (found.iter())
        .filter(|column| names.contains(&column.relation) && column.key.is_some())
        .collect();
    key.sort_by_key(|column| column.key);
    key.iter().map(|column| column.column.as_str()).collect()
}

/// What the SQL view that merges lacks; it holds no rows and can be made again.
pub fn view_differs(view: &FeatureView, found: &[Found]) -> Option<String> {
    if view.partition_local {
        return None;
    }
    let there: Vec<&str> = (found.iter())
        .filter(|column| column.relation == view.name)
        .map(|column| column.column.as_str())
        .collect();
    if there.is_empty() {
        return Some(format!("the SQL view {SCHEMA}.{} is not there", view.name));
    }
    let missing: Vec<&str> = (view.entity.iter().map(String::as_str))
        .chain(
            (view.features.iter())
                .filter(|f| !f.hidden)
                .map(|f| f.name.as_str()),
        )
        .chain(["event_time", "version", "updated_at"])
        .filter(|name| !there.contains(name))
        .collect();
    (!missing.is_empty()).then(|| {
        format!(
            "the SQL view {SCHEMA}.{} has no {}",
            view.name,
            missing.join(", ")
        )
    })
}

/// What a person reads about a table that was changed by hand.
pub fn changed_by_hand(view: &FeatureView, differences: &[String]) -> String {
    let name = &view.name;
    format!(
        "the online table of {name} is not as `userflow-jobs init` made it: {}. Change it back, or run `userflow-jobs init --recreate {name}`, \
         which drops the online rows of that view; the sessionizer fills it again",
        differences.join("; ")
    )
}

/// What the store's own tables lack since an older release.
pub fn support_differs(found: &[Found]) -> Option<String> {
    let has = |relation: &str, column: &str| {
        (found.iter()).any(|f| f.relation == relation && f.column == column)
    };
    let missing = [
        ("_store", "id"),
        ("_owners", "kept"),
        ("_views", "created_at"),
    ]
    .into_iter()
    .find(|(relation, column)| !has(relation, column));
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
            relation: "webtoon_test__partials".to_owned(),
            column: name.to_owned(),
            column_type: column_type.to_owned(),
            not_null,
            has_default: false,
            key,
        };
        let found = vec![
            column("user_id", "text", true, Some(0)),
            column("webtoon_id", "text", true, Some(1)),
            column("n", "bigint", false, None),
            column("event_time", "timestamp with time zone", true, None),
            column("version", "bigint", true, None),
            column("_partition", "integer", true, Some(2)),
            column("updated_at", "timestamp with time zone", true, None),
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
            after(&|f| drop(f.remove(2))),
            "column n (bigint) is missing"
        );
        assert_eq!(
            after(&|f| f[2].column_type = "integer".to_owned()),
            "column n is integer, not bigint"
        );
        assert_eq!(
            after(&|f| f[2].not_null = true),
            "column n must not be null, but values may be missing"
        );
        assert_eq!(
            after(&|f| f[4].not_null = false),
            "column version may be null, but must not"
        );
        let extra = |not_null, has_default| Found {
            column: "mine".to_owned(),
            not_null,
            has_default,
            ..found[2].clone()
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
            after(&|f| f[5].key = None),
            "the primary key is (user_id, webtoon_id), not (user_id, webtoon_id, _partition)"
        );
        assert_eq!(
            after(&|f| f.clear()),
            "online.webtoon_test__partials is not there"
        );
    }

    #[test]
    fn what_only_shows_rows_is_told_apart_from_what_has_them() {
        let (view, mut found) = made();
        let missing = view_differs(&view, &found).expect("no view");
        assert_eq!(missing, "the SQL view online.webtoon_test is not there");
        for name in ["user_id", "webtoon_id", "n", "event_time", "version"] {
            let column = Found {
                relation: "webtoon_test".to_owned(),
                column: name.to_owned(),
                key: None,
                ..found[0].clone()
            };
            found.push(column);
        }
        let missing = view_differs(&view, &found).expect("a column less");
        assert_eq!(
            missing,
            "the SQL view online.webtoon_test has no updated_at"
        );
        assert_eq!(
            key_of(&view, &found),
            ["user_id", "webtoon_id", "_partition"]
        );
    }
}
