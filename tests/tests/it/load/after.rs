//! What comes after: `plan`, `run`, `check`, `maintain` and `replay` with rows that came from files.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use userflow_tests::lake::{offsets, replayed_offsets};
use userflow_tests::process::{binary, must};

use super::ledger::holds_every_line_once;
use super::{EVENTS, QUARANTINE, ended_with, event, history, load, plain, said, summary};
use crate::replay::{narrow_models, replay};

/// `userflow-jobs` on a lake, with what it says.
fn jobs(lake: &Path, arguments: &[&str]) -> Result<Value> {
    let mut command = binary("userflow-jobs");
    command.args(arguments).args(["--output", "json", "--lake"]);
    said(&must(command.arg(lake))?)
}

#[test]
fn the_windows_of_loaded_days_are_planned_run_checked_and_merged() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let file = folder.path().join("a.jsonl");
    let sessions: Vec<String> = (0..40)
        .map(|n| {
            let line = plain(&format!("e{n}")).replace("\"s\"", &format!("\"s{n}\""));
            line.replace(
                "}",
                ",\"country\":\"KR\",\"platform\":\"web\",\"device\":\"pc\"}",
            )
        })
        .collect();
    std::fs::write(&file, sessions.join("\n") + "\nno event\n")?;
    jobs(&lake, &["init", "--domain", "webtoon"])?;
    let done = summary(load(&lake).arg(&file))?;
    ensure!(
        done["rows_written"] == 40 && done["quarantined"] == 1,
        "{done}"
    );

    let planned = jobs(&lake, &["plan", "silver.webtoon_sessions"])?.to_string();
    ensure!(planned.contains("2024-02-29"), "{planned}");
    jobs(&lake, &["run", "silver.webtoon_sessions", "--planned"])?;
    let rows = jobs(
        &lake,
        &["show", "silver.webtoon_sessions", "--date", "2024-02-29"],
    )?;
    ensure!(rows.to_string().contains("\"s1\""), "{rows}");
    let planned = jobs(&lake, &["plan", "silver.webtoon_sessions"])?.to_string();
    ensure!(!planned.contains("2024-02-29"), "{planned}");

    // The refused line counts against the day that it came with, not against today.
    let mut check = binary("userflow-jobs");
    check.args([
        "check",
        EVENTS,
        "--date",
        "2024-02-29",
        "--output",
        "json",
        "--lake",
    ]);
    let output = check.arg(&lake).output()?;
    let judged = said(&output)?;
    let results = judged["quality"]["results"]
        .as_array()
        .context("no results")?;
    let quarantined = results.iter().find(|result| {
        result["test"]
            .as_str()
            .is_some_and(|test| test.contains("quarantined"))
    });
    let quarantined = quarantined.with_context(|| judged.to_string())?;
    ensure!(
        quarantined["failed"] == 1 && quarantined["total"] == 41,
        "{quarantined}"
    );
    for table in [EVENTS, QUARANTINE] {
        jobs(&lake, &["maintain", table])?;
    }
    holds_every_line_once(&lake, std::slice::from_ref(&file))?;
    // Merging and checkpoints keep the positions.
    let again = summary(load(&lake).arg(&file))?;
    ensure!(again["commits"] == 0, "{again}");
    Ok(())
}

#[test]
fn refused_lines_are_replayed_by_the_rules_of_load() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let file = folder.path().join("a.jsonl");
    history(&file, 200, 4)?;
    // Too old and too far ahead stay refused, whatever time has passed by Kafka's rules.
    let ahead = (chrono::Utc::now() + chrono::TimeDelta::days(30)).to_rfc3339();
    let mut text = std::fs::read_to_string(&file).unwrap_or_default();
    if text.is_empty() {
        // Garbage is no UTF-8.
        text = String::from_utf8_lossy(&std::fs::read(&file)?).into_owned();
    }
    text.push_str(&(event("old", "1999-01-01T00:00:00Z") + "\n"));
    text.push_str(&(event("ahead", &ahead) + "\n"));
    std::fs::write(&file, text)?;
    let narrow = narrow_models(folder.path())?;
    let mut refusing = load(&lake);
    let refused = summary(refusing.arg("--models").arg(&narrow).arg(&file))?;
    // A lake that never knew the narrow contract.
    let fresh = folder.path().join("fresh");
    let wide = summary(load(&fresh).arg(&file))?;
    ensure!(wide["quarantined_by_reason"]["clock_skew"] == 2, "{wide}");
    let landing = wide["rows_written"].as_i64().context("no rows")?
        - refused["rows_written"].as_i64().context("no rows")?;
    ensure!(
        landing > 100,
        "the narrow contract refused hardly more: {refused}"
    );

    let done = said(&must(&mut replay(&lake))?)?;
    let replayed = replayed_offsets(&lake, EVENTS)?;
    let count: usize = replayed.values().map(Vec::len).sum();
    ensure!(
        i64::try_from(count)? == landing,
        "{count} of {landing}: {done}"
    );
    ensure!(offsets(&lake, EVENTS)? == offsets(&fresh, EVENTS)?);
    must(&mut replay(&lake))?;
    ensure!(offsets(&lake, EVENTS)? == offsets(&fresh, EVENTS)?, "twice");

    // A load of today's contract does not land again what was refused and replayed.
    let again = summary(load(&lake).arg(&file))?;
    ensure!(again["commits"] == 0, "{again}");
    let check = ended_with(&replay(&lake).arg("--dry-run").output()?, 0);
    check.map(drop)
}
