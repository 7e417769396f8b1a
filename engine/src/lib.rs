//! The streaming engine: events and time in, changed rows out. One [`Engine`] per Kafka partition.
//!
//! Pure: no clock, no thread, no Kafka, no store, no name of a domain. The same events give the same rows, whenever and however often
//! they are processed, which is what a replay after a crash relies on.
//!
//! Not here: what a view means and how it is written (`models`), decoding (`models`), Kafka, and the stores and their limits (`ingester`).
//!
//! ```text
//! Events ─▶ repeats? ─▶ time (watermark, timers, windows that end) ─▶ filters ─▶ one record per entity ─▶ panes of its views
//!                                                                                  └▶ marked as changed ─▶ rows
//! ```
//!
//! * `ids`: numbers of records, views, columns. `plan`: views compiled to layout. `table`, `pool`, `symbols`: where state lies. `pane`, `sketch`: what it means.
//! * `wheel`: timers. `repeats`: events sent again. `rows`, `value`: state as columns. `snapshot`,
//!   `segment`: state as bytes.
//!
//! Times are microseconds UTC. Event time is what the event says; a clock that is ahead is capped for windows and the watermark
//! (*effective* time), never in values. The watermark is the newest effective time minus the allowed lateness; an event moves time
//! first and is counted then.

mod cells;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod hash;
mod ids;
mod pane;
mod plan;
mod pool;
mod repeats;
mod rows;
mod segment;
mod sketch;
mod snapshot;
mod symbols;
mod table;
mod time;
mod value;
mod wheel;

pub use cells::Events;
pub use plan::Plan;
pub use rows::{Column, Rows};
pub use snapshot::{RestoreError, Restored, StoreMark, Summary, inspect};

use std::sync::Arc;

use hash::hash;
use ids::{RecordId, ViewId};
use pane::{Arena, Cells, Seen};
use plan::{
    EVENT_TIME, FILLED_PANE, Kind, NEWEST_PANE, PANES, PHASE, RING, SEEN_AT, SHOWN_PANE, TIMER,
    VERSION,
};
use pool::{Kept, Pools};
use repeats::{Known, Repeats};
use symbols::Symbols;
use table::Table;
use wheel::Wheel;

/// How an engine treats time. All in microseconds of event time.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long a window waits for events that are late.
    pub lateness: i64,
    /// How long an event's identifier is remembered.
    pub repeat_horizon: i64,
    /// Most identifiers to remember.
    pub most_repeats: usize,
}

/// What happened, counted since the engine was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events counted in at least one view.
    pub events: u64,
    /// Repeats within the horizon, dropped.
    pub repeats: u64,
    /// Events older than the horizon and not known: they may be repeats of forgotten ones, and count as new.
    pub beyond_horizon: u64,
    /// Identifiers forgotten early, because there were too many.
    pub repeats_forgotten: u64,
    /// Events whose time was capped.
    pub future_clocks: u64,
    /// Events that came after their last window had ended, by view.
    pub late: Vec<u64>,
}

/// Who wants to know when a window ends. Rows are conflated, so its last value need not be seen there.
pub trait Observer {
    /// A window `[.., end)` of a sliding view ended with this row for an entity.
    fn window_ended(&mut self, view: usize, end: i64, row: &Rows);
    /// Whether it is worth making the row.
    const WANTED: bool;
}

/// Nobody.
pub struct Nobody;

impl Observer for Nobody {
    fn window_ended(&mut self, _view: usize, _end: i64, _row: &Rows) {}
    const WANTED: bool = false;
}

/// Phase of a session: a bit set.
const ENDED: i64 = 1;
const TIMED_OUT: i64 = 2;

/// The state of one partition.
pub struct Engine {
    plan: Arc<Plan>,
    settings: Settings,
    partition: i32,
    /// The store that has the rows of this state.
    store: Option<StoreMark>,
    tables: Vec<Table>,
    arena: Arena,
    wheel: Wheel<Timer>,
    repeats: Repeats,
    /// Records of sliding windows with content: by table, by view.
    listed: Vec<Vec<Vec<RecordId>>>,
    /// Records that have changed: by table, by view.
    dirty: Vec<Vec<Vec<RecordId>>>,
    dirty_rows: usize,
    /// Newest effective event time, or the time that was said to have come.
    newest: i64,
    watermark: i64,
    /// The next offset to read.
    next_offset: i64,
    counts: Counts,
    due: Vec<(i64, Timer)>,
    key: Vec<u8>,
    scratch: Vec<i64>,
}

/// Wakes the session of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Timer {
    view: ViewId,
    record: RecordId,
}

