//! The engine alone, one core: events already decoded, all views of a domain, rows taken as under load. `tests/bench/run engine` runs it.
//!
//! `target/release/examples/engine MODELS DOMAIN JSONL REPEATS SQUEEZE` reads a file that `simulate --jsonl` wrote and prints one JSON object. Event
//! times are divided by SQUEEZE, because a simulated day is thinner than a busy topic, and what happens per window weighs more in it. With
//! REPEATS the same events come again, each time later and as other entities (keys get a suffix), so that the number of keys grows.
//! The `hash` floor in the same run touches what the engine must at least touch: the event's id and its entities' keys.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures time; the engine itself reads no clock"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::{max, min};
use arrow::datatypes::TimestampMicrosecondType;
use userflow_engine::{Engine, Events, Nobody, Plan, Settings};
use userflow_models::decode::Decoder;
use userflow_models::domain::Domain;
use userflow_models::features;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rows of a batch, as a burst of the worker.
const BATCH: usize = 4_096;
/// Events between two takings of rows: what comes in during a write under load.
const TAKE: usize = 100_000;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [models, domain, file, repeats, squeeze] = arguments.as_slice() else {
        return Err(anyhow!("usage: engine MODELS DOMAIN JSONL REPEATS SQUEEZE"));
    };
    let squeeze: i64 = squeeze.parse()?;
    let domain = Domain::load(Path::new(models), domain)?;
    let views = features::load(&domain)?;
    let settings = Settings {
        lateness: 10_000_000,
        dedup_horizon: 600_000_000,
        dedup_most: 4_000_000,
    };
    let plan = Plan::new(&domain.contract, &views, settings.lateness).map_err(|e| anyhow!(e))?;
    let plan = Arc::new(plan);
    let text = std::fs::read(file).with_context(|| file.clone())?;
    let mut decoder = Decoder::new(&domain.contract);
    let mut batches = Vec::new();
    for line in text
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        if decoder.decode(line, -1).is_ok() && decoder.rows() == BATCH {
            batches.push(decoder.finish());
        }
    }
    batches.push(decoder.finish());
    let time = (domain.contract.columns().iter())
        .position(|column| column.name == domain.contract.event_time())
        .context("no event time")?;
    let keyed: Vec<usize> = (domain.contract.columns().iter().enumerate())
        .filter(|(_, column)| {
            Some(column.name.as_str()) == domain.contract.event_id()
                || views.iter().any(|v| v.entity.contains(&column.name))
        })
        .map(|(number, _)| number)
        .collect();
    let bounds = batches.iter().filter_map(|batch| {
        let times = batch
            .column(time)
            .as_primitive::<TimestampMicrosecondType>();
        Some((min(times)?, max(times)?))
    });
    let (first, last) = bounds
        .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
        .context("no events")?;
    let span = (last - first) / squeeze + 3_600_000_000;
    let mut engine = Engine::new(plan.clone(), settings, 0, 0);
    let mut builders: Vec<_> = (0..views.len()).map(|view| plan.rows(view)).collect();
    let (mut offset, mut spent, mut floor) = (0_i64, Duration::ZERO, Duration::ZERO);
    let (mut taking, mut rows, mut largest) = (Duration::ZERO, 0, BTreeMap::new());
    for repeat in 0..repeats.parse()? {
        for batch in &batches {
            let move_time = |time: i64| first + (time - first) / squeeze + i64::from(repeat) * span;
            let batch = other_entities(batch, &keyed, time, repeat, move_time)?;
            let began = Instant::now();
            let mut sum = 0_u64;
            for number in &keyed {
                let texts = batch.column(*number).as_string::<i32>();
                for row in 0..texts.len() {
                    sum ^= twox_hash::XxHash3_64::oneshot(texts.value(row).as_bytes());
                }
            }
            std::hint::black_box(sum);
            floor += began.elapsed();
            let events = Events::new(&batch, time);
            let began = Instant::now();
            for row in 0..events.rows() {
                engine.apply(&events, row, offset, i64::MAX, &mut Nobody);
                offset += 1;
            }
            spent += began.elapsed();
            if engine.changed_rows() > 0 && usize::try_from(offset)? % TAKE < BATCH {
                let began = Instant::now();
                for (view, builder) in builders.iter_mut().enumerate() {
                    engine.take(view, usize::MAX, builder);
                    rows += builder.finish().num_rows();
                }
                taking += began.elapsed();
            }
            for (number, entities) in engine.entities().into_iter().enumerate() {
                let most = largest.entry(number).or_insert(0);
                *most = entities.max(*most);
            }
        }
    }
    let bytes = engine.bytes();
    let began = Instant::now();
    let snapshot = engine.snapshot();
    let written = began.elapsed();
    let began = Instant::now();
    Engine::restore(plan, settings, &snapshot)?;
    let restored = began.elapsed();
    let events = offset as f64;
    let seconds = |time: Duration| time.as_secs_f64();
    let report = serde_json::json!({
        "events": offset,
        "events_per_second": (events / seconds(spent)).round(),
        "ns_per_event": (seconds(spent) / events * 1e9).round(),
        "floor_ns_per_event": (seconds(floor) / events * 1e9).round(),
        "rows_taken": rows,
        "ns_per_row_taken": (seconds(taking) / rows.max(1) as f64 * 1e9).round(),
        "entities_at_most": largest.values().collect::<Vec<_>>(),
        "entities_at_end": engine.entities(),
        "state_bytes": bytes,
        "snapshot_bytes": snapshot.len(),
        "snapshot_seconds": seconds(written),
        "restore_seconds": seconds(restored),
        "repeats": engine.counts().repeats,
        "late": engine.counts().late,
    });
    use std::io::Write;
    writeln!(std::io::stdout().lock(), "{report}")?;
    Ok(())
}

/// The same events later, as those of other entities.
fn other_entities(
    batch: &RecordBatch,
    columns: &[usize],
    time: usize,
    repeat: u32,
    move_time: impl Fn(i64) -> i64,
) -> Result<RecordBatch> {
    let mut all: Vec<ArrayRef> = batch.columns().to_vec();
    for number in columns {
        let texts = batch.column(*number).as_string::<i32>();
        let renamed: StringArray = (texts.iter())
            .map(|text| text.map(|text| format!("{text}-{repeat}")))
            .collect();
        all[*number] = Arc::new(renamed);
    }
    let times = batch
        .column(time)
        .as_primitive::<TimestampMicrosecondType>();
    let moved: TimestampMicrosecondArray = times.unary(move_time);
    all[time] = Arc::new(moved.with_timezone("UTC"));
    Ok(RecordBatch::try_new(batch.schema(), all)?)
}
