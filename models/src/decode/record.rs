//! A record: an object inside a value. An item of a list, or the JSON that a property keeps as an object or as its text.

use super::plan::{self, ColumnPlan};
use super::row::Cell;
use super::shape::{Place, Shape};
use super::slots::Slots;
use crate::contract::Column;

/// How a record is read, and room for reading one.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) shape: Option<Shape>,
    pub(super) slots: Slots,
    pub(super) fields: Vec<ColumnPlan>,
    /// The cells of the record at hand.
    pub(super) cells: Vec<Cell>,
}

impl Record {
    /// Adds a record of which only places are known: its number, and which slot each of them is.
    pub(super) fn of_places(records: &mut Vec<Self>, places: &[Place<'_>]) -> (usize, Vec<u16>) {
        let (shape, slots) = Shape::compile(places);
        records.push(Self {
            slots: Slots::new(&shape),
            shape: Some(shape),
            ..Self::default()
        });
        (records.len() - 1, slots)
    }

    /// Adds the record with these fields and returns its number; the items of its lists are records as well.
    pub(super) fn add(records: &mut Vec<Self>, fields: &[&Column]) -> usize {
        let places: Vec<Place<'_>> = (fields.iter())
            .map(|field| {
                let source = field
                    .sources
                    .first()
                    .expect("a field has a place in its record");
                let path = source.inside.as_deref().unwrap_or(&source.path);
                // What is around a field of an item is declared with it; of a JSON of its own nothing is.
                let declared = source.declared && source.inside.is_none();
                Place { path, declared }
            })
            .collect();
        let (shape, slots) = Shape::compile(&places);
        let mut plans = Vec::new();
        for (field, slot) in fields.iter().zip(&slots) {
            let mut plan = plan::column(field, &[*slot], &shape, u32::MAX);
            plan.plain_text = false;
            if !field.items.is_empty() {
                plan.record = Some(Self::add(records, &field.items.iter().collect::<Vec<_>>()));
            }
            plans.push(plan);
        }
        records.push(Self {
            slots: Slots::new(&shape),
            shape: Some(shape),
            fields: plans,
            cells: Vec::new(),
        });
        records.len() - 1
    }
}
