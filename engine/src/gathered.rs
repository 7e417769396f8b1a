//! The states of some entities, put side by side before columns are made of them one after the other.

use super::ids::RecordId;
use super::layout::{HEAD, ViewPlan};
use super::pane::Arena;
use super::table::Table;
use super::value::Row;

/// Words of a view's head that rows need: its own two, and the two that sessions and `last` windows add.
const HEAD_SHOWN: usize = HEAD + 2;

/// State of some entities, gathered so that columns can be made of it one after the other.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) records: Vec<RecordId>,
    /// Ends of windows; of sliding views.
    pub(super) ends: Vec<i64>,
    heads: Vec<[i64; HEAD_SHOWN]>,
    /// One pane per record: of its whole window.
    pub(super) panes: Vec<i64>,
}

impl Gathered {
    /// Adds an entity; its pane is to be added by the caller.
    pub(super) fn add(&mut self, record: RecordId, end: i64, words: &[i64]) {
        let mut head = [0; HEAD_SHOWN];
        let known = words.len().min(HEAD_SHOWN);
        head[..known].copy_from_slice(&words[..known]);
        self.records.push(record);
        self.ends.push(end);
        self.heads.push(head);
    }

    /// Forgets all; the memory stays.
    pub(super) fn clear(&mut self) {
        self.records.clear();
        self.ends.clear();
        self.heads.clear();
        self.panes.clear();
    }
}

/// What the rows are made from.
pub(super) struct Rows<'a> {
    pub(super) view: &'a ViewPlan,
    pub(super) table: &'a Table,
    pub(super) arena: &'a Arena,
    pub(super) partition: i32,
    pub(super) gathered: &'a Gathered,
}

impl<'a> Rows<'a> {
    /// The state of each row.
    pub(super) fn iter(&self) -> impl Iterator<Item = Row<'a>> {
        let (view, arena, gathered) = (self.view, self.arena, self.gathered);
        let width = view.pane.empty.len();
        (gathered.heads.iter().enumerate()).map(move |(row, head)| Row {
            view,
            head,
            pane: &gathered.panes[row * width..(row + 1) * width],
            arena,
        })
    }
}
