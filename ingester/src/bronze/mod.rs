//! Kafka and files to bronze, exactly once.
//!
//! ```text
//! worker (one thread, whole partitions)                      the lake
//!   poll ─▶ decode ─┬▶ rows  ─▶ Parquet per date ─┐
//!                   └▶ quarantine (bytes, reasons) ├▶ flush: quarantine commit, then bronze commit
//!   rebalance ─▶ flush, re-read positions ◀────────┘         (rows + next offsets, one version)
//! ```
//!
//! The Kafka position lives in the table: a bronze commit carries the rows of an offset range and, per Kafka partition,
//! the **next** offset (a Delta `txn`). So rows and position become visible together or not at all. A worker commits
//! only if the positions are where its range starts ([`flush`]); if not, another process owns the partition, and what
//! this one holds is dropped and read again from the table's position.
//!
//! The quarantine has positions of its own and is committed first. So everything below bronze's position has been
//! quarantined if it had to be, and after a crash between the two commits the quarantine itself says which messages are there
//! already ([`kept`]): they become no rows, whatever the contract says by then.
//!
//! [`buffer`]: messages to encoded files. [`quarantine`]: the rejected ones. [`by_date`], [`files`]: rows of either to a file per date.
//! [`budget`]: how much memory for what. [`positions`], [`app_ids`]: where to read on, and under which names the tables know it.
//! [`flush`]: the two commits. [`worker`]: the loop; [`burst`]: what it reads. [`service`]: threads, the end; [`shared`], [`progress`],
//! [`others`], [`partitions`], [`totals`], [`summary`]: what workers share, how far all is, what was done; [`status`]: what people see of it. [`lag`]: how far behind. [`load`](mod@load): the same from files. Consumer-group offsets are
//! for lag displays only.

mod app_ids;
mod budget;
mod buffer;
mod burst;
mod by_date;
mod files;
mod flush;
mod kept;
mod lag;
mod lake_wait;
mod load;
mod others;
mod partitions;
mod positions;
mod progress;
mod quarantine;
mod service;
mod shared;
mod status;
mod summary;
mod tables;
mod totals;
mod worker;

pub use lag::run as lag;
pub use load::run as load;
pub use service::run;
