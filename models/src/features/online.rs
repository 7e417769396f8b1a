//! The online store's side of a view: the rows that the engine makes, and in PostgreSQL the table, the upsert that fills it, and the SQL
//! view that merges partials.
//!
//! A view whose entities are local to a partition has a table of its own name with the features as readers see them. Any other
//! view has a table `<name>__partials` with one row per entity and Kafka partition, and a SQL view `<name>` that merges the
//! partials of an entity when it is read.
//!
//! * `columns`: the columns of a row and their types, for every store. All else here is PostgreSQL.
//! * `names`, `types`: words of SQL. `support`, `tables`, `upsert`, `merge`: statements. `shape`: what is there, compared with what
//!   should be. `refusal`: what an error means.
//!
//! Identifiers come from checked view files (`a-z`, `0-9`, `_`) and are quoted, because a contract may call a column `user` or
//! `order`; values are always bound.

mod columns;
mod merge;
mod names;
mod refusal;
mod shape;
mod support;
mod tables;
mod types;
mod upsert;

pub(super) use columns::mergeable_in_last;
pub use columns::{Source, Stored, schema, stored};
pub use names::{SCHEMA, table};
pub use refusal::{REASONS, Refusal, reason, refusal};
pub use shape::{
    Found, SHAPE, changed_by_hand, differences, key_of, support_differs, view_differs,
};
pub use support::SUPPORT;
pub use tables::{create, remove};
pub use types::sql_type;
pub use upsert::upsert;
