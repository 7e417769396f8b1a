//! How a row of a view becomes what is written: its key, and the values under it.
//!
//! Not here: values as text (`text.rs`), the scripts that write them (`scripts.rs`).

use std::collections::HashSet;

use arrow::array::RecordBatch;
use userflow_models::features::online::{self, Source, Stored};
use userflow_models::features::{FeatureView, KeyPart, RedisRows, RedisShape};

use super::text::Value;

/// A change of one row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    /// The view's number.
    pub(super) view: usize,
    pub(super) key: String,
    pub(super) partition: i32,
    pub(super) version: i64,
    /// Microseconds since 1970.
    pub(super) event_time: i64,
    /// Milliseconds that it lives from now on; none: until it goes.
    pub(super) ttl: Option<i64>,
    pub(super) what: What,
}

/// What is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    /// Fields with their values, and fields that have none.
    Hash {
        set: Vec<(String, String)>,
        unset: Vec<String>,
    },
    /// Values, oldest first.
    List(Vec<String>),
    /// The row is gone.
    Gone,
}

/// A part of a key.
enum Part {
    Text(String),
    Column(usize),
}

/// How the rows of one view stand in Redis.
pub(super) struct Shape {
    /// The view's number.
    pub(super) view: usize,
    pub(super) name: String,
    pub(super) ttl: Option<i64>,
    /// The columns of a row.
    pub(super) columns: Vec<Stored>,
    /// The columns that make its key, in order.
    pub(super) keys: Vec<usize>,
    pub(super) is_list: bool,
    /// Names of the fields that only this view has.
    pub(super) fields: Vec<String>,
    /// Names of the fields of the key that any view has in this hash.
    pub(super) key_fields: Vec<String>,
    key: Vec<Part>,
    /// Columns, with the names of their fields; of a list, its column.
    values: Vec<(String, usize)>,
    event_time: usize,
    version: usize,
    partition: usize,
    /// Of sessions without an id: whether the row is another's part now. Then it has gone.
    merged: Option<usize>,
}

impl Shape {
    /// The shapes of those views that stand in Redis.
    pub(super) fn of(views: &[FeatureView]) -> Vec<Self> {
        let shape = |(number, view): (usize, &FeatureView)| {
            (view.redis.as_ref()).map(|redis| Self::new(number, view, redis, views))
        };
        views.iter().enumerate().filter_map(shape).collect()
    }

    fn new(number: usize, view: &FeatureView, redis: &RedisRows, views: &[FeatureView]) -> Self {
        let columns = online::stored(view);
        let named = |name: &str| {
            let found = columns.iter().position(|column| column.name == name);
            found.expect("the view was checked: it has the columns that it names")
        };
        let source = |source: Source| {
            let found = columns.iter().position(|column| column.source == source);
            found.expect("every row has an event time, a version and a partition")
        };
        let part = |part: &KeyPart| match part {
            KeyPart::Text(text) => Part::Text(text.clone()),
            KeyPart::Column(name) => Part::Column(named(name)),
        };
        let (mut fields, mut values) = (Vec::new(), Vec::new());
        match &redis.shape {
            RedisShape::Hash { keys, fields: own } => {
                values.extend(keys.iter().map(|name| (name.clone(), named(name))));
                values.extend(
                    own.iter()
                        .map(|(field, column)| (field.clone(), named(column))),
                );
                fields.extend(own.iter().map(|(field, _)| field.clone()));
            }
            RedisShape::List(column) => values.push((column.clone(), named(column))),
        }
        let beside = views.iter().filter_map(|other| other.redis.as_ref());
        let beside = beside.filter(|other| other.key == redis.key);
        let key_fields: HashSet<&String> = beside
            .flat_map(|other| match &other.shape {
                RedisShape::Hash { keys, .. } => keys.as_slice(),
                RedisShape::List(_) => &[],
            })
            .collect();
        Self {
            view: number,
            name: view.name.clone(),
            ttl: redis
                .ttl
                .map(|ttl| i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX)),
            keys: view.key().into_iter().map(named).collect(),
            is_list: matches!(redis.shape, RedisShape::List(_)),
            fields,
            key_fields: key_fields.into_iter().cloned().collect(),
            key: redis.key.iter().map(part).collect(),
            values,
            event_time: source(Source::EventTime),
            version: source(Source::Version),
            partition: source(Source::Partition),
            merged: (columns.iter()).position(|column| column.source == Source::Merged),
            columns,
        }
    }

    /// The columns that a change is made of.
    pub(super) fn needed(&self) -> Vec<usize> {
        let values = self.values.iter().map(|(_, column)| *column);
        let more = [self.event_time, self.version, self.partition];
        let mut needed: Vec<usize> = self
            .keys
            .iter()
            .copied()
            .chain(values)
            .chain(more)
            .collect();
        needed.sort_unstable();
        needed.dedup();
        needed
    }

    /// The change that a row of an engine is.
    pub(super) fn change_of(&self, rows: &RecordBatch, row: usize) -> Change {
        let merged = self.merged.map(|column| Value::of(rows, column, row));
        let mut change = self.change(|column| Value::of(rows, column, row));
        if merged == Some(Value::Truth(true)) {
            change.what = What::Gone;
        }
        change
    }

    /// The key of a row of an engine.
    pub(super) fn key_of(&self, rows: &RecordBatch, row: usize) -> String {
        self.key(&|column| Value::of(rows, column, row))
    }

    /// The change that a row is whose columns have these values.
    pub(super) fn change(&self, value: impl Fn(usize) -> Value) -> Change {
        let whole = |column: usize| match value(column) {
            Value::Whole(number) | Value::Time(number) => number,
            other => unreachable!("{}: {other:?} is no number", self.columns[column].name),
        };
        let what = if self.is_list {
            match value(self.values[0].1) {
                Value::List(texts) => What::List(texts),
                Value::Nothing => What::List(Vec::new()),
                other => unreachable!("{other:?} is no list"),
            }
        } else {
            let (mut set, mut unset) = (Vec::new(), Vec::new());
            for (field, column) in &self.values {
                match value(*column).into_text() {
                    Some(text) => set.push((field.clone(), text)),
                    None => unset.push(field.clone()),
                }
            }
            What::Hash { set, unset }
        };
        Change {
            view: self.view,
            key: self.key(&value),
            partition: i32::try_from(whole(self.partition))
                .expect("a partition's number is 32 bits"),
            version: whole(self.version),
            event_time: whole(self.event_time),
            ttl: self.ttl,
            what,
        }
    }

    fn key(&self, value: &impl Fn(usize) -> Value) -> String {
        let mut key = String::new();
        for part in &self.key {
            match part {
                Part::Text(text) => key.push_str(text),
                Part::Column(column) => {
                    let text = value(*column).into_text();
                    key.push_str(&text.expect("a key has no null"));
                }
            }
        }
        key
    }
}

