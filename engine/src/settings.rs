//! What an engine is told, and what it counts.

/// How an engine treats time. All in microseconds of event time.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long a window waits for events that are late.
    pub lateness: i64,
    /// How long an event's identifier is remembered.
    pub dedup_horizon: i64,
    /// Most identifiers to remember.
    pub dedup_most: usize,
}

/// What happened, counted since the engine was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events counted in at least one view.
    pub events: u64,
    /// Repeats of an event within the horizon, dropped.
    pub repeats: u64,
    /// Events older than the horizon and not known: they may be repeats of forgotten ones, and count as new.
    pub beyond_horizon: u64,
    /// Identifiers forgotten early, because there were too many.
    pub repeats_forgotten: u64,
    /// Events whose time was capped.
    pub future_clocks: u64,
    /// Events that came after their last window had ended, by view.
    pub late: Vec<u64>,
    /// Events of exact windows that leave in a group, because their entity has more than are kept one by one; by view.
    pub grouped: Vec<u64>,
}
