//! One event: a small record, so that millions of open sessions fit into memory. What it is written as is in `message`.

/// What one event has of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    /// When it happens, in milliseconds since 1970.
    pub(crate) at: i64,
    /// Whether a run with a clock of its own has told the event's time already, see `clock.rs`.
    pub(crate) told: bool,
    pub(crate) id: [u64; 2],
    /// The fields left out by chance, as bits.
    pub(crate) omitted: u64,
    /// Milliseconds since the session's first event.
    pub(crate) elapsed_ms: u32,
    pub(crate) counter: u32,
    /// In thousandths.
    pub(crate) progress: u16,
    pub(crate) step: u8,
    /// Its place among the valid events of the session; garbage has that of the event that it was made of.
    pub(crate) place: u32,
    /// Its row of the catalogue.
    pub(crate) row: u32,
    pub(crate) quantity: u8,
    /// How it is written.
    pub(crate) form: u8,
    /// What is wrong with it, if it is garbage.
    pub(crate) variant: Option<u16>,
    /// What is wrong with it although it is valid.
    pub(crate) damage: Option<u8>,
}
