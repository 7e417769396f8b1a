//! Quality: whether the rows of one window of a table are fit to be built on.
//!
//! ```text
//! checks of the .yml ─▶ sql (one scan for all row-level ones, a query for each other) ─▶ audit (counts, samples) ─▶ verdicts
//! files' statistics  ─▶ anomaly (against the seven windows before) ───────────────────────────────────────────────┘
//! ```
//!
//! `run` and `backfill` judge a candidate, which no version of the table has yet, and publish it or not; `check` judges what is
//! published. Which checks there are is not known here (`userflow_models::project::quality`), nor where verdicts are kept
//! ([`crate::ops`]).

mod anomaly;
mod audit;
mod of_seeds;
mod others;
mod plan;
mod refusals;
mod sample;
mod sql;
mod subject;
mod verdict;

pub use anomaly::anomalies;
pub use audit::audit;
pub use of_seeds::judge_seeds;
pub use plan::plan;
pub use subject::Subject;
pub use verdict::{Report, Status, Verdict};
