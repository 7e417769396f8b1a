//! Batch features online: what the `publish` block of a model's `.yml` says, and the statements of its table in PostgreSQL.
//!
//! ```text
//! config: {meta: {publish: {…}}} ─▶ read ─▶ BatchView ─▶ sql: table, what readers see, the comparison of a partition with it
//! ```
//!
//! A batch view has a table of its own, and not columns in the table of its entity: the rows there belong to whoever owns a Kafka partition
//! and carry its offsets, and a batch job owns none. Readers cannot tell the two apart: `online.<view>` is a SQL view with the key, the
//! features, `event_time`, `version` and `updated_at` either way.
//!
//! [`sql`]: the statements. `view`: what a view is. `read`: how it is written. Not here: which partition is published when (the jobs crate), streaming views (`crate::features`).

mod read;
pub mod sql;
mod view;

pub use read::views;
pub use view::{BatchView, sql_type, version};
