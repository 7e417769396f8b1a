//! The closing summary.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::progress::At;
use super::shared::Shared;
use crate::config::Output;

/// Prints what a run has done.
pub(super) fn print(shared: &Shared, took: Duration) -> Result<()> {
    let metrics = &shared.metrics;
    let by_view = |count: &dyn Fn(usize) -> u64| -> BTreeMap<&str, u64> {
        (shared.views.iter().enumerate())
            .map(|(n, view)| (view.name.as_str(), count(n)))
            .collect()
    };
    let rows = by_view(&|n| shared.totals.rows[n].load(Ordering::Relaxed));
    let late = by_view(&|n| {
        let name = shared.views[n].name.as_str();
        metrics.late.with_label_values(&[name]).get()
    });
    let flushes = shared.totals.flushes.load(Ordering::Relaxed);
    let (read, rejected) = (metrics.messages.get(), metrics.rejected.get());
    let seconds = took.as_secs_f64();
    let mut out = std::io::stdout().lock();
    match shared.args.output {
        Output::Json => {
            let positions = shared.progress.positions();
            let summary = json!({
                "command": "sessionize",
                "domain": shared.args.source.domain,
                "topic": shared.topic,
                "events": read - rejected,
                "rejected": rejected,
                "duplicates": metrics.repeats.get(),
                "beyond_horizon": metrics.beyond_horizon.get(),
                "future_clocks": metrics.future_clocks.get(),
                "late": late,
                "rows": rows,
                "flushes": flushes,
                "checkpoints": metrics.checkpoints.get(),
                "fenced": metrics.fenced.get(),
                "next_offsets": by_partition(&positions, |at| at.next.into()),
                "watermarks": by_partition(&positions, watermark),
                "seconds": seconds,
            });
            writeln!(out, "{summary}")?;
        }
        Output::Text => {
            writeln!(
                out,
                "{} events, {} of them repeats; {rejected} messages are no events; {} rows in {flushes} writes, {} checkpoints; {seconds:.1} s",
                read - rejected,
                metrics.repeats.get(),
                rows.values().sum::<u64>(),
                metrics.checkpoints.get(),
            )?;
            for (view, rows) in &rows {
                writeln!(out, "  {view}: {rows} rows, {} late events", late[view])?;
            }
        }
    }
    Ok(())
}

fn by_partition(
    positions: &BTreeMap<i32, At>,
    value: impl Fn(&At) -> Value,
) -> BTreeMap<String, Value> {
    let of = |(partition, at): (&i32, &At)| (partition.to_string(), value(at));
    positions.iter().map(of).collect()
}

fn watermark(at: &At) -> Value {
    let time = (at.watermark).and_then(chrono::DateTime::from_timestamp_micros);
    time.map(|time| time.to_rfc3339()).into()
}
