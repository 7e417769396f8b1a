//! The rows of the views of an entity, side by side: one row per key, as the entity's table takes them.
//!
//! Not here: the table and its upsert (`userflow_models::features::online`), how values are bound (`cells.rs`).

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Int32Array, RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
    UInt32Array, new_null_array,
};
use arrow::compute::take;
use arrow::datatypes::TimestampMicrosecondType;
use userflow_models::features::online::{Column, EntityTable, Origin, Source};

use super::super::layout::Layout;

/// One array per column of the table, all as long as there are keys. A view that has no row of a key has nulls there.
///
/// `views` and `layouts` are those of all views; no view has two rows of one key.
pub(super) fn arrays(
    table: &EntityTable,
    views: &[RecordBatch],
    layouts: &[Layout],
) -> Vec<ArrayRef> {
    let members: Vec<(&RecordBatch, &Layout)> = (table.views())
        .map(|view| (&views[view], &layouts[view]))
        .collect();
    let rows = Rows::of(&members);
    let columns = table.columns().iter();
    columns.map(|column| rows.array(&members, column)).collect()
}

/// Which row of each view is of which key.
struct Rows {
    /// By key: a view that has a row of it, and the row.
    keys: Vec<(usize, usize)>,
    /// By view, then by key: its row.
    places: Vec<Places>,
}

/// Where a view's rows go.
enum Places {
    /// The rows are of the keys, in their order.
    All,
    /// It has no rows.
    None,
    /// The row of each key, if there is one.
    Some(UInt32Array),
}

impl Rows {
    fn of(members: &[(&RecordBatch, &Layout)]) -> Self {
        let most = members.iter().map(|(rows, _)| rows.num_rows()).max();
        let mut keys: Vec<(usize, usize)> = Vec::with_capacity(most.unwrap_or(0)); // none without views
        let mut found: HashMap<u64, usize> = HashMap::with_capacity(keys.capacity());
        let mut places: Vec<Vec<Option<u32>>> = Vec::new();
        // A later view looks for its keys among those of the views before it.
        for (member, (rows, layout)) in members.iter().enumerate() {
            let mut own = vec![None; keys.len()];
            for row in 0..rows.num_rows() {
                let mut hash = layout.hash(rows, row);
                let key = loop {
                    match found.get(&hash).copied() {
                        None => {
                            found.insert(hash, keys.len());
                            keys.push((member, row));
                            own.push(None);
                            break keys.len() - 1;
                        }
                        Some(key) => {
                            let (other, its_row) = keys[key];
                            let (others, its_layout) = members[other];
                            if layout.is_key_of(rows, row, its_layout, others, its_row) {
                                break key;
                            }
                            // Two keys of one hash: the next place is free, or theirs.
                            hash = hash.wrapping_add(1);
                        }
                    }
                };
                own[key] = Some(u32::try_from(row).expect("a batch has fewer than 2^32 rows"));
            }
            places.push(own);
        }
        let count = keys.len();
        let places = places.into_iter().map(|own| Places::new(own, count));
        Self {
            places: places.collect(),
            keys,
        }
    }

    fn array(&self, members: &[(&RecordBatch, &Layout)], column: &Column) -> ArrayRef {
        match column.origin {
            Origin::Own { member, column: at } => {
                let values = members[member].0.column(at);
                match &self.places[member] {
                    Places::All => Arc::clone(values),
                    Places::None => new_null_array(values.data_type(), self.keys.len()),
                    Places::Some(rows) => {
                        take(values, rows, None).expect("each row is one of the view's")
                    }
                }
            }
            Origin::Shared => self.shared(members, column.stored.source),
        }
    }

