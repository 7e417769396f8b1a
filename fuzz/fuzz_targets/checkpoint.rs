//! Any bytes as a checkpoint, and as its inside: `cargo fuzz run checkpoint`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| userflow_engine::fuzz::checkpoint(bytes));
