//! What a worker tells of its partitions: metrics, and how far they are.

use std::collections::BTreeMap;

use super::flusher::Flusher;
use super::partitions::Partitions;
use super::progress::At;
use super::rows_out::RowsOut;
use super::shared::Shared;

/// Brings metrics and totals up to date. Returns up to where the rows of each partition are in the store.
pub(super) fn report(
    shared: &Shared,
    partitions: &mut Partitions,
    flusher: &mut Flusher<RowsOut>,
) -> BTreeMap<i32, i64> {
    let metrics = &shared.metrics;
    let counted = partitions.count_since(shared.views.len());
    metrics.repeats.inc_by(counted.repeats);
    metrics.beyond_horizon.inc_by(counted.beyond_horizon);
    metrics.repeats_forgotten.inc_by(counted.repeats_forgotten);
    metrics.future_clocks.inc_by(counted.future_clocks);
    for (number, view) in shared.views.iter().enumerate() {
        let name = [view.name.as_str()];
        (metrics.late.with_label_values(&name)).inc_by(counted.late[number]);
        (metrics.grouped.with_label_values(&name)).inc_by(counted.grouped[number]);
    }
    if let Some(redis) = &shared.redis {
        redis.report();
    }
    let lateness = shared.restorer.settings.lateness;
    let mut written = BTreeMap::new();
    for (partition, engine) in partitions.engines() {
        let number = partition.to_string();
        let label = [number.as_str()];
        let entities: usize = engine.entities().iter().sum();
        (metrics.entities.with_label_values(&label)).set(gauge(entities));
        (metrics.state_bytes.with_label_values(&label)).set(gauge(engine.bytes()));
        let waiting = engine.changed_rows() + flusher.in_flight(partition);
        (metrics.waiting_rows.with_label_values(&label)).set(gauge(waiting));
        let watermark = engine.watermark();
        if let Some(watermark) = watermark {
            let seconds = watermark / 1_000_000;
            metrics.watermark.with_label_values(&label).set(seconds);
        }
        let at = At {
            next: engine.next_offset(),
            written: flusher.written(partition, engine),
            watermark,
            newest: partitions
                .newest(partition)
                .map(|watermark| watermark + lateness),
            ours: true,
        };
        shared.progress.at(partition, at);
        written.insert(partition, at.written);
    }
    written
}

fn gauge(number: usize) -> i64 {
    i64::try_from(number).expect("memory holds fewer")
}
