//! The operations tables in PostgreSQL: what jobs did (`ops.job_runs`) and what their checks found (`ops.quality_log`).
//!
//! It is a log: jobs read it only to tell whether a success is a recovery. So a job whose tables are published never fails because
//! PostgreSQL is away; what could not be written is logged as an error. Times are PostgreSQL's, because jobs read no clock.

mod args;
mod entry;
mod journal;
mod migrations;
mod trend;

pub use args::OpsArgs;
pub use journal::Journal;
pub use migrations::{check, migrate};
pub use trend::{Trend, trend};
