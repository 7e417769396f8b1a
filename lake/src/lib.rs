//! The lake: what a Delta table is to userflow, and the only code that writes one.
//!
//! ```text
//! rows ─▶ file (Parquet + statistics) ─▶ commit (put-if-absent of the next log entry) ─▶ table version
//!          └ file/                        └ commit/: compare, then write                 └ snapshot/ reads it back
//! ```
//!
//! Here: opening a folder or bucket ([`Lake`]), creating a table and adding columns ([`Table`]), reading a version
//! ([`Snapshot`]), Parquet files with Delta statistics ([`FileWriter`]), the compare-and-commit protocol ([`Commit`],
//! [`Guard`]), the change feed that `plan` reads ([`Change`]), upkeep (checkpoint, vacuum, lock), and the points at which tests end
//! the process ([`failpoint`]).
//! Not here: what the columns mean (`models`), Kafka (`ingester`), queries (`jobs`).
//!
//! Why the commit is ours: delta-rs 1.x records transaction identifiers without enforcing them, lets two OPTIMIZE runs
//! duplicate rows, and re-reads all files for each commit. The log protocol itself is small: the entry for version
//! *n* + 1 is created only if it does not exist, and whoever finds it taken reads what the winner did and decides. All
//! guarantees of userflow rest on that one operation, so it is written down once, in [`commit`](mod@commit). Log replay and
//! checkpoints are delta-rs's; vacuum is ours (`upkeep.rs`).
//!
//! Modules use one another in one direction only:
//!
//! ```text
//! error, partition, retry ─▶ location ─▶ table ─▶ file, log ─▶ txn, snapshot, lock, uncommitted ─▶ commit ─▶ columns, upkeep
//! ```

mod columns;
pub mod commit;
mod error;
pub mod failpoint;
mod file;
mod location;
mod lock;
mod log;
mod name;
mod partition;
mod retry;
mod retrying_store;
mod schema;
mod snapshot;
mod table;
mod txn;
mod uncommitted;
mod upkeep;

pub use columns::{ColumnMatch, Created, TableSpec};
pub use commit::{Commit, Guard};
pub use error::{CommitError, LakeError, no_retry_helps};
pub use file::{DataFile, EncodedFile, FileWriter, NewFile, WriteSettings};
pub use location::Lake;
pub use lock::TableLock;
pub use log::Change;
pub use name::TableName;
pub use partition::PARTITION;
pub use retry::RetryPolicy;
pub use snapshot::Snapshot;
pub use table::Table;
pub use txn::Txns;
