//! What people see of an ingester on its status page: every partition of the topic, whoever has it, and what was refused.

use std::collections::BTreeMap;

use userflow_process::metrics::{counts, values};
use userflow_process::status::{Cell, Column, Counter, Status, Table};

use super::shared::Shared;

/// What the process is doing now.
pub(super) fn status(shared: &Shared) -> Status {
    let metrics = &shared.metrics;
    let refused = counts(&metrics.quarantined, &["reason"]);
    let counter = |name, total| Counter { name, total };
    Status {
        name: format!("ingest {}", shared.args.source.domain),
        facts: facts(shared),
        counters: vec![
            counter("messages read", metrics.messages.get()),
            counter("rows committed", metrics.rows.get()),
            counter("messages quarantined", refused.values().sum()),
            counter("commits", metrics.commits.get()),
        ],
        tables: vec![partitions(shared), quarantine(&refused)],
    }
}

fn facts(shared: &Shared) -> Vec<(&'static str, String)> {
    let args = &shared.args;
    let ours = shared
        .partitions
        .seen()
        .values()
        .filter(|seen| seen.ours)
        .count();
    let megabytes = |bytes: f64| format!("{:.1} MB", bytes / f64::from(1 << 20));
    let held = shared.metrics.buffered_bytes.get() as f64;
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    vec![
        ("topic", shared.topic.clone()),
        ("consumer group", args.group.clone()),
        ("lake", args.lake.lake.clone()),
        ("table", shared.tables.events.table.name().to_string()),
        (
            "this process",
            format!("process {} of {}", std::process::id(), host.trim()),
        ),
        (
            "owns",
            format!(
                "{ours} of {} partitions",
                values(&shared.metrics.lag, "partition").len()
            ),
        ),
        ("workers", shared.workers().to_string()),
        (
            "messages held",
            format!(
                "{} of {}",
                megabytes(held),
                megabytes(args.flush.memory_limit as f64)
            ),
        ),
    ]
}

fn partitions(shared: &Shared) -> Table {
    let column = |name, about| Column { name, about };
    let positions = shared.progress.positions();
    let seen = shared.partitions.seen();
    let lag = values(&shared.metrics.lag, "partition");
    let mut lag: Vec<(i32, i64)> = (lag.iter())
        .filter_map(|(partition, lag)| Some((partition.parse().ok()?, *lag)))
        .collect();
    lag.sort_unstable();
    let row = |(partition, lag): (i32, i64)| {
        let seen = seen.get(&partition).copied().unwrap_or_default();
        let position = positions.get(&partition);
        vec![
            Cell::Text(partition.to_string()),
            Cell::Text(if seen.ours { "this" } else { "another" }.to_owned()),
            position.map_or(Cell::Nothing, |next| Cell::Place(*next)),
            Cell::Count(lag),
            seen.newest.map_or(Cell::Nothing, Cell::Time),
            seen.committed.map_or(Cell::Nothing, Cell::Age),
        ]
    };
    Table {
        title: "Partitions",
        about: "Every partition of the topic. Times of events are in UTC.".to_owned(),
        columns: vec![
            column("partition", "its number in the topic"),
            column("process", "this one, or another of the consumer group"),
            column(
                "offset",
                "of the next message: everything before it is in the tables",
            ),
            column("lag", "messages that are not in the tables yet"),
            column(
                "newest event",
                "the latest time of an event that this process committed",
            ),
            column("last commit", "when this process committed messages of it"),
        ],
        rows: lag.into_iter().map(row).collect(),
        empty: "The topic has not been looked at yet.",
    }
}

fn quarantine(refused: &BTreeMap<Vec<String>, u64>) -> Table {
    let column = |name, about| Column { name, about };
    let row = |(labels, messages): (&Vec<String>, &u64)| {
        let count = i64::try_from(*messages).unwrap_or(i64::MAX);
        vec![Cell::Text(labels.concat()), Cell::Count(count)]
    };
    Table {
        title: "Quarantine",
        about: "Messages that the contract refused since the start, by their first reason."
            .to_owned(),
        columns: vec![
            column("reason", "the first that was found"),
            column("messages", "since the start"),
        ],
        rows: refused.iter().map(row).collect(),
        empty: "None: the contract took every message since the start.",
    }
}
