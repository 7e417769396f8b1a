//! The jobs on a small domain of the tests' own, through the real binary, over a real lake folder and a real PostgreSQL
//! (USERFLOW_TEST_POSTGRES_URL; `database.rs` says how to get one).
//!
//! What the tables must hold is computed here by hand or by plain loops, and read back from the Parquet files without a query engine.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where what it needs is not there"
)]

mod backfills;
mod case_messages;
mod case_windows;
mod cases;
mod checks;
mod commands;
mod counts;
mod database;
mod disks;
mod docs;
mod failpoints;
mod faults;
mod gate;
mod init_online;
mod margins;
mod merged_sessions;
mod merges;
mod messages;
mod new_domain;
mod ops;
mod partials;
mod plans;
mod publish;
mod pull;
mod replay;
mod runs;
mod seeds;
mod skew;
mod spread;
mod ties;
mod training;
mod trials;
mod upkeep;
mod upserts;
mod world;
