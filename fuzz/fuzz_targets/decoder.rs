//! Any bytes as a message: `cargo fuzz run decoder`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| userflow_models::decode::fuzz::message(bytes));
