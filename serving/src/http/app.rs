//! What all endpoints share.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use userflow_process::health::Health;

use super::tokens::Access;
use crate::config::LimitArgs;
use crate::metrics::Metrics;
use crate::plan::Catalogue;
use crate::store::Stores;

/// What all endpoints share.
pub(crate) struct App {
    pub(crate) catalogue: Catalogue,
    pub(crate) stores: Stores,
    pub(crate) access: Access,
    pub(crate) limits: LimitArgs,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) health: Health,
    /// Room for streams.
    pub(crate) streams: Arc<Semaphore>,
    /// True when streams and connections are to end.
    pub(crate) stop: watch::Receiver<bool>,
    /// The time now, microseconds since 1970.
    pub(crate) now: fn() -> i64,
}
