//! Every metric of the ingester, named here and nowhere else.

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use userflow_process::metrics::{Error, Registry};

/// The label of what is apart for each partition.
const PARTITION: &str = "partition";

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
    pub fn new() -> Result<Self, Error> {
        let registry = Registry::new("userflow_ingest")?;
        let counter = |name, help| registry.counter(name, help);
        Ok(Self {
            messages: counter("messages_total", "Messages read from Kafka")?,
            rows: counter("rows_total", "Rows committed to bronze")?,
            quarantined: registry.counters(
                "quarantined_total",
                "Messages quarantined, by their first reason",
                &["reason"],
            )?,
            commits: counter("commits_total", "Commits to bronze")?,
            flush_seconds: registry.seconds(
                "flush_seconds",
                "Seconds from the start of a flush to its commit",
                &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0],
            )?,
            fenced: counter(
                "fenced_total",
                "Times that another process turned out to own a partition",
            )?,
            lag: registry.gauges(
                "lag",
                "Offsets between the table's position and the partition's end",
                PARTITION,
            )?,
            buffered_bytes: registry
                .gauge("buffered_bytes", "Bytes held in buffers, over all workers")?,
            newest_event: registry.gauge(
                "newest_event_seconds",
                "Unix time of the newest event committed",
            )?,
            registry,
        })
    }

    /// All metrics as Prometheus text.
    pub fn render(&self) -> String {
        self.registry.render()
    }
}

/// The sessionizer's metrics.
#[derive(Debug)]
pub struct SessionizeMetrics {
    registry: Registry,
    /// Messages read from Kafka.
    pub messages: IntCounter,
    /// Messages that the contract does not accept (the bronze ingester quarantines them).
    pub rejected: IntCounter,
    /// Repeats of an event within the horizon.
    pub repeats: IntCounter,
    /// Events too old to know whether they are repeats.
    pub beyond_horizon: IntCounter,
    /// Identifiers forgotten before their time, because there were too many.
    pub repeats_forgotten: IntCounter,
    /// Events whose clock was ahead.
    pub future_clocks: IntCounter,
    /// Events that came after their last window had ended, by view.
    pub late: IntCounterVec,
    /// Events of exact windows that leave in a group, by view.
    pub grouped: IntCounterVec,
    /// Rows written, by view.
    pub rows: IntCounterVec,
    /// Seconds of a write to PostgreSQL, with its retries.
    pub write_seconds: Histogram,
    /// Rows that the store refused for good, by view and reason.
    pub set_aside: IntCounterVec,
    /// Rows not written because their entity has a newer row from another partition, by view.
    pub split: IntCounterVec,
    /// Events with a key that a dimension does not have, by dimension.
    pub dimension_misses: IntCounterVec,
    /// Times that a dimension was to be read again, by dimension and whether it could be.
    pub dimension_reloads: IntCounterVec,
    /// Rows of a dimension that events find, by dimension.
    dimension_rows: IntGaugeVec,
    /// When the rows of a dimension were those of its file or table, by dimension.
    dimension_current: IntGaugeVec,
    /// Writes that were sent in halves because the store found them too much.
    pub too_much: IntCounter,
    /// Seconds since when nothing could be written; 0 while the store takes rows.
    pub store_away: IntGauge,
    /// 1 while Redis takes rows.
    pub redis_up: IntGauge,
    /// Rows that Redis has taken.
    pub redis_rows: IntCounter,
    /// Rows not written because their key holds something else.
    pub redis_refused: IntCounter,
    /// Connections to Redis that failed or were given up, by reason.
    pub redis_errors: IntCounterVec,
    /// Rows that are in PostgreSQL and wait for Redis.
    pub redis_waiting: IntGauge,
    /// For how long a row has been in PostgreSQL that Redis may lack.
    pub redis_lag: IntGauge,
    /// Rows that have changed and are not in the store yet, by partition.
    pub waiting_rows: IntGaugeVec,
    /// Times that another process turned out to own a partition.
    pub fenced: IntCounter,
    /// Checkpoints written.
    pub checkpoints: IntCounter,
    /// Checkpoints that could not be read.
    pub damaged_checkpoints: IntCounter,
    /// Unix time of the newest checkpoint, by partition.
    pub checkpoint_time: IntGaugeVec,
    /// Watermark as Unix time, by partition.
    pub watermark: IntGaugeVec,
    /// Offsets whose rows are not in the store yet, by partition.
    pub lag: IntGaugeVec,
    /// Entities held, by partition.
    pub entities: IntGaugeVec,
    /// Bytes of state, an estimate, by partition.
    pub state_bytes: IntGaugeVec,
}

impl SessionizeMetrics {
    /// Shows how many rows a dimension has.
    pub fn dimension_rows(&self, dimension: &str, rows: usize) {
        let rows = i64::try_from(rows).expect("memory holds fewer");
        let gauge = &self.dimension_rows;
        gauge.with_label_values(&[dimension]).set(rows);
    }