    /// A column that all views have.
    fn shared(&self, members: &[(&RecordBatch, &Layout)], source: Source) -> ArrayRef {
        let whole = self.places.iter().position(|p| matches!(p, Places::All));
        let of = |member: usize| {
            let (rows, layout) = members[member];
            rows.column(layout.place(source))
        };
        if let Some(member) = whole {
            return Arc::clone(of(member));
        }
        match source {
            Source::Partition => {
                let partitions = self.keys.iter().map(|(member, row)| {
                    let (rows, layout) = members[*member];
                    layout.partition(rows, *row)
                });
                Arc::new(Int32Array::from_iter_values(partitions))
            }
            Source::Start => {
                let mut starts = TimestampMicrosecondBuilder::new().with_data_type(
                    members[0]
                        .0
                        .column(members[0].1.place(source))
                        .data_type()
                        .clone(),
                );
                for (member, row) in &self.keys {
                    let of_member = of(*member).as_primitive::<TimestampMicrosecondType>();
                    starts.append_value(of_member.value(*row));
                }
                Arc::new(starts.finish())
            }
            _ => {
                let mut texts = StringBuilder::new();
                for (member, row) in &self.keys {
                    texts.append_value(of(*member).as_string::<i32>().value(*row));
                }
                Arc::new(texts.finish())
            }
        }
    }
}

