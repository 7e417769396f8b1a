//! What people see of a sessionizer on its status page: every partition of the topic, whoever has it, and what became of the messages.

use std::collections::BTreeMap;

use userflow_process::metrics::{counts, values};
use userflow_process::postgres;
use userflow_process::status::{Cell, Column, Counter, Status, Table};

use super::dimensions::Shown;
use super::shared::Shared;

/// What the process is doing now.
pub(super) fn status(shared: &Shared) -> Status {
    let metrics = &shared.metrics;
    let rows = counts(&metrics.rows, &["view"]);
    let late = counts(&metrics.late, &["view"]);
    let written: u64 = rows.values().sum();
    let counter = |name, total| Counter { name, total };
    Status {
        name: format!("sessionize {}", shared.args.source.domain),
        facts: facts(shared),
        counters: vec![
            counter("messages read", metrics.messages.get()),
            counter("rows written", written),
            counter("writes", metrics.write_seconds.get_sample_count()),
            counter("checkpoints", metrics.checkpoints.get()),
        ],
        tables: vec![
            partitions(shared),
            views(shared, &rows, &late),
            set_aside(&counts(&metrics.set_aside, &["view", "reason"])),
            dimensions(shared),
            passed_over(shared),
        ],
    }
}

fn facts(shared: &Shared) -> Vec<(&'static str, String)> {
    let args = &shared.args;
    let positions = shared.progress.positions();
    let ours = positions.values().filter(|at| at.ours).count();
    let state: i64 = values(&shared.metrics.state_bytes, "partition")
        .values()
        .sum();
    let store = args.postgres.url.options("");
    let megabytes = |bytes: i64| format!("{:.1} MB", bytes as f64 / f64::from(1 << 20));
    let limit = i64::try_from(shared.state_limit).unwrap_or(i64::MAX);
    let redis = shared.redis.as_ref();
    let mut facts = vec![
        ("topic", shared.topic.clone()),
        ("consumer group", args.group.clone()),
        (
            "online store",
            store.map_or_else(|e| e.to_string(), |options| postgres::place(&options)),
        ),
        ("checkpoints", args.checkpoints.location.clone()),
        ("this process", shared.owner.clone()),
        (
            "owns",
            format!("{ours} of {} partitions", shared.progress.ends().len()),
        ),
        ("workers", shared.progress.workers().to_string()),
        (
            "state",
            format!("{} of {}", megabytes(state), megabytes(limit)),
        ),
    ];
    facts.extend(redis.map(|redis| ("beside it", redis.describe())));
    facts
}

fn partitions(shared: &Shared) -> Table {
    let column = |name, about| Column { name, about };
    let metrics = &shared.metrics;
    let of = |gauges| values(gauges, "partition");
    let (lag, kept) = (of(&metrics.lag), of(&metrics.checkpoint_time));
    let (entities, bytes) = (of(&metrics.entities), of(&metrics.state_bytes));
    let waiting = of(&metrics.waiting_rows);
    let positions = shared.progress.positions();
    let row = |partition: i32| {
        let label = partition.to_string();
        let gauge = |gauges: &BTreeMap<String, i64>, cell: fn(i64) -> Cell| {
            gauges
                .get(&label)
                .map_or(Cell::Nothing, |value| cell(*value))
        };
        let ours = positions.get(&partition).filter(|at| at.ours);
        // What was ours once is known no longer.
        let own = |cell: Cell| if ours.is_some() { cell } else { Cell::Nothing };
        let time = |micros: Option<i64>| micros.map_or(Cell::Nothing, Cell::Time);
        vec![
            Cell::Text(partition.to_string()),
            Cell::Text(if ours.is_some() { "this" } else { "another" }.to_owned()),
            ours.map_or(Cell::Nothing, |at| Cell::Place(at.next)),
            gauge(&lag, Cell::Count),
            time(ours.and_then(|at| at.watermark)),
            time(ours.and_then(|at| at.newest)),
            own(gauge(&kept, |seconds| Cell::Age(seconds * 1_000_000))),
            own(gauge(&waiting, Cell::Count)),
            own(gauge(&entities, Cell::Count)),
            own(gauge(&bytes, Cell::Bytes)),
        ]
    };
    Table {
        title: "Partitions",
        about: "Every partition of the topic. Times of events are in UTC.".to_owned(),
        columns: vec![
            column("partition", "its number in the topic"),
            column("process", "this one, or another of the consumer group"),
            column("offset", "of the next message"),
            column("lag", "messages whose rows are not in the store yet"),
            column("watermark", "no window waits for events before this time"),
            column(
                "newest event",
                "the latest time of an event, as far as its clock is believed",
            ),
            column("last checkpoint", "when its state was kept last"),
            column(
                "waiting",
                "rows that have changed and are not in the store yet",
            ),
            column("entities", "held in memory"),
            column("state", "bytes in memory, an estimate"),
        ],
        rows: shared.progress.ends().into_keys().map(row).collect(),
        empty: "The topic has no partitions.",
    }
}

