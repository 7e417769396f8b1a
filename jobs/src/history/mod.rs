//! The streaming engine over the lake: bronze holds every event with its Kafka partition, its offset and when it came, so the engine of
//! `sessionize` can be run over it and gives the rows that it gave live.
//!
//! ```text
//! bronze (one snapshot) ─▶ one Kafka partition after its offsets, or after event time ─▶ Player: engine, and the newest row of each
//!                                                                                        entity that is asked for
//! ```
//!
//! Every Kafka partition has a player of its own, as it has an engine of its own in `sessionize`. Not here: what is done with the rows
//! ([`crate::training_set`]), and the engine over events that somebody wrote down ([`crate::stream`]).

mod bronze;
mod player;

use std::fmt;

pub use bronze::{Arrivals, Bronze, Events, Source, contract_columns};
pub use player::{Answer, Player, Wanted};

/// What "as of a moment" means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum AsOf {
    /// All events that had happened by then, in the order in which they happened, as if none had come late
    EventTime,
    /// Only events that had come by then, in the order in which they came: what the online store would have answered
    Known,
}

impl fmt::Display for AsOf {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::EventTime => "event-time",
            Self::Known => "known",
        })
    }
}
