//! What userflow's events and tables mean: contracts, the decoder made from them, and the SQL models.
//!
//! Meaning only: nothing here talks to Kafka, to a lake or to a database, and the only input is files below `models/`.
//! The words of a domain stand in those files, never in this crate.

pub mod bronze;
pub mod cases;
pub mod contract;
pub mod decode;
pub mod domain;
mod duration;
mod error;
pub mod features;
mod number;
pub mod project;
pub mod publish;
pub mod services;

pub use error::{ConfigError, Problem};

/// Whether an error of a model stays as long as nobody changes the files, so that no retry helps.
pub fn no_retry_helps(error: &(dyn std::error::Error + 'static)) -> bool {
    error.is::<ConfigError>()
}
