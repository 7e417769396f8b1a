//! Everything that touches Kafka, and what brings events in without it.
//!
//! * [`simulate`]: synthetic events, from data, to Kafka or a file.
//! * [`bronze`]: Kafka, or files, to the bronze and quarantine tables, exactly once.
//! * [`sessionize`]: Kafka to the online store, live.
//! * [`lines`]: a sample of a topic as lines, lines as messages of a topic.
//! * [`dev_broker`]: an embedded development broker for the demo.
//!
//! Not here: what an event means (`models`), how a table is committed (`lake`), anything computed from bronze (`jobs`).

pub mod bronze;
pub mod cli;
pub mod config;
pub mod dev_broker;
pub mod kafka;
pub mod lines;
pub mod metrics;
pub mod sessionize;
pub mod simulate;
