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
//! * `state`: an engine; `apply`: events change it; `time`: so does time; `exact`: windows whose events leave one by one; `sessions`: those without an id; `take`: changed rows leave it. `settings`, `observer`: what callers say.
//! * `plan`, `layout`, `compile`, `filter`: views compiled to where state lies. `events`, `event`, `key`: a batch as views see it; `dimension`, `join`: what is joined to it.
//! * `pane`, `merge`, `lists`, `sketch`: what state means. `patterns`, `absence`, `run`: the same of patterns. `table`, `pool`, `symbols`, `ids`, `session_list`: where it lies. `wheel`: timers. `dedup`: events sent
//!   again.
//! * `gathered`, `rows`, `value`: state as columns of Arrow. `snapshot`, `restore`, `summary`, `segment`, `pattern_bytes`, `bytes`: state as bytes.
//!
//! Times are microseconds UTC. Event time is what the event says; a clock that is ahead is capped for windows and the watermark
//! (*effective* time), never in values. The watermark is the newest effective time minus the allowed lateness; an event moves time
//! first and is counted then.

mod absence;
mod apply;
mod bytes;
mod compile;
mod dedup;
mod dimension;
mod event;
mod events;
mod exact;
mod filter;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod gathered;
mod hash;
mod ids;
mod join;
mod key;
mod layout;
mod lists;
mod merge;
mod observer;
mod pane;
mod pattern_bytes;
mod patterns;
mod plan;
mod pool;
mod restore;
mod rows;
mod run;
mod segment;
mod session_list;
mod sessions;
mod settings;
mod sketch;
mod snapshot;
mod state;
mod summary;
mod symbols;
mod table;
mod take;
mod time;
mod value;
mod wheel;

pub use bytes::RestoreError;
pub use dimension::Dimension;
pub use events::Events;
pub use observer::{Nobody, Observer};
pub use plan::Plan;
pub use rows::RowsBuilder;
pub use settings::{Counts, Settings};
pub use state::Engine;
pub use summary::{EntitySummary, Restored, StoreMark, Summary, ViewSummary, inspect};
