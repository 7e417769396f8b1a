//! Every metric of serving, named here and nowhere else.

use prometheus::{HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use userflow_process::metrics::{Error, Registry};

/// Bounds of the buckets: an answer from Redis takes less than a millisecond.
const BUCKETS: [f64; 12] = [
    0.000_25, 0.000_5, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.25, 1.0, 5.0,
];

/// What is counted.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    /// Requests for features, by service and HTTP status.
    pub(crate) requests: IntCounterVec,
    /// Seconds from a request's head to its answer, by service.
    pub(crate) request_seconds: HistogramVec,
    /// Values sent, by view and status.
    pub(crate) values: IntCounterVec,
    /// Seconds that a store took, by store.
    pub(crate) read_seconds: HistogramVec,
    /// Reads that a store failed, by store.
    pub(crate) read_failures: IntCounterVec,
    /// Whether a store is left alone because it failed, by store.
    pub(crate) store_away: IntGaugeVec,
    /// Connections of clients.
    pub(crate) connections: IntGauge,
    /// Connections that were closed at once, because there were too many.
    pub(crate) refused_connections: IntCounter,
}

impl Metrics {
    /// Registers all metrics.
    pub(crate) fn new() -> Result<Self, Error> {
        let registry = Registry::new("userflow_serving")?;
        let metrics = Self {
            requests: registry.counters(
                "requests_total",
                "Requests for features, by feature service and HTTP status",
                &["service", "status"],
            )?,
            request_seconds: registry.seconds_by(
                "request_seconds",
                "Seconds from a request to its answer, by feature service",
                "service",
                &BUCKETS,
            )?,
            values: registry.counters(
                "values_total",
                "Values sent, by view and status",
                &["view", "status"],
            )?,
            read_seconds: registry.seconds_by(
                "read_seconds",
                "Seconds that a store took to answer",
                "store",
                &BUCKETS,
            )?,
            read_failures: registry.counters(
                "read_failures_total",
                "Reads that a store failed or answered too late",
                &["store"],
            )?,
            store_away: registry.gauges(
                "store_away",
                "1 while a store is left alone because it failed",
                "store",
            )?,
            connections: registry.gauge("connections", "Connections of clients")?,
            refused_connections: registry.counter(
                "refused_connections_total",
                "Connections that were closed at once, because there were too many",
            )?,
            registry,
        };
        // A failure that has not happened is 0, and not nothing.
        metrics.read_failures.with_label_values(&["postgres"]);
        Ok(metrics)
    }

    /// All metrics as Prometheus text.
    pub(crate) fn render(&self) -> String {
        self.registry.render()
    }
}
