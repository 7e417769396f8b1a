//! The online store's side of a view: the rows that the engine makes, and in PostgreSQL the table that the views of an entity share, the
//! upsert that fills it, and the SQL views that readers see.
//!
//! The table of an entity has one row per entity, with the columns of every view side by side. Where an entity's events may be in several
//! Kafka partitions it has one row per entity and partition. What readers see of a view is a SQL view of its name: the rows of the table, or
//! what merges the partials of an entity when it is read, from a SQL view `<name>__partials`.
//!
//! * `columns`: the columns of a view's rows and their types, for every store. All else here is PostgreSQL.
//! * `names`, `types`: words of SQL. `entity_table`: the shared table, its upsert and how a view's part of a row goes. `support`, `tables`,
//!   `merge`: statements that make all this. `shape`: what is there, compared with what should be. `refusal`: what an error means.
//!
//! Identifiers come from checked view files (`a-z`, `0-9`, `_`) and are quoted, because a contract may call a column `user` or
//! `order`; values are always bound.

mod columns;
mod entity_table;
mod merge;
mod names;
mod refusal;
mod shape;
mod support;
mod tables;
mod types;

pub(super) use columns::mergeable_in_last;
pub use columns::{Source, Stored, schema, stored};
pub use entity_table::{Column, Columns, EntityTable, Origin};
pub use merge::{OneBy, merging};
pub(crate) use names::short;
pub use names::{SCHEMA, UPDATED_AT, partials, relation, table};
pub use refusal::{REASONS, Refusal, reason, refusal};
pub use shape::{
    Found, SHAPE, changed_by_hand, differences, has, key_of, left_columns, support_differs,
    view_differs,
};
pub use support::SUPPORT;
pub use tables::{create, create_views, drop_columns, take_over};
pub use types::sql_type;
