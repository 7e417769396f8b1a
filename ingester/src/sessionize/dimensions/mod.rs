//! The dimensions that views join: read at start, looked at while the process runs, and exchanged as a whole when they have changed.
//!
//! What cannot be read, or says something else than its declaration, takes the place of nothing: the rows of before go on, and log,
//! metrics and status page say so.
//!
//! * `current`: which rows are current, and what becomes of others.
//! * `files`: when a CSV file has changed. `csv`: a file's rows.
//! * `tables`: when a table of PostgreSQL has changed, and its rows.
//!
//! What a join does to events: `userflow_engine`. What is declared: `userflow_models::features`.

mod csv;
mod current;
mod files;
mod tables;

pub(super) use current::{Dimensions, Shown};
pub(super) use files::Files;
pub(super) use tables::InPostgres;
