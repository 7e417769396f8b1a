//! Kafka to the online store: every feature view of a domain, live from its first event, final at the end of its windows, exact after a
//! crash.
//!
//! ```text
//! Kafka ─▶ worker (one thread, whole partitions) ─▶ decoder ─▶ engine (one per partition, pure) ─▶ changed rows
//!             ▲ start: offset of the checkpoint                     │                              └▶ store: one guarded upsert
//!             └──────────────── checkpoints ◀── state + next offset ┘
//! ```
//!
//! * `userflow_engine`: events and time in, rows out. All meaning is there; nothing else here knows what a window is.
//! * `worker` schedules four parts that own their state and know nothing of Kafka: `intake` (messages of a `burst`), `partitions` (the
//!   engines), `flusher` (rows on their way), `checkpointer` (states on theirs).
//! * Around them: `claim` and `restore` (how a partition is taken), `rows_out` and `delivery` (how rows get into the store),
//!   `checkpoint_writer` and `checkpoints` (how states become objects), `expiry` (rows beyond their ttl), `fences` (others that claim what
//!   is ours), `report` (metrics).
//! * `store`: the door to the online store. A row gives way only to a newer one, and only the owner of a partition writes.
//! * `service`: threads, targets, the end; `setup`: what they need; `dimensions`: what events are joined with; `shared`: what they share; `progress`: how far; `summary`: what it was;
//!   `status`: what people see of it meanwhile.
//!
//! Why nothing is lost or counted twice: a checkpoint is taken when every row that its state made is in the store, so a restart from it
//! makes the later rows again, the same ones, and a row that was written before gives way only to one as new. Group offsets are for
//! lag displays only.

mod burst;
mod checkpoint_writer;
mod checkpointer;
mod checkpoints;
mod claim;
mod delivery;
mod dimensions;
mod expiry;
mod fences;
#[cfg(test)]
mod fixture;
mod flusher;
mod intake;
mod partitions;
mod progress;
mod report;
mod restore;
mod rows_out;
mod service;
mod setup;
mod shared;
mod state_limit;
mod status;
mod store;
mod summary;
mod time;
mod worker;

pub use service::run;
