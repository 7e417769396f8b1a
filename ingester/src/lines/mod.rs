//! Messages and lines: a sample of a topic as lines of JSON, and lines of JSON as messages of a topic. For whoever gets to know a
//! click-stream (`userflow-jobs new-domain`), or wants to try a domain with events of their own.
//!
//! Not here: events that are made up (`simulate`), files that go into the lake without Kafka (`bronze/load`).

mod sample;
mod send;

pub use sample::run as sample;
pub use send::run as send;
