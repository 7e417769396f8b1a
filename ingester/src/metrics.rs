//! Every metric of the ingester, named here and nowhere else.

use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

/// The ingester's metrics.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Messages read from Kafka.
    pub messages: IntCounter,
    /// Rows committed to bronze.
    pub rows: IntCounter,
    /// Messages quarantined, by first reason.
    pub quarantined: IntCounterVec,
    /// Commits to bronze.
    pub commits: IntCounter,
    /// Seconds from the start of a flush to its commit.
    pub flush_seconds: Histogram,
    /// Times that another process turned out to own a partition.
    pub fenced: IntCounter,
    /// Offsets between the position in the table and the end of the partition, by partition.
    pub lag: IntGaugeVec,
    /// Bytes held in buffers, over all workers.
    pub buffered_bytes: IntGauge,
    /// Unix time of the newest event committed, in seconds.
    pub newest_event: IntGauge,
}

impl Metrics {
    /// Registers all metrics.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new_custom(Some("userflow_ingest".into()), None)?;
        let counter = |name: &str, help: &str| -> Result<IntCounter, prometheus::Error> {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let gauge = |name: &str, help: &str| -> Result<IntGauge, prometheus::Error> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let quarantined = IntCounterVec::new(
            Opts::new(
                "quarantined_total",
                "Messages quarantined, by their first reason",
            ),
            &["reason"],
        )?;
        registry.register(Box::new(quarantined.clone()))?;
        let lag = IntGaugeVec::new(
            Opts::new(
                "lag",
                "Offsets between the table's position and the partition's end",
            ),
            &["partition"],
        )?;
        registry.register(Box::new(lag.clone()))?;
        let flush_seconds = Histogram::with_opts(
            HistogramOpts::new(
                "flush_seconds",
                "Seconds from the start of a flush to its commit",
            )
            .buckets(vec![
                0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
            ]),
        )?;
        registry.register(Box::new(flush_seconds.clone()))?;
        Ok(Self {
            messages: counter("messages_total", "Messages read from Kafka")?,
            rows: counter("rows_total", "Rows committed to bronze")?,
            quarantined,
            commits: counter("commits_total", "Commits to bronze")?,
            flush_seconds,
            fenced: counter(
                "fenced_total",
                "Times that another process turned out to own a partition",
            )?,
            lag,
            buffered_bytes: gauge("buffered_bytes", "Bytes held in buffers, over all workers")?,
            newest_event: gauge(
                "newest_event_seconds",
                "Unix time of the newest event committed",
            )?,
            registry,
        })
    }

    /// All metrics as Prometheus text.
    pub fn render(&self) -> String {
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .unwrap_or_else(|e| format!("# metrics cannot be rendered: {e}\n"))
    }
}
