//! Lists of keys and values, compiled: where the key and the values of an item are, and which column has which key.

use super::plan::{self, ColumnPlan};
use super::record::Record;
use super::shape::Place;
use crate::contract::{Column, Pair, Source};

/// A list of keys and values at a place.
#[derive(Debug)]
pub(super) struct Pairs {
    pub(super) slot: usize,
    pub(super) pointer: String,
    /// The record that an item is.
    pub(super) record: usize,
    /// Where in it the key and the values are.
    pub(super) key: usize,
    pub(super) values: Vec<usize>,
    pub(super) columns: Vec<Paired>,
}

/// The column that has the value of a key.
#[derive(Debug)]
pub(super) struct Paired {
    pub(super) of: String,
    pub(super) index: usize,
    pub(super) plan: ColumnPlan,
}

impl Pairs {
    /// Compiles a list at a slot, of one column for now.
    pub(super) fn at(slot: usize, pair: &Pair, path: &[String], records: &mut Vec<Record>) -> Self {
        let paths = std::iter::once(&pair.key).chain(&pair.values);
        let places: Vec<Place<'_>> = paths
            .map(|path| Place {
                path,
                declared: false,
            })
            .collect();
        let (record, slots) = Record::of_places(records, &places);
        let mut slots = slots.into_iter().map(usize::from);
        Self {
            slot,
            pointer: format!("/{}", path.join("/")),
            record,
            key: slots.next().expect("the key is the first place"),
            values: slots.collect(),
            columns: Vec::new(),
        }
    }

    /// Adds the contract's column `index`.
    pub(super) fn add(
        &mut self,
        index: usize,
        column: &Column,
        pair: &Pair,
        records: &[Record],
        most_bytes: u32,
    ) {
        let source = |path: &Vec<String>| Source {
            pointer: self.pointer.clone(),
            path: path.clone(),
            pair: None,
            inside: None,
            ..column.sources[0].clone()
        };
        let column = Column {
            sources: pair.values.iter().map(source).collect(),
            ..column.clone()
        };
        let slots: Vec<u16> = (self.values.iter())
            .map(|slot| u16::try_from(*slot).expect("slots are numbered in 16 bits"))
            .collect();
        let shape = records[self.record].shape.as_ref();
        let shape = shape.expect("nothing is read while it is compiled");
        let mut plan = plan::column(&column, &slots, shape, most_bytes);
        plan.plain_text = false;
        self.columns.push(Paired {
            of: pair.of.clone(),
            index,
            plan,
        });
    }
}
