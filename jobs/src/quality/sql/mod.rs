//! Checks as SQL over the rows of one window.
//!
//! Row-level checks (and sequences, which need the row before) become flags of one scan: per check the rows that it is about and
//! those that fail, and the rows that fail any check of severity error. What cannot be seen on a row is a query of its own.

mod counts;
mod margin;
mod names;
mod queries;
mod scan;

pub(super) use counts::{counts, examples};
pub(super) use margin::within_margin;
pub(super) use names::{LANDED, QUARANTINE, ROWS, SAMPLE};
pub(super) use queries::{Queries, freshness, queries};
pub(super) use scan::Scan;
