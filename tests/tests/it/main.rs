//! End to end, on real servers and the real binaries; one file per guarantee.

mod agreement;
mod certificates;
mod evolution;
mod exactly_once;
mod failpoints;
mod faults;
mod full_disk;
mod identity;
mod ingest_cli;
mod kafka;
mod lag;
mod ledger;
mod load;
mod memory;
mod memory_limit;
mod new_domain;
mod online;
mod postgres;
mod redis;
mod replay;
mod walk;
