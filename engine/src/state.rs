//! The state of one partition, and what can be asked of it.
//!
//! What changes it: `apply.rs` (events), `time.rs` (time), `restore.rs` (a snapshot). What is made of it: `take.rs` (rows), `snapshot.rs`.

use std::sync::Arc;

use super::dedup::Dedup;
use super::gathered::Gathered;
use super::ids::{RecordId, ViewId};
use super::layout::{Kind, TablePlan};
use super::pane::Arena;
use super::plan::Plan;
use super::session_list::Sessions;
use super::settings::{Counts, Settings};
use super::summary::StoreMark;
use super::table::Table;
use super::wheel::Wheel;

/// The state of one partition.
pub struct Engine {
    pub(super) plan: Arc<Plan>,
    pub(super) settings: Settings,
    pub(super) partition: i32,
    /// The store that has the rows of this state.
    pub(super) store: Option<StoreMark>,
    pub(super) tables: Vec<Table>,
    /// By table: the sessions of entities whose sessions have no id.
    pub(super) sessions: Vec<Sessions>,
    pub(super) arena: Arena,
    pub(super) wheel: Wheel<Timer>,
    /// Timers of exact windows: these go by the newest event time, all others by the watermark.
    pub(super) leaving: Wheel<Timer>,
    pub(super) dedup: Dedup,
    /// Records of sliding windows with content: by table, by view.
    pub(super) listed: Vec<Vec<Vec<RecordId>>>,
    /// Records that have changed: by table, by view.
    pub(super) dirty: Vec<Vec<Vec<RecordId>>>,
    pub(super) dirty_rows: usize,
    /// Newest effective event time, or the time that was said to have come.
    pub(super) newest: i64,
    pub(super) watermark: i64,
    /// The next offset to read.
    pub(super) next_offset: i64,
    pub(super) counts: Counts,
    pub(super) due: Vec<(i64, Timer)>,
    pub(super) key: Vec<u8>,
    pub(super) gathered: Gathered,
}

/// Wakes the session or the exact window of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Timer {
    pub(super) view: ViewId,
    pub(super) record: RecordId,
}

impl Engine {
    /// An engine without state, whose first event will have offset `next_offset` or a later one.
    pub fn new(plan: Arc<Plan>, settings: Settings, partition: i32, next_offset: i64) -> Self {
        let tables = plan.tables.iter().map(|table| {
            let mut empty = Vec::with_capacity(table.stride);
            for view in &table.views {
                empty.extend([-1, i64::MIN]);
                match view.kind {
                    Kind::Session { .. } | Kind::Sessions { .. } => {
                        empty.extend([i64::MIN, 0, i64::MAX]);
                        empty.extend_from_slice(&view.pane.empty);
                    }
                    Kind::Sliding { ring, .. } => {
                        empty.extend([i64::MIN, i64::MIN, i64::MIN]);
                        for _ in 0..ring {
                            empty.extend_from_slice(&view.pane.empty);
                        }
                    }
                    Kind::Exact(_) => empty.extend([i64::MIN, i64::MIN, i64::MAX, 0]),
                    Kind::Last { .. } => empty.push(0),
                    Kind::Lifetime => empty.extend_from_slice(&view.pane.empty),
                }
            }
            Table::new(table.stride, empty)
        });
        let tables = tables.collect();
        let lists = || {
            let of_table = |table: &TablePlan| vec![Vec::new(); table.views.len()];
            plan.tables.iter().map(of_table).collect::<Vec<_>>()
        };
        Self {
            sessions: plan.tables.iter().map(|_| Sessions::default()).collect(),
            tables,
            listed: lists(),
            dirty: lists(),
            dirty_rows: 0,
            arena: Arena::default(),
            wheel: Wheel::default(),
            leaving: Wheel::default(),
            dedup: Dedup::new(settings.dedup_horizon, settings.dedup_most),
            newest: i64::MIN,
            watermark: i64::MIN,
            next_offset,
            counts: Counts {
                late: vec![0; plan.places.len()],
                grouped: vec![0; plan.places.len()],
                ..Counts::default()
            },
            due: Vec::new(),
            key: Vec::new(),
            gathered: Gathered::default(),
            partition,
            store: None,
            plan,
            settings,
        }
    }

    /// Says which store the rows of this state go to; a snapshot carries it.
    pub fn belongs_to(&mut self, store: StoreMark) {
        self.store = Some(store);
    }

    /// Marks every row as changed: a store that lacks some gets all of them.
    pub fn mark_all(&mut self) {
        let plan = Arc::clone(&self.plan);
        for (number, table) in plan.tables.iter().enumerate() {
            let used: Vec<RecordId> = self.tables[number].used().collect();
            for record in used {
                for index in 0..table.views.len() {
                    let id = ViewId::new(number, index);
                    if self.tables[number].header(record).alive & id.bit() != 0 {
                        self.mark(id, record);
                    }
                }
            }
        }
    }

    /// The next offset to read.
    pub fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// No event older than this is waited for; none before the first event.
    pub fn watermark(&self) -> Option<i64> {
        (self.watermark > i64::MIN).then_some(self.watermark)
    }

    /// What happened so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Rows that have changed and were not taken yet.
    pub fn changed_rows(&self) -> usize {
        self.dirty_rows
    }

    /// Of one view.
    pub fn changed_rows_of(&self, view: usize) -> usize {
        let view = self.plan.places[view];
        self.dirty[view.table()][view.place()].len()
    }

    /// Number of entities held, by entity in the order of the plan.
    pub fn entities(&self) -> Vec<usize> {
        self.tables.iter().map(Table::len).collect()
    }

    /// Bytes of the records and of the events of exact windows, an estimate that leaves out sketches and lists.
    pub fn bytes(&self) -> usize {
        let tables: usize = self.tables.iter().map(Table::bytes).sum();
        let sessions: usize = self.sessions.iter().map(Sessions::bytes).sum();
        tables + sessions + self.arena.pools.moving_bytes() + self.dedup.len() * 32
    }

    /// A message that is no event has been read.
    pub fn skip(&mut self, offset: i64) {
        self.next_offset = self.next_offset.max(offset + 1);
    }

    /// Notes that a row has changed.
    pub(super) fn mark(&mut self, view: ViewId, record: RecordId) {
        let header = self.tables[view.table()].header_mut(record);
        if header.dirty & view.bit() == 0 {
            header.dirty |= view.bit();
            self.dirty[view.table()][view.place()].push(record);
            self.dirty_rows += 1;
        }
    }
}
