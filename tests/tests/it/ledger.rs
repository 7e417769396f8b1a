//! The oracle of exactly-once: what the topic holds, held against what the lake holds.
//!
//! Two checks. At the end: every offset is in bronze or quarantine, once. And at every version on the way: a commit's rows
//! are exactly the offsets between the position before it and its own, so that a reader who came by at any moment saw no
//! gap and no repeat.
//!
//! A message that was refused and landed later (`replay`) is in both tables. Its row in bronze says so, and is the one that counts: what
//! is in both must be marked, and what is marked must be in both.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use arrow::array::AsArray;
use arrow::datatypes::{Int32Type, Int64Type};
use userflow_lake::{DataFile, Lake, TableName};
use userflow_tests::lake::{column, offsets, read_file, replayed_offsets, runtime, snapshot};

/// Fails unless bronze and quarantine together hold each offset of the topic once.
pub(crate) fn accounts_for_every_offset(
    lake: &Path,
    domain: &str,
    watermarks: &BTreeMap<i32, (i64, i64)>,
) -> Result<()> {
    let bronze = offsets(lake, &format!("bronze.{domain}_events"))?;
    let quarantine = offsets(lake, &format!("bronze.{domain}_quarantine"))?;
    let replayed = replayed_offsets(lake, &format!("bronze.{domain}_events"))?;
    let quarantine = without(quarantine, &replayed)?;
    for (partition, (low, high)) in watermarks {
        let mut held: Vec<i64> = [&bronze, &quarantine]
            .iter()
            .flat_map(|table| table.get(partition).cloned().unwrap_or_default())
            .collect();
        held.sort_unstable();
        let expected: Vec<i64> = (*low..*high).collect();
        ensure!(
            held == expected,
            "partition {partition}: topic has {} offsets ({low}..{high}), the lake has {} ({} repeated); \
             first difference at {:?}",
            expected.len(),
            held.len(),
            held.windows(2).filter(|w| w[0] == w[1]).count(),
            held.iter().zip(&expected).find(|(h, e)| h != e),
        );
    }
    Ok(())
}

/// The offsets that are not among `replayed`, each of which must be there.
fn without(
    mut offsets: BTreeMap<i32, Vec<i64>>,
    replayed: &BTreeMap<i32, Vec<i64>>,
) -> Result<BTreeMap<i32, Vec<i64>>> {
    for (partition, landed) in replayed {
        let refused = offsets.entry(*partition).or_default();
        for offset in landed {
            let at = refused.binary_search(offset);
            let at = at.map_err(|_| {
                anyhow::anyhow!("{partition}:{offset} is marked as replayed and not in quarantine, or replayed twice")
            })?;
            refused.remove(at);
        }
    }
    Ok(offsets)
}

/// Fails unless every version of bronze moves each position by exactly the rows it adds (and those in quarantine).
pub(crate) fn every_version_is_consistent(lake: &Path, domain: &str) -> Result<usize> {
    let events = format!("bronze.{domain}_events");
    let quarantine = offsets(lake, &format!("bronze.{domain}_quarantine"))?;
    let newest = snapshot(lake, &events)?
        .context("no bronze table")?
        .version();
    let (mut position, mut versions) = (BTreeMap::<i32, i64>::new(), 0);
    for version in 1..=newest {
        let Some((added, next)) = read_version(lake, &events, version)? else {
            continue;
        };
        versions += 1;
        let mut rows: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
        for file in &added {
            for batch in read_file(lake, &events, file)? {
                let partitions = column(&batch, "_partition")?.as_primitive::<Int32Type>();
                let offsets = column(&batch, "_offset")?.as_primitive::<Int64Type>();
                for (p, o) in partitions.values().iter().zip(offsets.values()) {
                    rows.entry(*p).or_default().push(*o);
                }
            }
        }
        for partition in rows.keys() {
            ensure!(
                next.contains_key(partition),
                "version {version} has rows of partition {partition} but no position"
            );
        }
        for (partition, to) in next {
            let from = position.insert(partition, to).unwrap_or(0);
            let mut held = rows.remove(&partition).unwrap_or_default();
            let rejected = quarantine.get(&partition).into_iter().flatten();
            held.extend(rejected.filter(|o| (from..to).contains(*o)));
            held.sort_unstable();
            ensure!(
                held == (from..to).collect::<Vec<_>>(),
                "version {version} moves partition {partition} from {from} to {to} with {} rows",
                held.len()
            );
        }
    }
    Ok(versions)
}

/// Files added and positions set by one log entry, read from its JSON; `None` for an entry without positions.
type Entry = Option<(Vec<DataFile>, BTreeMap<i32, i64>)>;

fn read_version(lake: &Path, table: &str, version: i64) -> Result<Entry> {
    let log = lake
        .join(table.replace('.', "/"))
        .join(format!("_delta_log/{version:020}.json"));
    let text = std::fs::read_to_string(&log).with_context(|| format!("read {}", log.display()))?;
    let mut next = BTreeMap::new();
    for line in text.lines() {
        let action: serde_json::Value = serde_json::from_str(line)?;
        if let Some(txn) = action.get("txn") {
            let id = txn["appId"].as_str().context("txn without appId")?;
            // A replay moves a position of its own and none of a Kafka partition.
            if !id.starts_with("userflow-ingester/") {
                continue;
            }
            let partition = id.rsplit('/').next().context("empty appId")?.parse()?;
            next.insert(
                partition,
                txn["version"].as_i64().context("txn without version")?,
            );
        }
    }
    if next.is_empty() {
        return Ok(None);
    }
    let changes = runtime()?.block_on(async {
        let lake = Lake::open(&lake.to_string_lossy()).await?;
        lake.table(&TableName::parse(table)?)
            .changes(version - 1, version)
            .await
    })?;
    let added = changes
        .context("the log does not reach back")?
        .into_iter()
        .flat_map(|c| c.added)
        .collect();
    Ok(Some((added, next)))
}
