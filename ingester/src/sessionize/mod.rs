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
//! * `store`: PostgreSQL. A row gives way only to a newer one, and only the owner of a partition writes.
//! * `checkpoints`: state as objects. Rows are always written before the state that made them is kept.
//! * `worker`: the loop; `assignment`: how partitions come and go; `flush`: what is written when; `delivery`: a batch's way into the store, whatever that says. `service`: threads, targets, metrics, summary.
//!
//! Why nothing is lost or counted twice: a checkpoint is taken when every row that its state made is in the store, so a restart from it
//! makes the later rows again, the same ones, and a row that was written before gives way only to one as new. Group offsets are for
//! lag displays only.

mod assignment;
mod checkpoints;
mod delivery;
mod flush;
mod service;
mod state_limit;
mod store;
mod worker;

pub use service::run;
