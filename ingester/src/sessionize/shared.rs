//! What all workers of a process share.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use userflow_models::contract::Contract;
use userflow_models::features::FeatureView;
use userflow_process::health::Health;
use userflow_process::workers::Stop;

use super::delivery::Delivery;
use super::dimensions::Dimensions;
use super::progress::Progress;
use super::restore::Restorer;
use super::store::{OnlineStore, Redis};
use crate::config::SessionizeArgs;
use crate::kafka::Connection;
use crate::metrics::SessionizeMetrics;

/// What all workers share.
pub(super) struct Shared {
    pub(super) args: SessionizeArgs,
    pub(super) connection: Connection,
    pub(super) topic: String,
    pub(super) topic_id: String,
    /// This process, for people who look at who owns a partition.
    pub(super) owner: String,
    pub(super) contract: Contract,
    pub(super) views: Vec<FeatureView>,
    pub(super) dimensions: Arc<Dimensions>,
    /// Most bytes of state, over all workers.
    pub(super) state_limit: usize,
    pub(super) store: Arc<dyn OnlineStore>,
    /// The cache beside it.
    pub(super) redis: Option<Redis>,
    pub(super) delivery: Arc<Delivery>,
    pub(super) restorer: Restorer,
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) metrics: Arc<SessionizeMetrics>,
    pub(super) stop: Arc<Stop>,
    pub(super) health: Health,
    pub(super) progress: Progress,
    pub(super) totals: Totals,
}

/// What a run has done.
pub(super) struct Totals {
    /// Rows written, by view.
    pub(super) rows: Vec<AtomicU64>,
    /// Writes.
    pub(super) flushes: AtomicU64,
}