/// The newest change of each row in batches that came one after the other, each with its rows by view.
pub(super) fn conflate(shapes: &[Shape], batches: &[Vec<RecordBatch>]) -> Vec<Change> {
    let mut seen: HashSet<(usize, String)> = HashSet::new();
    let mut changes = Vec::new();
    for views in batches.iter().rev() {
        for shape in shapes {
            let rows = &views[shape.view];
            for row in (0..rows.num_rows()).rev() {
                if seen.insert((shape.view, shape.key_of(rows, row))) {
                    changes.push(shape.change_of(rows, row));
                }
            }
        }
    }
    changes.reverse();
    changes
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::BooleanArray;
    use arrow::datatypes::{Field, Schema};

    use super::super::super::sample::{rows, view};
    use super::*;

    fn shapes() -> Vec<Shape> {
        let redis = "online: {redis: {key: \"u:{user_id}\", keys: [user_id], rename: {n: events}}}";
        let there = view(&format!("partition_local: true\nttl: 2h\n{redis}\n"));
        Shape::of(&[view(""), there])
    }

    fn change(key: &str, version: i64) -> Change {
        Change {
            view: 1,
            key: format!("u:{key}"),
            partition: 3,
            version,
            event_time: 10,
            ttl: Some(7_200_000),
            what: What::Hash {
                set: vec![
                    ("user_id".to_owned(), key.to_owned()),
                    ("events".to_owned(), "1".to_owned()),
                ],
                unset: Vec::new(),
            },
        }
    }

    #[test]
    fn of_each_row_the_newest_change_is_written_and_other_views_are_not() {
        let batch =
            |rows: RecordBatch| vec![super::super::super::sample::rows(&[("z", 1, 1, 0)]), rows];
        let batches = [
            batch(rows(&[("a", 10, 1, 3), ("b", 10, 2, 3)])),
            batch(rows(&[])),
            batch(rows(&[("a", 10, 3, 3), ("c", 10, 4, 3)])),
            // Time changed it: the same version, and it came later.
            batch(rows(&[("a", 10, 3, 3)])),
        ];
        let mut changes = conflate(&shapes(), &batches);
        changes.sort_by(|one, other| one.key.cmp(&other.key));
        assert_eq!(changes, [change("a", 3), change("b", 2), change("c", 4)]);
    }

    #[test]
    fn a_row_that_another_took_in_is_gone() {
        let two = rows(&[("a", 10, 1, 3), ("b", 10, 2, 3)]);
        let mut fields: Vec<_> = two.schema().fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(
            "_merged",
            arrow::datatypes::DataType::Boolean,
            true,
        )));
        let mut columns = two.columns().to_vec();
        columns.push(Arc::new(BooleanArray::from(vec![Some(true), Some(false)])));
        let two = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("rows");
        let mut shapes = shapes();
        let shape = shapes.first_mut().expect("one view stands in Redis");
        shape.merged = Some(two.num_columns() - 1);
        assert_eq!(shape.change_of(&two, 0).what, What::Gone);
        assert_eq!(shape.change_of(&two, 1), change("b", 2));
    }
}
