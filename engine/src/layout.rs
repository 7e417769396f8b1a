//! Where the state of a view lies: the words of a record, and what one feature keeps in them.
//!
//! Not here: how a view becomes such a layout (`compile.rs`), what is done with the words (`pane.rs`, `merge.rs`).

use userflow_models::features::FeatureView;
use userflow_models::features::online::Stored;

use super::ids::ColumnId;
use super::run::RunPlan;

/// One entity.
pub(super) struct TablePlan {
    pub(super) entity: Vec<ColumnId>,
    /// The names of the columns that make a key.
    pub(super) names: Vec<String>,
    /// Of sessions without an id: the key ends with a session's start. Such a table has one view.
    pub(super) by_start: bool,
    pub(super) views: Vec<ViewPlan>,
    /// Words of a record.
    pub(super) stride: usize,
}

/// One view.
pub(super) struct ViewPlan {
    /// Its number in the order given.
    pub(super) number: usize,
    pub(super) view: FeatureView,
    pub(super) stored: Vec<Stored>,
    /// Where its words begin in the record.
    pub(super) at: usize,
    /// How many they are.
    pub(super) words: usize,
    pub(super) kind: Kind,
    pub(super) pane: PanePlan,
    /// The features that are patterns: their places.
    pub(super) patterns: Vec<usize>,
}

/// A window as the engine keeps it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Session {
        gap: i64,
        keep: i64,
        ends_on: Option<usize>,
    },
    Sessions {
        gap: i64,
        keep: i64,
    },
    /// `panes` make a window, `ring` of them are kept: windows stay open for the allowed lateness after newer ones began.
    Sliding {
        every: i64,
        panes: i64,
        ring: i64,
    },
    Exact(Exact),
    Last {
        events: usize,
    },
    Lifetime,
}

/// A window that moves with every event (`exact.rs`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Exact {
    pub(super) size: i64,
    /// Events of an entity that are kept one by one; older ones are kept in panes.
    pub(super) most: usize,
    /// Width of those panes.
    pub(super) width: i64,
    /// How long after its last event a record is kept: no event that comes then is older than those forgotten.
    pub(super) keep: i64,
}

/// The words of one pane: a part of the time in which all features are computed alike.
pub(super) struct PanePlan {
    /// By feature; ratios and cases keep nothing.
    pub(super) slots: Vec<Slot>,
    pub(super) empty: Vec<i64>,
}

/// What one feature keeps in a pane.
pub(super) struct Slot {
    /// Where its words begin in the pane.
    pub(super) at: usize,
    pub(super) accumulator: Accumulator,
    /// The filter that its events must pass.
    pub(super) filter: Option<usize>,
    /// The column is a text: its words are symbols.
    pub(super) text: bool,
    /// Decimals of the column's unit.
    pub(super) column_scale: u32,
}

/// The words of a feature. Numbers in brackets: how many.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Accumulator {
    /// Nothing: computed from others.
    Nothing,
    /// (1) events.
    Count,
    /// (3) low and high half of the sum, values in it.
    Sum { column: ColumnId },
    /// (1) the value; the largest number for none.
    Min { column: ColumnId },
    /// (1) the value; the smallest number for none.
    Max { column: ColumnId },
    /// (2) time and value; the largest time for none.
    First { column: ColumnId },
    /// (2) time and value; the smallest time for none.
    Last { column: ColumnId },
    /// (1) a list of times and values.
    Newest { column: ColumnId, n: usize },
    /// (1) a sketch.
    Sketch { columns: Vec<ColumnId>, size: usize },
    /// (1) a list of values and counts.
    Counts { column: ColumnId },
    /// (1) a list of values, counts and newest times.
    DatedCounts { column: ColumnId },
    /// (4) a list of times, the number of older ones, the newest of those, the newest end.
    Streak { until: usize },
    /// (4) see `absence.rs`; the filter of what is missed.
    Absence {
        without: usize,
        within: i64,
        detail: Option<ColumnId>,
    },
    /// (3) see `run.rs`.
    Run(RunPlan),
}

/// Words that every view has before its own: version and newest event time.
pub(super) const HEAD: usize = 2;
/// Word of a view with the version: the offset of its newest change.
pub(super) const VERSION: usize = 0;
/// Word of a view with the time of its newest event.
pub(super) const EVENT_TIME: usize = 1;
/// First word of a session's own: newest time that counts for the gap.
pub(super) const SEEN_AT: usize = HEAD;
/// Second word of a session's own: its phase.
pub(super) const PHASE: usize = HEAD + 1;
/// Third word of a session's and of an exact window's own: the timer that counts; others that were set before are void.
pub(super) const TIMER: usize = HEAD + 2;
/// First word of a sliding window's own: the newest pane that is clean.
pub(super) const NEWEST_PANE: usize = HEAD;
/// Second word of a sliding window's own: the newest pane with an event.
pub(super) const FILLED_PANE: usize = HEAD + 1;
/// Third word of a sliding window's own: the newest pane of the window that the row shows.
pub(super) const SHOWN_PANE: usize = HEAD + 2;
/// First word of an exact window's own: newest effective time of its events.
pub(super) const NEWEST_EVENT: usize = HEAD;
/// Second word of an exact window's own: the time of its newest change, by an event that came or one that left.
pub(super) const CHANGED_AT: usize = HEAD + 1;
/// Fourth word of an exact window's own, after [`TIMER`]: its events.
pub(super) const EVENTS: usize = HEAD + 3;
/// Where the panes of sessions and sliding windows begin.
pub(super) const PANES: usize = HEAD + 3;
/// The word of a `last` window: its ring of events.
pub(super) const RING: usize = HEAD;

/// Phase of a session that is over: a bit of the word [`PHASE`].
pub(super) const ENDED: i64 = 1;
/// Phase of a session that is over because nothing came: another bit.
pub(super) const TIMED_OUT: i64 = 2;
/// Phase of a session without an id that became part of another: another bit.
pub(super) const MERGED: i64 = 4;

/// Panes of a ring, as an index.
pub(super) fn panes_of(ring: i64) -> usize {
    usize::try_from(ring).expect("a window is made of one pane or more")
}

/// The words of a pane of a sliding window.
pub(super) fn pane_words<'w>(
    view: &ViewPlan,
    words: &'w mut [i64],
    pane: i64,
    ring: i64,
) -> &'w mut [i64] {
    let width = view.pane.empty.len();
    let place = usize::try_from(pane.rem_euclid(ring)).expect("a remainder is not negative");
    let at = PANES + place * width;
    &mut words[at..at + width]
}
