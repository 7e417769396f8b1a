//! What the end-to-end tests share: the real broker, the real binaries, and reading the lake back.
//!
//! The tests themselves are in `tests/tests/it`, one file per guarantee. They need `USERFLOW_TEST_BROKERS` (a real Apache
//! Kafka, which `make test` starts) and the release binaries, and say so when either is missing.

pub mod broker;
pub mod lake;
pub mod process;
