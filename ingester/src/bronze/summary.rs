//! The closing summary.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::shared::{Shared, lock};
use crate::config::Output;

/// Prints what a run has done.
pub(super) fn print(shared: &Shared, took: Duration) -> Result<()> {
    let totals = lock(&shared.totals);
    let seconds = took.as_secs_f64();
    let quarantined: u64 = totals.quarantined.values().sum();
    let mut out = std::io::stdout().lock();
    match shared.args.output {
        Output::Json => {
            let committed = shared.progress.positions();
            let positions: BTreeMap<String, i64> =
                committed.iter().map(|(p, n)| (p.to_string(), *n)).collect();
            let date = |days: &i32| {
                let date = chrono::NaiveDate::from_epoch_days(*days);
                date.expect("a partition is a date").to_string()
            };
            let dates: Vec<String> = totals.dates.iter().map(date).collect();
            let summary = json!({
                "command": "ingest",
                "domain": shared.args.source.domain,
                "topic": shared.topic,
                "table": shared.tables.events.table.name().to_string(),
                "rows_read": totals.rows + quarantined,
                "rows_written": totals.rows,
                "quarantined": quarantined,
                "quarantined_by_reason": totals.quarantined,
                "dates": dates,
                "files": totals.files,
                "bytes": totals.bytes,
                "commits": totals.commits,
                "table_version": totals.version,
                "next_offsets": positions,
                "seconds": seconds,
            });
            writeln!(out, "{summary}")?;
        }
        Output::Text => {
            writeln!(
                out,
                "{} rows to {} in {} files, {} commits (version {}), {:.1} MB; {} quarantined; {seconds:.1} s",
                totals.rows,
                shared.tables.events.table.name(),
                totals.files,
                totals.commits,
                totals.version,
                totals.bytes as f64 / 1e6,
                quarantined,
            )?;
            for (reason, count) in &totals.quarantined {
                writeln!(out, "  quarantined {reason}: {count}")?;
            }
        }
    }
    Ok(())
}
