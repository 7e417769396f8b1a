//! What every binary of userflow needs and no domain knows.
//!
//! * How a process ends: [`exit`]. What it says meanwhile: [`logging`], and [`terminal`] for text that others wrote.
//! * What it is told: [`arguments`], [`units`], [`secret`], [`postgres`], [`redis`].
//! * What is asked of somebody else's table: [`postgres_table`].
//! * How it works: [`service`], [`workers`], [`allocation`], and [`standstill`] for a run that is to end.
//! * How it says whether it works: [`health`], [`metrics`], the page of [`status`] with the [`recent`] errors, and [`endpoints`], which serves
//!   them.
//!
//! Not here: Kafka, Delta, DataFusion, an event, a feature. This crate imports no other crate of userflow, so a new binary gets all of it
//! by one dependency.

pub mod allocation;
pub mod arguments;
pub mod endpoints;
pub mod exit;
pub mod health;
pub mod logging;
pub mod metrics;
pub mod postgres;
pub mod postgres_table;
pub mod recent;
pub mod redis;
pub mod secret;
pub mod service;
pub mod standstill;
pub mod status;
pub mod terminal;
pub mod units;
pub mod workers;