    /// Shows that the rows of a dimension are those of its file or table now.
    pub fn dimension_is_current(&self, dimension: &str) {
        let gauge = &self.dimension_current;
        let now = chrono::Utc::now().timestamp();
        gauge.with_label_values(&[dimension]).set(now);
    }

    /// Registers all metrics.
    pub fn new() -> Result<Self, Error> {
        let registry = Registry::new("userflow_sessionize")?;
        let counter = |name, help| registry.counter(name, help);
        let by_view = |name, help| registry.counters(name, help, &["view"]);
        let by_partition = |name, help| registry.gauges(name, help, PARTITION);
        Ok(Self {
            messages: counter("messages_total", "Messages read from Kafka")?,
            rejected: counter(
                "rejected_total",
                "Messages that the contract does not accept",
            )?,
            repeats: counter("repeats_total", "Repeats of an event within the horizon")?,
            beyond_horizon: counter(
                "beyond_horizon_total",
                "Events too old to know whether they are repeats",
            )?,
            repeats_forgotten: counter(
                "repeats_forgotten_total",
                "Identifiers forgotten early, because there were too many",
            )?,
            future_clocks: counter("future_clocks_total", "Events whose clock was ahead")?,
            late: by_view(
                "late_events_total",
                "Events that came after their last window had ended",
            )?,
            grouped: by_view(
                "grouped_events_total",
                "Events of exact windows that leave in a group, because their entity has too many",
            )?,
            rows: by_view("rows_total", "Rows written")?,
            write_seconds: registry.seconds(
                "write_seconds",
                "Seconds of a write to PostgreSQL, with its retries",
                &[
                    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
                ],
            )?,
            set_aside: registry.counters(
                "rows_set_aside_total",
                "Rows that the store refused for good, by reason: they are in ops.rows_set_aside",
                &["view", "reason"],
            )?,
            split: by_view(
                "split_entities_total",
                "Rows not written because their entity has a newer row from another partition",
            )?,
            dimension_misses: registry.counters(
                "dimension_misses_total",
                "Events with a key that a dimension does not have: the joined columns are null",
                &["dimension"],
            )?,
            dimension_reloads: registry.counters(
                "dimension_reloads_total",
                "Times that a dimension was to be read again; failed: the rows of before go on",
                &["dimension", "outcome"],
            )?,
            dimension_rows: registry.gauges(
                "dimension_rows",
                "Rows of a dimension that events find",
                "dimension",
            )?,
            dimension_current: registry.gauges(
                "dimension_current_time_seconds",
                "Unix time when the rows of a dimension were known to be those of its file or table",
                "dimension",
            )?,
            too_much: counter(
                "writes_halved_total",
                "Writes that were sent in halves because the store found them too much",
            )?,
            store_away: registry.gauge(
                "store_away_seconds",
                "Seconds since when nothing could be written; 0 while the store takes rows",
            )?,
            redis_up: registry.gauge(
                "redis_up",
                "1 while Redis takes rows, 0 while it is away or not used",
            )?,
            redis_rows: counter("redis_rows_total", "Rows that Redis has taken")?,
            redis_refused: counter(
                "redis_refused_rows_total",
                "Rows not written because their key in Redis holds something else",
            )?,
            redis_errors: registry.counters(
                "redis_errors_total",
                "Connections to Redis that failed or were given up, by reason",
                &["reason"],
            )?,
            redis_waiting: registry.gauge(
                "redis_waiting_rows",
                "Rows that are in PostgreSQL and wait for Redis",
            )?,
            redis_lag: registry.gauge(
                "redis_lag_seconds",
                "Seconds for which a row has been in PostgreSQL that Redis may lack",
            )?,
            waiting_rows: by_partition(
                "waiting_rows",
                "Rows that have changed and are not in the store yet",
            )?,
            fenced: counter(
                "fenced_total",
                "Times that another process turned out to own a partition",
            )?,
            checkpoints: counter("checkpoints_total", "Checkpoints written")?,
            damaged_checkpoints: counter(
                "damaged_checkpoints_total",
                "Checkpoints that could not be read",
            )?,
            checkpoint_time: by_partition(
                "checkpoint_time_seconds",
                "Unix time of the newest checkpoint",
            )?,
            watermark: by_partition("watermark_seconds", "Watermark as Unix time")?,
            lag: by_partition("lag", "Offsets whose rows are not in the store yet")?,
            entities: by_partition("entities", "Entities held")?,
            state_bytes: by_partition("state_bytes", "Bytes of state, an estimate")?,
            registry,
        })
    }

    /// All metrics as Prometheus text.
    pub fn render(&self) -> String {
        self.registry.render()
    }
}