impl Places {
    /// `own` may be shorter than there are keys: later views brought more.
    fn new(mut own: Vec<Option<u32>>, keys: usize) -> Self {
        own.resize(keys, None);
        if own.iter().all(Option::is_none) && keys > 0 {
            return Self::None;
        }
        let in_order =
            (own.iter().enumerate()).all(|(key, row)| row.is_some_and(|row| row as usize == key));
        match in_order {
            true => Self::All,
            false => Self::Some(own.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use arrow::array::Array;
    use proptest::prelude::*;
    use userflow_models::features::FeatureView;
    use userflow_models::features::online::stored;

    use super::super::super::sample::{rows, session_rows, sessions, view};
    use super::*;

    /// Views of one entity. They differ in their names, which is what tells their columns apart.
    fn views(local: &str, count: usize) -> Vec<FeatureView> {
        let one = view(local);
        let named = |number| FeatureView {
            name: format!("view_{number}"),
            ..one.clone()
        };
        (0..count).map(named).collect()
    }

    /// What the columns of the table hold, by key: for each view its version and event time.
    type Table = BTreeMap<(String, Option<i32>), Vec<Option<(i64, i64)>>>;

    fn read(table: &EntityTable, arrays: &[ArrayRef], count: usize, partials: bool) -> Table {
        let columns = table.columns();
        let find = |source: Source, view: Option<usize>| {
            let at = columns.iter().position(|column| {
                let of = match column.origin {
                    Origin::Shared => None,
                    Origin::Own { member, .. } => Some(member),
                };
                column.stored.source == source && of == view
            });
            &arrays[at.expect("the column")]
        };
        let keys = find(Source::Key(0), None).as_string::<i32>();
        let integer = |source, view, row: usize| {
            let array: &ArrayRef = find(source, Some(view));
            let micros = arrow::compute::cast(array, &arrow::datatypes::DataType::Int64);
            let micros = micros.expect("an integer");
            let numbers = micros.as_primitive::<arrow::datatypes::Int64Type>().clone();
            numbers.iter().nth(row).expect("a row")
        };
        let mut out = Table::new();
        for row in 0..keys.len() {
            let partition = partials.then(|| {
                let partitions = find(Source::Partition, None);
                partitions
                    .as_primitive::<arrow::datatypes::Int32Type>()
                    .value(row)
            });
            let parts = (0..count).map(|view| {
                let version = integer(Source::Version, view, row);
                version.zip(integer(Source::EventTime, view, row))
            });
            let key = (keys.value(row).to_owned(), partition);
            assert!(out.insert(key, parts.collect()).is_none(), "a key twice");
        }
        out
    }

    proptest! {
        #[test]
        fn rows_of_one_key_stand_side_by_side(
            partials: bool,
            seed in prop::collection::vec(
                prop::collection::btree_map((0..9u8, 0..2i32), (0..100i64, 0..100i64), 0..12), 1..4),
        ) {
            let views = views(if partials { "" } else { "partition_local: true\n" }, seed.len());
            let layouts: Vec<Layout> = views.iter().map(Layout::new).collect();
            let mut expected = Table::new();
            let mut batches = Vec::new();
            for (view, seed) in seed.iter().enumerate() {
                // Of a local entity a view has one row, whatever its partition.
                let seed: BTreeMap<_, _> = (seed.iter())
                    .map(|((key, partition), row)| ((*key, if partials { *partition } else { 0 }), *row))
                    .collect();
                let names: Vec<String> = seed.keys().map(|(key, _)| format!("k{key}")).collect();
                let list: Vec<_> = (names.iter().zip(&seed))
                    .map(|(name, ((_, partition), (time, version)))| (name.as_str(), *time, *version, *partition))
                    .collect();
                for (name, time, version, partition) in &list {
                    let key = ((*name).to_owned(), partials.then_some(*partition));
                    let parts = expected.entry(key).or_insert_with(|| vec![None; views.len()]);
                    parts[view] = Some((*version, *time));
                }
                batches.push(rows(&list));
            }
            let tables = EntityTable::of(&views);
            prop_assert_eq!(tables.len(), 1);
            let arrays = arrays(&tables[0], &batches, &layouts);
            prop_assert_eq!(arrays.len(), tables[0].columns().len());
            for (column, array) in tables[0].columns().iter().zip(&arrays) {
                prop_assert_eq!(&column.stored.data_type, array.data_type());
                prop_assert_eq!(array.len(), expected.len());
            }
            prop_assert_eq!(read(&tables[0], &arrays, views.len(), partials), expected);
        }
    }

    #[test]
    fn the_start_of_a_session_is_part_of_its_key() {
        let views = ["view_0", "view_1"].map(|name| FeatureView {
            name: name.to_owned(),
            ..sessions()
        });
        let layouts = views.each_ref().map(Layout::new);
        let batches = [
            session_rows(&[("a", 1, 5), ("a", 2, 6)]),
            session_rows(&[("b", 1, 7), ("a", 2, 8)]),
        ];
        let tables = EntityTable::of(&views);
        assert_eq!(tables.len(), 1);
        let arrays = arrays(&tables[0], &batches, &layouts);
        let of = |name: &str| {
            let at = (tables[0].columns().iter()).position(|column| column.name == name);
            Arc::clone(&arrays[at.expect("the column")])
        };
        let numbers = |name: &str| {
            let cast = arrow::compute::cast(&of(name), &arrow::datatypes::DataType::Int64);
            let cast = cast.expect("numbers");
            cast.as_primitive::<arrow::datatypes::Int64Type>()
                .iter()
                .collect::<Vec<_>>()
        };
        let users: Vec<_> = (of("user_id").as_string::<i32>().iter().flatten())
            .map(str::to_owned)
            .collect();
        assert_eq!(users, ["a", "a", "b"]);
        assert_eq!(numbers("began"), [Some(1), Some(2), Some(1)]);
        assert_eq!(of("began").data_type(), batches[0].column(1).data_type());
        assert_eq!(numbers("view_0.version"), [Some(5), Some(6), None]);
        assert_eq!(numbers("view_1.version"), [None, Some(8), Some(7)]);
    }

    #[test]
    fn the_columns_are_those_of_the_views() {
        let views = views("", 2);
        let tables = EntityTable::of(&views);
        let names: Vec<&str> = (tables[0].columns().iter())
            .map(|column| column.name.as_str())
            .collect();
        let own = |view: &str| {
            let stored = stored(&views[0]).into_iter();
            let own = stored.filter(|column| !["user_id", "_partition"].contains(&&*column.name));
            own.map(|column| format!("{view}.{}", column.name))
                .collect::<Vec<_>>()
        };
        let mut expected = vec!["user_id".to_owned(), "_partition".to_owned()];
        expected.extend(own("view_0"));
        expected.extend(own("view_1"));
        assert_eq!(names, expected);
    }
}
