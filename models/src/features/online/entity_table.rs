//! The table that the views of an entity share: one row per entity, with the columns of every view side by side.
//!
//! An event of a user changes all views of users. In one row that is one version of a row, one entry of an index and one record of the
//! write-ahead log, and not one for each view. Each view keeps a version of its own in the row, so that views are written, expire and are
//! made again alone. A view without a version has no row.
//!
//! Not here: how the table is made (`tables`), what readers see of it (`tables`, `merge`).

use super::super::view::FeatureView;
use super::columns::{MERGED, Stored, stored};
use super::names::{self, UPDATED_AT, VERSION, is_shared, own_column, quoted, table};
use super::types::{bound, sql_type};

/// The table of some views of one entity.
#[derive(Clone, Debug)]
pub struct EntityTable {
    name: String,
    members: Vec<Member>,
    columns: Vec<Column>,
}

/// A view whose rows are in the table.
#[derive(Clone, Debug)]
struct Member {
    name: String,
    /// Its place among the views that the table was made from.
    view: usize,
    partition_local: bool,
    own: Vec<String>,
}

/// A column of the table, but for the times of writing.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name in the table.
    pub name: String,
    /// What is in it.
    pub stored: Stored,
    /// Where its values come from.
    pub origin: Origin,
}

/// Where the values of a column come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Every view has them, at the place of the same [`Source`](super::Source).
    Shared,
    /// One view has them.
    Own {
        /// Its place among the members of the table.
        member: usize,
        /// The place of the column in its rows.
        column: usize,
    },
}

impl EntityTable {
    /// The tables of some views, in the order in which they are first needed.
    pub fn of(views: &[FeatureView]) -> Vec<Self> {
        let mut tables: Vec<Self> = Vec::new();
        for (index, view) in views.iter().enumerate() {
            let name = table(view);
            let at = match tables.iter().position(|table| table.name == name) {
                Some(at) => at,
                None => {
                    tables.push(Self::empty(name, view));
                    tables.len() - 1
                }
            };
            tables[at].add(index, view);
        }
        tables
    }

    fn empty(name: String, view: &FeatureView) -> Self {
        let shared = stored(view)
            .into_iter()
            .filter(|column| is_shared(view, column.source));
        let columns = shared.map(|column| Column {
            name: column.name.clone(),
            stored: column,
            origin: Origin::Shared,
        });
        Self {
            name,
            members: Vec::new(),
            columns: columns.collect(),
        }
    }

    fn add(&mut self, index: usize, view: &FeatureView) {
        let member = self.members.len();
        let mut own = Vec::new();
        for (column, stored) in stored(view).into_iter().enumerate() {
            if is_shared(view, stored.source) {
                continue;
            }
            let name = names::column(view, &stored);
            own.push(name.clone());
            self.columns.push(Column {
                name,
                stored,
                origin: Origin::Own { member, column },
            });
        }
        self.members.push(Member {
            name: view.name.clone(),
            view: index,
            partition_local: view.partition_local,
            own,
        });
    }

    /// Its views, as their places among those that it was made from.
    pub fn views(&self) -> impl ExactSizeIterator<Item = usize> {
        self.members.iter().map(|member| member.view)
    }

    /// Its columns in the order in which [`Self::upsert`] takes them.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The upsert of a batch as one part of a `WITH`: parameters from `$first` on, one array per column of [`Self::columns`]; rows
    /// are written only where `condition` holds. A view that a row does not change has no version in it. A view's part gives way to one
    /// that is as new or newer.
    pub fn upsert(&self, first: usize, condition: &str) -> String {
        let list = |texts: Vec<String>| texts.join(", ");
        let columns = self.columns.iter();
        let names = list(columns.clone().map(|c| quoted(&c.name)).collect());
        let arrays = columns.clone().enumerate();
        let arrays = list(
            arrays
                .map(|(index, c)| format!("${}::{}[]", first + index, bound(&c.stored)))
                .collect(),
        );
        let mut values: Vec<String> = columns.clone().map(value).collect();
        let (mut times, mut set, mut newer) = (Vec::new(), Vec::new(), Vec::new());
        for member in &self.members {
            let time = quoted(&own_column(&member.name, UPDATED_AT));
            let version = quoted(&own_column(&member.name, VERSION));
            values.push(format!(
                "CASE WHEN e.{version} IS NOT NULL THEN clock_timestamp() END"
            ));
            let is_newer = member.newer();
            let one = |name: &str| match self.members.len() {
                // The condition of the whole row says the same.
                1 => format!("{name} = excluded.{name}"),
                _ => {
                    format!("{name} = CASE WHEN {is_newer} THEN excluded.{name} ELSE t.{name} END")
                }
            };
            set.extend(member.own.iter().map(|name| one(&quoted(name))));
            set.push(one(&time));
            times.push(time);
            newer.push(format!("({is_newer})"));
        }
        let shared = (self.columns.iter()).filter(|column| column.origin == Origin::Shared);
        format!(
            "INSERT INTO {table} AS t ({names}, {times}) SELECT {values} FROM unnest({arrays}) AS e({names}) \
             WHERE {condition} ON CONFLICT ({key}) DO UPDATE SET {set} WHERE {newer}",
            table = self.name,
            times = list(times),
            values = list(values),
            key = list(shared.map(|column| quoted(&column.name)).collect()),
            set = list(set),
            newer = newer.join(" OR "),
        )
    }

