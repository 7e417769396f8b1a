//! The statement that fills a view's table.

use super::super::view::FeatureView;
use super::columns::stored;
use super::names::{quoted, table};
use super::types::{bound, sql_type};

/// The upsert of a batch as one part of a `WITH`: parameters from `$first` on, one array per column of [`stored`]; rows are
/// written only where `condition` holds. A row gives way to one that is as new or newer.
pub fn upsert(view: &FeatureView, first: usize, condition: &str) -> String {
    let table = table(view);
    let columns = stored(view);
    let names: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
    let arrays: Vec<String> = (columns.iter().enumerate())
        .map(|(index, column)| format!("${}::{}[]", first + index, bound(column)))
        .collect();
    let values: Vec<String> = (columns.iter())
        .map(|column| {
            let (name, cast) = (quoted(&column.name), sql_type(column));
            match bound(column) == cast {
                true => format!("e.{name}"),
                false => format!("e.{name}::{cast}"),
            }
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
