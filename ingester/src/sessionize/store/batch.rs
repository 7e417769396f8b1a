//! Rows that are written together: each entity once, and any part of them can be written alone.
//!
//! Not here: how they are written (`store.rs`), when a batch is cut into parts (`delivery.rs`).

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value};
use userflow_engine::Rows;
use userflow_models::features::FeatureView;
use userflow_models::features::online::{self, Source, Stored};

use super::cells;

/// Most characters of a key in a log line and in `ops.rows_set_aside`.
const KEY_SHOWN: usize = 1_000;
/// Most characters of a row there.
const ROW_SHOWN: usize = 10_000;

/// What a batch has to know of a view's table.
#[derive(Clone, Debug)]
pub(in super::super) struct Table {
    /// Of the view.
    pub(in super::super) name: String,
    /// `online.<table>`.
    pub(in super::super) table: String,
    stored: Vec<Stored>,
    /// Columns of the key that the table has; of partials with the partition.
    key: Vec<usize>,
    /// Columns of the entity.
    entity: Vec<usize>,
    event_time: usize,
    version: usize,
    partition: usize,
}

impl Table {
    pub(super) fn new(view: &FeatureView) -> Self {
        let stored = online::stored(view);
        let place = |source: Source| {
            let found = stored.iter().position(|column| column.source == source);
            found.expect("every table has an event time, a version and a partition")
        };
        let entity: Vec<usize> = (0..view.entity.len())
            .map(|n| place(Source::Key(n)))
            .collect();
        let (event_time, version, partition) = (
            place(Source::EventTime),
            place(Source::Version),
            place(Source::Partition),
        );
        let mut key = entity.clone();
        if !view.partition_local {
            key.push(partition);
        }
        Self {
            name: view.name.clone(),
            table: online::table(view),
            stored,
            key,
            entity,
            event_time,
            version,
            partition,
        }
    }

    /// Makes the rows such as PostgreSQL takes: texts that it can hold, and then one row of each key. Returns how many rows went.
    pub(in super::super) fn admit(&self, rows: &mut Rows) -> usize {
        rows.columns.iter_mut().for_each(cells::make_storable);
        self.one_row_per_key(rows)
    }

    /// Leaves one row of each key: PostgreSQL refuses a statement with two. In the table an entity gives way to its newest row, and so
    /// it does here: of the newest event, then of the higher offset, then of the higher partition. Returns how many rows went.
    ///
    /// Two rows of one key come from two partitions of an entity that was said to be local to one, and of keys that differ in bytes
    /// that PostgreSQL cannot hold.
    fn one_row_per_key(&self, rows: &mut Rows) -> usize {
        let mut newest: HashMap<u64, usize> = HashMap::with_capacity(rows.len);
        let mut keep = vec![true; rows.len];
        let mut gone = 0;
        for row in 0..rows.len {
            let mut hash = self.hash(rows, row);
            loop {
                match newest.get(&hash).copied() {
                    None => {
                        newest.insert(hash, row);
                        break;
                    }
                    Some(other) if self.same_key(rows, row, other) => {
                        let loser = if self.age(rows, row) > self.age(rows, other) {
                            newest.insert(hash, row);
                            other
                        } else {
                            row
                        };
                        keep[loser] = false;
                        gone += 1;
                        break;
                    }
                    // Two keys of one hash: the next place is free, or theirs.
                    Some(_) => hash = hash.wrapping_add(1),
                }
            }
        }
        if gone > 0 {
            rows.retain(&keep);
        }
        gone
    }

    fn age(&self, rows: &Rows, row: usize) -> (Option<i64>, Option<i64>, Option<i64>) {
        let number = |column: usize| cells::number(&rows.columns[column], row);
        (
            number(self.event_time),
            number(self.version),
            number(self.partition),
        )
    }

    fn same_key(&self, rows: &Rows, one: usize, other: usize) -> bool {
        (self.key.iter()).all(|column| cells::same(&rows.columns[*column], one, other))
    }

