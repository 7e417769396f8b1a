//! The operations tables in PostgreSQL: what jobs did (`ops.job_runs`) and what their checks found (`ops.quality_log`).
//!
//! A log and nothing more: no job decides anything by it but whether a success is a recovery. So PostgreSQL going away never fails a
//! job whose tables are published; what could not be written is said loudly. Times are PostgreSQL's, because jobs read no clock.

mod args;
mod entry;
mod journal;
mod migrations;
mod trend;

pub use args::OpsArgs;
pub use journal::Journal;
pub use migrations::{check, migrate};
pub use trend::{Trend, trend};
