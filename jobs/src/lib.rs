//! Batch jobs: silver and gold tables from bronze, one `(model, window)` at a time.
//!
//! ```text
//! model + window ─▶ SQL ─▶ DataFusion over pinned snapshots ─▶ Parquet ─▶ audit ─▶ one commit that replaces the window's partition
//! compile          run/query                                 run/output  quality   run/window  └ with the versions it read (lineage)
//! ```
//!
//! A run's result is a function of the versions it read: no job looks at a clock, and the SQL functions that would (`now`,
//! `random`, ...) do not exist in our sessions. Not here: what the models mean (`models/`), how a table is written (`lake/`), when a
//! job runs (the DAGs).

pub mod backfill;
pub mod backoff;
pub mod check;
pub mod cli;
pub mod compile;
pub mod config;
pub mod declared;
pub mod docs;
pub mod engine;
pub mod functions;
pub mod grain;
pub mod init;
pub mod lineage;
pub mod list;
pub mod maintain;
pub mod memory;
pub mod notify;
pub mod online;
pub mod ops;
pub mod plan;
pub mod postgres;
pub mod print;
pub mod quality;
pub mod quarantine;
pub mod register;
pub mod replay;
pub mod reporting;
pub mod run;
pub mod scan;
pub mod seeds;
pub mod show;
pub mod spill;
pub mod summary;
pub mod trino;
pub mod workspace;
