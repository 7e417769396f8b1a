//! The oracle of `load`: what the files hold, held against what the lake holds.
//!
//! It knows the files by `sha256sum` and a plain split, and the lake by its Parquet files and the JSON of its log.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use userflow_lake::{Lake, TableName};
use userflow_tests::lake::{column, identities, read_file, runtime, snapshot};
use userflow_tests::process::must;

use super::{EVENTS, QUARANTINE};

/// Lines by the content that they are of.
type Lines = BTreeMap<String, BTreeSet<i64>>;

/// `sha256:` and what `sha256sum` says of a file that is not compressed.
pub(crate) fn content(file: &Path) -> Result<String> {
    let output = must(Command::new("sha256sum").arg(file))?;
    let said = String::from_utf8(output.stdout)?;
    let hash = said.trim_start_matches('\\').split(' ').next();
    Ok(format!(
        "sha256:{}",
        hash.context("sha256sum said nothing")?
    ))
}

/// The lines of files that are not blank.
fn expected(files: &[PathBuf]) -> Result<Lines> {
    let mut lines = Lines::new();
    for file in files {
        let text = std::fs::read(file)?;
        let numbered = (1..).zip(text.split(|byte| *byte == b'\n'));
        let there = numbered.filter(|(_, line)| !line.trim_ascii().is_empty());
        lines.insert(content(file)?, there.map(|(number, _)| number).collect());
    }
    Ok(lines)
}

/// Which content a row is of; none if it came from Kafka.
fn content_of(topic_id: &str) -> Option<&str> {
    let (content, _) = topic_id.split_once(' ')?;
    content.starts_with("sha256:").then_some(content)
}

/// The lines in a table. A line that is there twice is an error.
fn stored(lake: &Path, table: &str) -> Result<Lines> {
    let mut lines = Lines::new();
    for (topic_id, partition, line) in identities(lake, table)? {
        let topic_id = topic_id.context("a row without _topic_id")?;
        let Some(content) = content_of(&topic_id) else {
            continue;
        };
        ensure!(partition == 0, "{table}: partition {partition}");
        let new = lines.entry(content.to_owned()).or_default().insert(line);
        ensure!(new, "{table}: {topic_id} line {line} is there twice");
    }
    Ok(lines)
}

/// Fails unless bronze and quarantine together hold each line of the files that is not blank once, and no others of files.
pub(crate) fn holds_every_line_once(lake: &Path, files: &[PathBuf]) -> Result<()> {
    let mut held = stored(lake, EVENTS)?;
    for (content, lines) in stored(lake, QUARANTINE)? {
        let accepted = held.entry(content.clone()).or_default();
        for line in lines {
            ensure!(
                accepted.insert(line),
                "{content} line {line} is in both tables"
            );
        }
    }
    let mut expected = expected(files)?;
    expected.retain(|_, lines| !lines.is_empty());
    for (content, lines) in &expected {
        let found = held.remove(content).unwrap_or_default();
        ensure!(
            found == *lines,
            "{content}: {} lines, {} in the lake; first missing {:?}, first too many {:?}",
            lines.len(),
            found.len(),
            lines.difference(&found).next(),
            found.difference(lines).next()
        );
    }
    ensure!(held.is_empty(), "contents of no file: {:?}", held.keys());
    Ok(())
}

/// Fails unless every version of bronze moves each content by exactly the lines that it adds, but those in quarantine and blank ones.
pub(crate) fn every_version_is_consistent(lake: &Path, files: &[PathBuf]) -> Result<usize> {
    let expected = expected(files)?;
    let quarantine = stored(lake, QUARANTINE)?;
    let newest = snapshot(lake, EVENTS)?.context("no bronze")?.version();
    let mut positions: BTreeMap<String, i64> = BTreeMap::new();
    let mut versions = 0;
    for version in 1..=newest {
        let moved = moved(lake, version)?;
        let mut added = added(lake, version)?;
        versions += usize::from(!moved.is_empty());
        for (content, next) in moved {
            let from = positions.insert(content.clone(), next).unwrap_or(1);
            let lines = expected.get(&content).context("a content of no file")?;
            let refused = quarantine.get(&content).cloned().unwrap_or_default();
            let rows: BTreeSet<i64> = lines.range(from..next).copied().collect();
            let rows = rows.difference(&refused).copied().collect();
            ensure!(
                added.remove(&content).unwrap_or_default() == rows,
                "version {version} moves {content} from {from} to {next} with other rows"
            );
        }
        ensure!(
            added.is_empty(),
            "version {version} has rows without a position"
        );
    }
    Ok(versions)
}

/// The positions that a log entry sets.
fn moved(lake: &Path, version: i64) -> Result<BTreeMap<String, i64>> {
    let log = lake.join(EVENTS.replace('.', "/"));
    let entry = log.join(format!("_delta_log/{version:020}.json"));
    let mut moved = BTreeMap::new();
    for line in std::fs::read_to_string(entry)?.lines() {
        let action: serde_json::Value = serde_json::from_str(line)?;
        let id = action["txn"]["appId"].as_str().unwrap_or_default();
        if let Some(content) = id.strip_prefix("userflow-load/") {
            let next = action["txn"]["version"].as_i64().context("no version")?;
            moved.insert(content.to_owned(), next);
        }
    }
    Ok(moved)
}

/// The lines of files that a version adds.
fn added(lake: &Path, version: i64) -> Result<Lines> {
    let changes = runtime()?.block_on(async {
        let lake = Lake::open(&lake.to_string_lossy()).await?;
        lake.table(&TableName::parse(EVENTS)?)
            .changes(version - 1, version)
            .await
    })?;
    let mut lines = Lines::new();
    for file in changes.context("no log")?.into_iter().flat_map(|c| c.added) {
        for batch in read_file(lake, EVENTS, &file)? {
            let ids = cast(column(&batch, "_topic_id")?, &DataType::Utf8)?;
            let numbers = column(&batch, "_offset")?.as_primitive::<Int64Type>();
            for (id, number) in ids.as_string::<i32>().iter().zip(numbers.values()) {
                if let Some(content) = content_of(id.unwrap_or_default()) {
                    lines.entry(content.to_owned()).or_default().insert(*number);
                }
            }
        }
    }
    Ok(lines)
}