impl Engine {
    /// An engine without state, whose first event will have offset `next_offset` or a later one.
    pub fn new(plan: Arc<Plan>, settings: Settings, partition: i32, next_offset: i64) -> Self {
        let tables = plan.tables.iter().map(|table| {
            let mut empty = Vec::with_capacity(table.stride);
            for view in &table.views {
                empty.extend([-1, i64::MIN]);
                match view.kind {
                    Kind::Session { .. } => {
                        empty.extend([i64::MIN, 0, i64::MAX]);
                        empty.extend_from_slice(&view.pane.empty);
                    }
                    Kind::Sliding { ring, .. } => {
                        empty.extend([i64::MIN, i64::MIN, i64::MIN]);
                        for _ in 0..ring {
                            empty.extend_from_slice(&view.pane.empty);
                        }
                    }
                    Kind::Last { .. } => empty.push(0),
                    Kind::Lifetime => empty.extend_from_slice(&view.pane.empty),
                }
            }
            Table::new(table.stride, empty)
        });
        let tables = tables.collect();
        let lists = || {
            let of_table = |table: &plan::TablePlan| vec![Vec::new(); table.views.len()];
            plan.tables.iter().map(of_table).collect::<Vec<_>>()
        };
        Self {
            tables,
            listed: lists(),
            dirty: lists(),
            dirty_rows: 0,
            arena: Arena {
                pools: Pools::default(),
                symbols: Symbols::default(),
                buffer: Vec::new(),
            },
            wheel: Wheel::default(),
            repeats: Repeats::new(settings.repeat_horizon, settings.most_repeats),
            newest: i64::MIN,
            watermark: i64::MIN,
            next_offset,
            counts: Counts {
                late: vec![0; plan.places.len()],
                ..Counts::default()
            },
            due: Vec::new(),
            key: Vec::new(),
            scratch: Vec::new(),
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

    /// Bytes of the records, an estimate that leaves out sketches and lists.
    pub fn bytes(&self) -> usize {
        let tables: usize = self.tables.iter().map(Table::bytes).sum();
        tables + self.repeats.len() * 32
    }

    /// A message that is no event has been read.
    pub fn skip(&mut self, offset: i64) {
        self.next_offset = self.next_offset.max(offset + 1);
    }

    /// Counts an event: row `row` of a batch, at `offset`. Its effective time is at most `ceiling`.
    pub fn apply<O: Observer>(
        &mut self,
        events: &Events,
        row: usize,
        offset: i64,
        ceiling: i64,
        observer: &mut O,
    ) {
        if offset < self.next_offset {
            return;
        }
        self.next_offset = offset + 1;
        let time = events.time(row);
        let effective = time.min(ceiling);
        let id = events.text(self.plan.event_id, row);
        let id = id.expect("an event without an id is no event: the decoder refuses it");
        let newest = self.newest.max(effective);
        match (self.repeats).see(hash(id.as_bytes()), effective, newest, self.watermark) {
            Known::New => {}
            Known::Beyond => self.counts.beyond_horizon += 1,
            Known::Repeat => {
                self.counts.repeats += 1;
                return;
            }
        }
        self.counts.events += 1;
        self.counts.future_clocks += u64::from(time > ceiling);
        if effective > self.newest {
            self.newest = effective;
            self.pass(effective - self.settings.lateness, observer);
        }
        let plan = Arc::clone(&self.plan);
        let event = Seen {
            time,
            filters: pane::filters(&plan.filters, events, row),
            cells: Cells::Row(events, row),
        };
        for (number, table) in plan.tables.iter().enumerate() {
            if pane::encode(events, row, &table.entity, &mut self.key) {
                self.count(number, table, &event, effective, offset);
            }
        }
    }

    /// Counts an event in the views of one entity.
    fn count(
        &mut self,
        number: usize,
        table: &plan::TablePlan,
        event: &Seen<'_>,
        effective: i64,
        offset: i64,
    ) {
        let hashed = hash(&self.key);
        let mut found = self.tables[number].find(hashed, &self.key);
        for (index, view) in table.views.iter().enumerate() {
            let id = ViewId::new(number, index);
            if self.is_late(view.kind, effective) {
                self.counts.late[view.number] += 1;
                continue;
            }
            let record =
                *found.get_or_insert_with(|| self.tables[number].insert(hashed, &self.key));
            // Forgotten, but its last row was not taken yet: it never will be, this event begins anew.
            let header = self.tables[number].header(record);
            if header.alive & id.bit() == 0 && header.dirty & id.bit() != 0 {
                self.empty(id, record);
            }
            let words = &mut self.tables[number].record(record)[view.at..view.at + view.words];
            words[VERSION] = offset;
            words[EVENT_TIME] = words[EVENT_TIME].max(event.time);
            let arena = &mut self.arena;
            match view.kind {
                Kind::Lifetime => arena.apply(&view.pane, &mut words[plan::HEAD..], event),
                Kind::Last { events } => keep_last(arena, view, words, events, event),
                Kind::Sliding { every, ring, .. } => {
                    let newest = self.newest.div_euclid(every);
                    clean_panes(arena, view, words, newest, ring);
                    let pane = effective.div_euclid(every);
                    words[FILLED_PANE] = words[FILLED_PANE].max(pane);
                    words[SHOWN_PANE] = newest;
                    arena.apply(&view.pane, pane_words(view, words, pane, ring), event);
                    let header = self.tables[number].header_mut(record);
                    if header.listed & id.bit() == 0 {
                        header.listed |= id.bit();
                        self.listed[number][index].push(record);
                    }
                }
                Kind::Session { gap, ends_on, .. } => {
                    words[SEEN_AT] = words[SEEN_AT].max(effective);
                    words[PHASE] = 0;
                    arena.apply(&view.pane, &mut words[PANES..], event);
                    if ends_on.is_some_and(|filter| event.filters >> filter & 1 == 1)
                        && value::is_over(view, words, &arena.symbols)
                    {
                        words[PHASE] = ENDED;
                    }
                    let ends = words[SEEN_AT].saturating_add(gap);
                    if ends < words[TIMER] {
                        words[TIMER] = ends;
                        self.wheel.set(ends, Timer { view: id, record });
                    }
                }
            }
            self.tables[number].header_mut(record).alive |= id.bit();
            self.mark(id, record);
        }
    }

    /// Whether the last window that an event belongs to has ended, or the session it may belong to is forgotten.
    fn is_late(&self, kind: Kind, effective: i64) -> bool {
        match kind {
            Kind::Sliding { every, panes, .. } => {
                (effective.div_euclid(every) + panes) * every <= self.watermark
            }
            Kind::Session { gap, keep, .. } => {
                effective.saturating_add(gap + keep).lt(&self.watermark)
            }
            Kind::Last { .. } | Kind::Lifetime => false,
        }
    }

    /// Notes that a row has changed.
    fn mark(&mut self, view: ViewId, record: RecordId) {
        let header = self.tables[view.table()].header_mut(record);
        if header.dirty & view.bit() == 0 {
            header.dirty |= view.bit();
            self.dirty[view.table()][view.place()].push(record);
            self.dirty_rows += 1;
        }
    }
}

/// Keeps an event among the newest.
fn keep_last(
    arena: &mut Arena,
    view: &plan::ViewPlan,
    words: &mut [i64],
    events: usize,
    event: &Seen<'_>,
) {
    // A full ring gives the place of its oldest event to the new one, so that nothing is allocated.
    let ring = arena.pools.rings.of(&mut words[RING]);
    let mut kept = Kept::default();
    if ring.len() >= events {
        if ring.front().is_some_and(|oldest| event.time < oldest.time) {
            return;
        }
        kept = ring.pop_front().expect("a full ring has an oldest event");
    }
    arena.cells(&view.pane, event, &mut kept.cells);
    kept.time = event.time;
    kept.filters = event.by_feature(&view.pane);
    let ring = arena.pools.rings.of(&mut words[RING]);
    let at = ring.partition_point(|kept| kept.time <= event.time);
    ring.insert(at, kept);
}

/// Empties the panes that time has reached since this record was last touched.
fn clean_panes(
    arena: &mut Arena,
    view: &plan::ViewPlan,
    words: &mut [i64],
    newest: i64,
    ring: i64,
) {
    let clean = words[NEWEST_PANE];
    if newest <= clean {
        return;
    }
    for pane in (newest - ring + 1).max(clean.saturating_add(1))..=newest {
        let words = pane_words(view, words, pane, ring);
        arena.clear(&view.pane, words);
    }
    words[NEWEST_PANE] = newest;
}

/// The words of a pane of a sliding window.
fn pane_words<'w>(
    view: &plan::ViewPlan,
    words: &'w mut [i64],
    pane: i64,
    ring: i64,
) -> &'w mut [i64] {
    let width = view.pane.empty.len();
    let place = usize::try_from(pane.rem_euclid(ring)).expect("a remainder is not negative");
    let at = PANES + place * width;
    &mut words[at..at + width]
}