    /// The rest of a statement after `WITH`, that removes the part of a view from the rows where `condition` holds, and says how many it
    /// removed. Rows that have nothing else go.
    pub fn remove(&self, view: usize, condition: &dyn Fn(Columns<'_>) -> String) -> String {
        let member = (self.members.iter().find(|member| member.view == view))
            .expect("the view's rows are in this table");
        let condition = condition(Columns(member));
        let version = quoted(&own_column(&member.name, VERSION));
        let others: Vec<String> = (self.members.iter())
            .filter(|other| other.view != view)
            .map(|other| format!("{} IS NULL", quoted(&own_column(&other.name, VERSION))))
            .collect();
        let table = &self.name;
        if others.is_empty() {
            return format!(
                "gone AS (DELETE FROM {table} WHERE {version} IS NOT NULL AND {condition} RETURNING 1) SELECT count(*) FROM gone"
            );
        }
        let others = others.join(" AND ");
        let time = own_column(&member.name, UPDATED_AT);
        let set: Vec<String> = (member.own.iter().chain([&time]))
            .map(|name| format!("{} = NULL", quoted(name)))
            .collect();
        format!(
            "gone AS (DELETE FROM {table} WHERE {version} IS NOT NULL AND {condition} AND {others} RETURNING 1), \
             emptied AS (UPDATE {table} SET {} WHERE {version} IS NOT NULL AND {condition} AND NOT ({others}) RETURNING 1) \
             SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM emptied)",
            set.join(", ")
        )
    }
}

/// The columns that a condition on a view's rows is about.
#[derive(Clone, Copy)]
pub struct Columns<'m>(&'m Member);

impl Columns<'_> {
    /// The time of the newest event.
    pub fn event_time(self) -> String {
        quoted(&own_column(&self.0.name, "event_time"))
    }

    /// Whether the session is part of another now, of sessions without an id.
    pub fn merged(self) -> String {
        quoted(&own_column(&self.0.name, MERGED))
    }

    /// The Kafka partition.
    pub fn partition(self) -> String {
        self.0.partition()
    }
}

impl Member {
    fn partition(&self) -> String {
        match self.partition_local {
            true => quoted(&own_column(&self.name, "_partition")),
            false => quoted("_partition"),
        }
    }

    /// Whether the view's part of a new row, `excluded`, is one and is newer than that of the row that is there, `t`.
    fn newer(&self) -> String {
        let version = quoted(&own_column(&self.name, VERSION));
        let newer = match self.partition_local {
            false => format!("t.{version} <= excluded.{version}"),
            // A local entity that moved to another partition (the topic got more of them) has other offsets there.
            true => {
                let (partition, time) = (self.partition(), Columns(self).event_time());
                format!(
                    "CASE WHEN t.{partition} = excluded.{partition} THEN t.{version} <= excluded.{version} \
                     ELSE t.{time} <= excluded.{time} END"
                )
            }
        };
        // Null as soon as one of them has no such part.
        format!("coalesce({newer}, excluded.{version} IS NOT NULL)")
    }
}

/// A bound value as its column takes it.
fn value(column: &Column) -> String {
    let (name, cast) = (quoted(&column.name), sql_type(&column.stored));
    match bound(&column.stored) == cast {
        true => format!("e.{name}"),
        false => format!("e.{name}::{cast}"),
    }
}
