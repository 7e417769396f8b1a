//! State as rows of the online store: one column per `online::Stored` of the view, in its order. What a feature's value is: `value.rs`.

use std::sync::Arc;

use userflow_models::features::online::{Source, Wire};

use super::ids::RecordId;
use super::pane::{Cells, Seen, decode};
use super::plan::{HEAD, Kind, PANES, RING, SHOWN_PANE, ViewPlan};
use super::value::{Row, Value, real};
use super::{Engine, pane_words};

/// Changed rows of one view, column by column.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// The columns, in the order of `online::stored`.
    pub columns: Vec<Column>,
    /// How many rows.
    pub len: usize,
}

/// The values of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// `bigint`.
    BigInt(Vec<Option<i64>>),
    /// `double precision`.
    Double(Vec<Option<f64>>),
    /// `text`, or what is written as text.
    Text(Vec<Option<String>>),
    /// `boolean`.
    Boolean(Vec<Option<bool>>),
    /// `timestamptz`, microseconds UTC.
    Time(Vec<Option<i64>>),
    /// `int`.
    Int(Vec<i32>),
}

impl Rows {
    pub(super) fn new(view: &ViewPlan) -> Self {
        let columns = view.stored.iter().map(|column| match column.wire {
            Wire::BigInt => Column::BigInt(Vec::new()),
            Wire::Double => Column::Double(Vec::new()),
            Wire::Text | Wire::Numeric | Wire::BigIntArray | Wire::TextArray => {
                Column::Text(Vec::new())
            }
            Wire::Boolean => Column::Boolean(Vec::new()),
            Wire::Time => Column::Time(Vec::new()),
            Wire::Int => Column::Int(Vec::new()),
        });
        Self {
            columns: columns.collect(),
            len: 0,
        }
    }
}

impl Engine {
    /// Takes the changed rows of a view, each entity once; `most` bounds how many.
    pub fn take(&mut self, view: usize, most: usize) -> Rows {
        let plan = Arc::clone(&self.plan);
        let id = plan.places[view];
        let (number, index, view) = (id.table(), id.place(), plan.view(id));
        let mut rows = Rows::new(view);
        let mut dirty = std::mem::take(&mut self.dirty[number][index]);
        let kept = dirty.split_off(dirty.len().min(most));
        self.dirty_rows -= dirty.len();
        for record in dirty {
            // The window is part of the state: it must not depend on when the row is taken.
            let end = match view.kind {
                Kind::Sliding { every, .. } => {
                    (self.tables[number].look(record)[view.at + SHOWN_PANE] + 1) * every
                }
                _ => 0,
            };
            self.row_of_window(&mut rows, number, view, record, end);
            self.tables[number].header_mut(record).dirty &= !id.bit();
            self.forget(id, record);
        }
        self.dirty[number][index] = kept;
        rows
    }

    /// Appends the row of one entity; of a sliding view, for the window that ends at `end`.
    pub(super) fn row_of_window(
        &mut self,
        rows: &mut Rows,
        number: usize,
        view: &ViewPlan,
        record: RecordId,
        end: i64,
    ) {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        scratch.extend_from_slice(&view.pane.empty);
        let arena = &mut self.arena;
        let words = &mut self.tables[number].record(record)[view.at..view.at + view.words];
        match view.kind {
            Kind::Lifetime => scratch.copy_from_slice(&words[HEAD..]),
            Kind::Session { .. } => scratch.copy_from_slice(&words[PANES..]),
            Kind::Last { .. } => {
                let ring = arena.pools.rings.take_or_none(words[RING]);
                for kept in ring.iter().flatten() {
                    let event = Seen {
                        time: kept.time,
                        filters: kept.filters,
                        cells: Cells::Kept(&kept.cells),
                    };
                    arena.apply(&view.pane, &mut scratch, &event);
                }
                if let Some(ring) = ring {
                    arena.pools.rings.put(words[RING], ring);
                }
            }
            Kind::Sliding { every, panes, ring } => {
                let (to, clean) = (end.div_euclid(every), words[super::NEWEST_PANE]);
                for pane in (to - panes)..to {
                    if pane <= clean && pane > clean - ring {
                        arena.merge(
                            &view.pane,
                            &mut scratch,
                            pane_words(view, words, pane, ring),
                        );
                    }
                }
            }
        }
        let mut head = [0; HEAD + 2];
        let known = words.len().min(head.len());
        head[..known].copy_from_slice(&words[..known]);
        let row = Row {
            view,
            words: &head,
            pane: &scratch,
            arena: &self.arena,
        };
        let mut values = row.values();
        let mut key = decode(&self.tables[number].header(record).key);
        for (column, stored) in rows.columns.iter_mut().zip(&view.stored) {
            match stored.source {
                // Each is stored in one column, so it is moved there.
                Source::Key(place) => column.push(Value::Text(std::mem::take(&mut key[place]))),
                Source::Value(feature) => {
                    column.push(std::mem::replace(&mut values[feature], Value::Null));
                }
                Source::WindowEnd => column.push(Value::Int(end)),
                Source::Partition => column.push(Value::Int(i64::from(self.partition))),
                other => column.push(row.stored(other)),
            }
        }
        rows.len += 1;
        // A session's and a lifetime's words are the record's own; the others' were made here.
        if matches!(view.kind, Kind::Last { .. } | Kind::Sliding { .. }) {
            self.arena.clear(&view.pane, &mut scratch);
        }
        self.scratch = scratch;
    }
}

