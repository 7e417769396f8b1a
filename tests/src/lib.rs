//! What tests share: the real broker, the real binaries, reading the lake back, and a store that fails.
//!
//! The tests themselves are in `tests/tests/it`, one file per guarantee; what only tests of the online store need (a real
//! PostgreSQL) is there too, in `postgres.rs` and `online/`. They need `USERFLOW_TEST_BROKERS` (a real Apache Kafka),
//! `USERFLOW_TEST_POSTGRES_URL` (both of which `make test` starts) and the release binaries, and say so when one is missing.

pub mod broker;
pub mod faulty;
pub mod figure;
pub mod lake;
pub mod process;
pub mod proxy;
pub mod s3;
pub mod seed;
pub mod service;
pub mod shapes;
