//! The seed of a random test: new each time, and the same again when somebody says so.

use std::hash::{BuildHasher, Hasher, RandomState};

use anyhow::{Context, Result};

/// What `USERFLOW_TEST_SEED` says, or a new one. It is printed, so that the output of a failed test has it.
#[expect(
    clippy::print_stdout,
    reason = "the seed is part of a failed test's output"
)]
pub fn seed() -> Result<u64> {
    let seed = match std::env::var("USERFLOW_TEST_SEED") {
        Ok(text) => text.parse().context("USERFLOW_TEST_SEED is no number")?,
        Err(_) => RandomState::new().build_hasher().finish(),
    };
    println!("seed {seed} (repeat with USERFLOW_TEST_SEED={seed})");
    Ok(seed)
}
