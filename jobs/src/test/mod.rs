//! `test`: the cases of `models/<domain>/tests/*.yml`, played without a server.
//!
//! ```text
//! case ─▶ bytes ─▶ decoder ┬▶ streaming engine (crate::stream) ─▶ rows of feature views ┐
//!        (play)            ├▶ bronze in memory (tables) ─▶ SQL models ─▶ rows of tables ┼▶ judge ─▶ failures ─▶ report, junit
//!                          └▶ quarantine with reasons                                   ┘     └ twin: stream against batch
//! ```
//!
//! What a case says is read in `userflow_models::cases`. Not here: the merge of partials, which is SQL on PostgreSQL; the quality tests
//! of tables, which `run` judges; the checks that a lake makes (which dates a query reads).

mod args;
mod bench;
mod bronze;
mod equal;
mod expect;
mod failure;
mod judge;
mod junit;
mod play;
mod refusal;
mod report;
mod run;
mod select;
mod story;
mod tables;
mod twin;
mod watch;
#[cfg(test)]
mod wrong;

pub use args::{HELP, TestArgs};
pub use report::{Played, Report};
pub use run::{play_all, run};
