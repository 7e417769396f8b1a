//! The log entry of one version as userflow writes and reads it: the narrow part of the Delta protocol that a commit
//! and its conflict check need. Unknown actions and fields are passed over.
//!
//! Source: the Delta transaction log protocol, sections "Actions" and "Delta Log Entries".

mod action;
mod change;
mod entry;

pub(crate) use action::{Action, Add, Remove, Txn};
pub use change::Change;
pub(crate) use entry::{entry_path, folder, read_entry, read_entry_once, render_entry};