fn views(
    shared: &Shared,
    rows: &BTreeMap<Vec<String>, u64>,
    late: &BTreeMap<Vec<String>, u64>,
) -> Table {
    let split = counts(&shared.metrics.split, &["view"]);
    let row = |name: &String| {
        let key = vec![name.clone()];
        let of =
            |counts: &BTreeMap<Vec<String>, u64>| count(counts.get(&key).copied().unwrap_or(0));
        vec![Cell::Text(name.clone()), of(rows), of(late), of(&split)]
    };
    let column = |name, about| Column { name, about };
    Table {
        title: "Feature views",
        about: "Since the start.".to_owned(),
        columns: vec![
            column("view", "its name"),
            column("rows written", "to the online store"),
            column(
                "late events",
                "came after their last window had ended: the batch layer counts them",
            ),
            column(
                "split entities",
                "rows not written because another partition has a newer row of the entity",
            ),
        ],
        rows: shared.views.iter().map(|view| row(&view.name)).collect(),
        empty: "",
    }
}

fn set_aside(rows: &BTreeMap<Vec<String>, u64>) -> Table {
    let column = |name, about| Column { name, about };
    Table {
        title: "Rows set aside",
        about:
            "Rows that the store refused for good since the start; they are in ops.rows_set_aside."
                .to_owned(),
        columns: vec![
            column("view", "its name"),
            column("reason", "what the store could not hold"),
            column("rows", "since the start"),
        ],
        rows: (rows.iter())
            .filter(|(_, rows)| **rows > 0)
            .map(|(labels, rows)| {
                let mut cells: Vec<Cell> = labels.iter().cloned().map(Cell::Text).collect();
                cells.push(count(*rows));
                cells
            })
            .collect(),
        empty: "None: the store took every row since the start.",
    }
}

fn dimensions(shared: &Shared) -> Table {
    let column = |name, about| Column { name, about };
    let missed = counts(&shared.metrics.dimension_misses, &["dimension"]);
    let row = |shown: Shown| {
        let misses = missed.get(&vec![shown.name.clone()]).copied();
        vec![
            Cell::Text(shown.name),
            Cell::Text(shown.place),
            count(u64::try_from(shown.rows).unwrap_or(u64::MAX)),
            Cell::Time(shown.since),
            count(misses.unwrap_or(0)),
            shown.problem.map_or(Cell::Nothing, Cell::Text),
        ]
    };
    Table {
        title: "Dimensions",
        about: "What events are joined with. A file or table is read again when it changes."
            .to_owned(),
        columns: vec![
            column("dimension", "its name"),
            column(
                "place",
                "the file, or the table of PostgreSQL, with its rows",
            ),
            column("rows", "that events find now"),
            column("read", "when these rows were read"),
            column(
                "misses",
                "events with a key that it does not have, since the start",
            ),
            column(
                "problem",
                "why it is not read again; the rows of before go on",
            ),
        ],
        rows: shared.dimensions.shown().into_iter().map(row).collect(),
        empty: "No view joins one.",
    }
}

/// Messages and events that changed nothing, by reason.
fn passed_over(shared: &Shared) -> Table {
    let metrics = &shared.metrics;
    let reasons = [
        (
            "no event of the contract (the ingester quarantines it)",
            metrics.rejected.get(),
        ),
        ("repeats an event", metrics.repeats.get()),
        (
            "too old to know whether it repeats one",
            metrics.beyond_horizon.get(),
        ),
        (
            "the clock is ahead: it was capped",
            metrics.future_clocks.get(),
        ),
    ];
    let column = |name, about| Column { name, about };
    Table {
        title: "Messages passed over",
        about: "Messages that count for nothing or less than they say, since the start.".to_owned(),
        columns: vec![
            column("reason", "why"),
            column("messages", "since the start"),
        ],
        rows: (reasons.into_iter())
            .filter(|(_, messages)| *messages > 0)
            .map(|(reason, messages)| vec![Cell::Text(reason.to_owned()), count(messages)])
            .collect(),
        empty: "None: every message since the start was a new event.",
    }
}

fn count(number: u64) -> Cell {
    Cell::Count(i64::try_from(number).unwrap_or(i64::MAX))
}
