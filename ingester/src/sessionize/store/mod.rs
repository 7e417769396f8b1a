//! The door to an online store: claims of partitions, guarded writes of rows, and what an error means.
//!
//! Each store is a folder of its own: `postgres`, which has every row, and `redis`, which has some beside it. Nothing outside such a folder knows which store it is, but the service, which chooses one
//! from the arguments. What all stores have in common: `interface` (what a store does), `layout` (keys), `batch` (parts of it), `aside` (a
//! row in words), `error` (by what is to be done).

mod aside;
mod batch;
mod error;
mod interface;
mod layout;
mod postgres;
mod redis;
#[cfg(test)]
pub(super) mod sample;

pub(super) use aside::Refused;
pub(super) use batch::Batch;
pub(super) use error::{Kind, StoreError};
pub(super) use interface::{Claim, OnlineStore, Taken, Written};
pub(super) use layout::Layout;
pub(super) use postgres::{Postgres, Tables};
pub(super) use redis::{REASONS as REDIS_TROUBLES, Redis};
