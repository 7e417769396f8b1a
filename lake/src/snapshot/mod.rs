//! One version of a table. Log replay is delta-rs's.
//!
//! ```text
//! load (delta-rs, asked again when it raced) ─▶ protocol (may we read it?) ─▶ version (schema, files) ─▶ contents (of a file)
//! ```
//!
//! The `txn` of a version: `txn.rs`.

mod contents;
mod load;
mod protocol;
mod version;

pub use version::Snapshot;
