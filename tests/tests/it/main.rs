//! End to end, on a real broker and the real binaries; one file per guarantee.

mod exactly_once;
mod faults;
mod ingest_cli;
mod ledger;