impl Column {
    fn push(&mut self, value: Value) {
        match (self, value) {
            (Self::BigInt(column) | Self::Time(column), Value::Int(value)) => {
                column.push(Some(value));
            }
            (Self::BigInt(column) | Self::Time(column), _) => column.push(None),
            (Self::Double(column), value) => column.push(real(&value)),
            (Self::Text(column), Value::Text(text)) => column.push(Some(text)),
            (Self::Text(column), _) => column.push(None),
            (Self::Boolean(column), Value::Truth(truth)) => column.push(Some(truth)),
            (Self::Boolean(column), _) => column.push(None),
            (Self::Int(column), Value::Int(value)) => {
                column.push(i32::try_from(value).expect("a Kafka partition has 32 bits"));
            }
            (Self::Int(_), value) => unreachable!("a partition's number is {value:?}"),
        }
    }
}

impl Rows {
    /// Adds the rows of another partition.
    pub fn append(&mut self, other: Self) {
        self.len += other.len;
        for (column, more) in self.columns.iter_mut().zip(other.columns) {
            match (column, more) {
                (
                    Column::BigInt(column) | Column::Time(column),
                    Column::BigInt(more) | Column::Time(more),
                ) => {
                    column.extend(more);
                }
                (Column::Double(column), Column::Double(more)) => column.extend(more),
                (Column::Text(column), Column::Text(more)) => column.extend(more),
                (Column::Boolean(column), Column::Boolean(more)) => column.extend(more),
                (Column::Int(column), Column::Int(more)) => column.extend(more),
                _ => unreachable!("rows of one view have the same columns"),
            }
        }
    }

    /// Leaves the first `at` rows and returns the others.
    pub fn split_off(&mut self, at: usize) -> Self {
        let columns = self.columns.iter_mut().map(|column| match column {
            Column::BigInt(values) => Column::BigInt(values.split_off(at)),
            Column::Double(values) => Column::Double(values.split_off(at)),
            Column::Text(values) => Column::Text(values.split_off(at)),
            Column::Boolean(values) => Column::Boolean(values.split_off(at)),
            Column::Time(values) => Column::Time(values.split_off(at)),
            Column::Int(values) => Column::Int(values.split_off(at)),
        });
        let other = Self {
            columns: columns.collect(),
            len: self.len - at,
        };
        self.len = at;
        other
    }

    /// Leaves the rows that are to be kept, of which `keep` says so.
    pub fn retain(&mut self, keep: &[bool]) {
        fn those<T>(values: &mut Vec<T>, keep: &[bool]) {
            let mut row = 0;
            values.retain(|_| {
                row += 1;
                keep[row - 1]
            });
        }
        for column in &mut self.columns {
            match column {
                Column::BigInt(values) | Column::Time(values) => those(values, keep),
                Column::Double(values) => those(values, keep),
                Column::Text(values) => those(values, keep),
                Column::Boolean(values) => those(values, keep),
                Column::Int(values) => those(values, keep),
            }
        }
        self.len = keep.iter().filter(|keep| **keep).count();
    }

    /// One of the rows.
    pub fn only(&self, row: usize) -> Self {
        self.some(row..row + 1)
    }

    /// None of the rows, but the columns.
    pub fn none_of(&self) -> Self {
        self.some(0..0)
    }

    fn some(&self, rows: std::ops::Range<usize>) -> Self {
        let columns = self.columns.iter().map(|column| match column {
            Column::BigInt(values) => Column::BigInt(values[rows.clone()].to_vec()),
            Column::Double(values) => Column::Double(values[rows.clone()].to_vec()),
            Column::Text(values) => Column::Text(values[rows.clone()].to_vec()),
            Column::Boolean(values) => Column::Boolean(values[rows.clone()].to_vec()),
            Column::Time(values) => Column::Time(values[rows.clone()].to_vec()),
            Column::Int(values) => Column::Int(values[rows.clone()].to_vec()),
        });
        Self {
            columns: columns.collect(),
            len: rows.len(),
        }
    }
}
