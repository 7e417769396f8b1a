//! Batch jobs: silver and gold tables from bronze, one `(model, window)` at a time.
//!
//! ```text
//! model + window ─▶ SQL ─▶ DataFusion over pinned snapshots ─▶ Parquet ─▶ audit ─▶ one commit that replaces the window's partition
//! compile          run/query                                 run/output  quality   run/window  └ with the versions it read (lineage)
//! ```
//!
//! * Commands: [`new_domain`], [`init`], [`list`], [`compile`], [`plan`], [`run`], [`backfill`], [`check`], [`maintain`], [`replay`], [`register`], [`publish`], [`show`],
//!   [`docs`], [`test`], [`preview`] (`try`). The arguments of each are beside it; [`cli`] lists them, [`config`] has what several share.
//! * What a command works with: [`workspace`], which holds the domains, the SQL models, the lake and the query [`engine`] ([`scan`],
//!   [`functions`], [`memory`], [`spill`]); feature views over events in memory: [`stream`], and over bronze: [`history`]; cells as [`value`]s; [`declared`] for what the files declare; [`seeds`]; [`lineage`]; [`quarantine`].
//! * What judges: [`quality`], [`grain`].
//! * What a command leaves behind: [`summary`] and [`print`] on standard output; through [`reporting`], the log in [`ops`] and a message by
//!   [`notify`]. [`online`] makes the online store's tables.
//! * Servers: [`postgres`], [`trino`].
//!
//! A run's result is a function of the versions it read: it reads no clock, and the SQL functions that would (`now`,
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
pub mod feast;
pub mod functions;
pub mod grain;
pub mod history;
pub mod init;
pub mod lineage;
pub mod list;
pub mod maintain;
pub mod memory;
pub mod new_domain;
pub mod notify;
pub mod online;
pub mod ops;
pub mod plan;
pub mod postgres;
pub mod preview;
pub mod print;
pub mod publish;
pub mod pull;
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
pub mod stream;
pub mod summary;
pub mod test;
pub mod training_set;
pub mod trino;
pub mod value;
pub mod workspace;