    /// A hash of a row's key.
    pub(in super::super) fn hash(&self, rows: &Rows, row: usize) -> u64 {
        let mut hasher = DefaultHasher::new();
        for column in &self.key {
            cells::text(&rows.columns[*column], row).hash(&mut hasher);
            cells::number(&rows.columns[*column], row).hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// Rows to write together.
pub(in super::super) struct Batch {
    /// Partitions that the rows are of, with the epochs in which they were claimed.
    pub(in super::super) owned: Vec<(i32, i64)>,
    /// Rows by view, all views.
    pub(in super::super) views: Vec<Rows>,
}

/// A row that the store refused for good, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Refused {
    pub(in super::super) view: String,
    pub(in super::super) partition: i32,
    pub(in super::super) version: i64,
    pub(in super::super) key: String,
    pub(in super::super) key_hash: String,
    pub(in super::super) row: String,
}

impl Batch {
    /// How many rows.
    pub(in super::super) fn len(&self) -> usize {
        self.views.iter().map(|rows| rows.len).sum()
    }

    /// How many rows of the view that has most.
    pub(in super::super) fn largest(&self) -> usize {
        self.views.iter().map(|rows| rows.len).max().unwrap_or(0) // none of no view
    }

    /// Two halves of it, each with at least one row; it has two or more.
    pub(in super::super) fn halves(mut self) -> (Self, Self) {
        let half = self.len() / 2;
        let mut before = 0;
        let mut second = Vec::with_capacity(self.views.len());
        for rows in &mut self.views {
            let at = half.saturating_sub(before).min(rows.len);
            before += rows.len;
            second.push(rows.split_off(at));
        }
        let second = Self {
            owned: self.owned.clone(),
            views: second,
        };
        (self, second)
    }

    /// Takes the rows that are `suspect` out, each as a batch of its own.
    pub(in super::super) fn apart(
        &mut self,
        tables: &[Table],
        suspect: impl Fn(usize, u64) -> bool,
    ) -> Vec<Self> {
        let mut apart = Vec::new();
        for view in 0..self.views.len() {
            let rows = &self.views[view];
            let keep: Vec<bool> = (0..rows.len)
                .map(|row| !suspect(view, tables[view].hash(rows, row)))
                .collect();
            for row in (0..rows.len).filter(|row| !keep[*row]) {
                let mut views: Vec<Rows> = self.views.iter().map(Rows::none_of).collect();
                views[view] = self.views[view].only(row);
                apart.push(Self {
                    owned: self.owned.clone(),
                    views,
                });
            }
            if keep.contains(&false) {
                self.views[view].retain(&keep);
            }
        }
        apart
    }

    /// View and key of the only row.
    pub(in super::super) fn only_key(&self, tables: &[Table]) -> Option<(usize, u64)> {
        let view = self.views.iter().position(|rows| rows.len > 0)?;
        Some((view, tables[view].hash(&self.views[view], 0)))
    }

    /// The only row, in words.
    pub(in super::super) fn only_row(&self, tables: &[Table]) -> Option<Refused> {
        let view = self.views.iter().position(|rows| rows.len > 0)?;
        let (table, rows) = (&tables[view], &self.views[view]);
        let value = |column: usize| cells::to_json(&rows.columns[column], 0);
        let key = table.entity.iter().map(|column| value(*column)).collect();
        let key = Value::Array(key).to_string();
        let row: Map<String, Value> = (table.stored.iter().enumerate())
            .map(|(column, stored)| (stored.name.clone(), value(column)))
            .collect();
        Some(Refused {
            view: table.name.clone(),
            partition: (cells::number(&rows.columns[table.partition], 0))
                .and_then(|partition| i32::try_from(partition).ok())
                .expect("every row says its Kafka partition"),
            version: cells::number(&rows.columns[table.version], 0)
                .expect("every row has a version"),
            key_hash: format!("{:016x}", twox_hash::XxHash3_64::oneshot(key.as_bytes())),
            key: cut(key, KEY_SHOWN),
            row: cut(Value::Object(row).to_string(), ROW_SHOWN),
        })
    }
}

/// The first characters of a text.
fn cut(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text,
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use userflow_engine::Column;
    use userflow_models::domain::Domain;
    use userflow_models::features;

    use super::*;

    /// A view that counts events of users.
    fn table(local: &str) -> Table {
        let models = concat!(env!("CARGO_MANIFEST_DIR"), "/../models");
        let domain = Domain::load(Path::new(models), "webtoon").expect("the domain");
        let text = format!(
            "feature_view: webtoon_test\ndescription: A test\nentity: user_id\n{local}window: lifetime\nfeatures:\n  n: {{count: {{}}}}\n"
        );
        Table::new(&features::parse(&text, &domain.contract).expect("a view"))
    }

    /// Key, newest event, version, partition.
    fn rows(rows: &[(&str, i64, i64, i32)]) -> Rows {
        let numbers =
            |of: fn(&(&str, i64, i64, i32)) -> i64| rows.iter().map(|row| Some(of(row))).collect();
        Rows {
            columns: vec![
                Column::Text(rows.iter().map(|row| Some(row.0.to_owned())).collect()),
                Column::BigInt(numbers(|_| 1)),
                Column::Time(numbers(|row| row.1)),
                Column::BigInt(numbers(|row| row.2)),
                Column::Int(rows.iter().map(|row| row.3).collect()),
            ],
            len: rows.len(),
        }
    }

    #[test]
    fn of_one_key_the_row_with_the_newest_event_stays() {
        let mut batch = rows(&[
            ("a", 10, 7, 0),
            ("b", 10, 8, 0),
            ("a", 20, 3, 1),
            ("b", 9, 9, 1),
            ("c", 1, 1, 1),
            ("c", 1, 1, 2),
        ]);
        assert_eq!(
            table("partition_local: true\n").one_row_per_key(&mut batch),
            3
        );
        assert_eq!(
            batch,
            rows(&[("b", 10, 8, 0), ("a", 20, 3, 1), ("c", 1, 1, 2)])
        );
        // Partials of two partitions are two rows; of one partition, the newer offset stays.
        let partials = [("a", 10, 7, 0), ("a", 20, 3, 1)];
        let mut batch = rows(&partials);
        assert_eq!(table("").one_row_per_key(&mut batch), 0);
        assert_eq!(batch, rows(&partials));
        let mut batch = rows(&[("a", 10, 7, 0), ("a", 10, 8, 0)]);
        assert_eq!(table("").one_row_per_key(&mut batch), 1);
        assert_eq!(batch, rows(&[("a", 10, 8, 0)]));
    }

    #[test]
    fn a_zero_byte_gives_way_before_keys_are_compared() {
        // Both keys become the same one, and PostgreSQL refuses a statement with two rows of it.
        let mut batch = rows(&[
            ("a\0b", 10, 7, 0),
            ("a\u{fffd}b", 20, 8, 0),
            ("\0\0", 1, 9, 0),
        ]);
        assert_eq!(table("partition_local: true\n").admit(&mut batch), 1);
        assert_eq!(
            batch,
            rows(&[("a\u{fffd}b", 20, 8, 0), ("\u{fffd}\u{fffd}", 1, 9, 0)])
        );
    }

    #[test]
    fn halves_lead_to_every_single_row_and_lose_none() {
        let tables = [table(""), table("")];
        for (first, second) in [(0, 1), (1, 1), (5, 0), (3, 8)] {
            let name = |n: usize| format!("k{n}");
            let names: Vec<String> = (0..first + second).map(name).collect();
            let part = |range: std::ops::Range<usize>| {
                let of = |n: usize| (names[n].as_str(), 1, 1, 0);
                rows(&range.map(of).collect::<Vec<_>>())
            };
            let mut parts = vec![Batch {
                owned: vec![(0, 1)],
                views: vec![part(0..first), part(first..first + second)],
            }];
            let mut seen = Vec::new();
            while let Some(part) = parts.pop() {
                if part.len() > 1 {
                    let (first, second) = part.halves();
                    assert!(first.len() > 0 && second.len() > 0);
                    parts.extend([second, first]);
                } else {
                    let row = part.only_row(&tables).expect("a row");
                    assert!(part.only_key(&tables).is_some());
                    seen.push(row.key);
                }
            }
            let expected: Vec<String> = names.iter().map(|name| format!("[\"{name}\"]")).collect();
            assert_eq!(seen, expected);
        }
    }

    #[test]
    fn a_row_is_told_in_so_many_words() {
        let long = "ä".repeat(20_000);
        let tables = [table("")];
        let batch = Batch {
            owned: Vec::new(),
            views: vec![rows(&[(&long, 1_000_000, 5, 3)])],
        };
        let row = batch.only_row(&tables).expect("a row");
        assert_eq!(
            (row.view.as_str(), row.partition, row.version),
            ("webtoon_test", 3, 5)
        );
        assert_eq!(row.key.chars().count(), KEY_SHOWN + 1);
        assert_eq!(row.row.chars().count(), ROW_SHOWN + 1);
        // What is cut off tells rows apart all the same.
        let other = Batch {
            owned: Vec::new(),
            views: vec![rows(&[(&format!("{long}x"), 1_000_000, 5, 3)])],
        };
        assert_ne!(
            other.only_row(&tables).expect("a row").key_hash,
            row.key_hash
        );
    }

    #[test]
    fn rows_known_to_be_refused_go_alone() {
        let tables = [table("")];
        let mut batch = Batch {
            owned: vec![(0, 1)],
            views: vec![rows(&[("a", 1, 1, 0), ("b", 1, 2, 0), ("c", 1, 3, 0)])],
        };
        let key = tables[0].hash(&batch.views[0], 1);
        let apart = batch.apart(&tables, |view, hash| (view, hash) == (0, key));
        assert_eq!(batch.views[0], rows(&[("a", 1, 1, 0), ("c", 1, 3, 0)]));
        assert_eq!(apart.len(), 1);
        assert_eq!(apart[0].views[0], rows(&[("b", 1, 2, 0)]));
    }
}
