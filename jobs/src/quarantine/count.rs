//! Counts how many messages of the quarantine wait, and for which reason.
//!
//! A log knows the rows of each file and not their reasons, and bronze knows which of them were landed. So the small columns of the
//! quarantine are read, and of bronze the files that have replayed rows; no message's bytes are.

use anyhow::{Context, Result};
use futures::StreamExt;
use userflow_lake::{DataFile, Snapshot};
use userflow_models::bronze::{self, KAFKA_OFFSET, KAFKA_PARTITION, KAFKA_TIME, TOPIC_ID};

use super::landed::{Landed, Rows, Wanted, has_replayed, landed};
use super::place::{Place, Places, Topics};
use super::portion::{Portion, portions};
use super::select::Selection;
use super::texts::{problems, text, texts};
use super::waiting::Waiting;
use crate::workspace::Workspace;

/// Bytes of memory that the places of one row need while they are looked up, about.
const ROW: usize = 256;
/// Messages of each reason that are shown.
const SHOWN: usize = 3;
const REASON: &str = "reason";

/// The most rows whose places are held at a time.
pub fn most_rows(workspace: &Workspace) -> u64 {
    (workspace.engine.pool_size() / ROW).clamp(10_000, 1_000_000) as u64
}

/// Counts the messages in these files of the quarantine, and shows some of those that wait. Without a bronze table none was landed.
pub async fn waiting(
    workspace: &Workspace,
    quarantine: &Snapshot,
    bronze: Option<&Snapshot>,
    files: Vec<DataFile>,
) -> Result<Waiting> {
    let mut waiting = Waiting::default();
    for portion in portions(files, most_rows(workspace)) {
        let mut found = Found::default();
        found.read(workspace, quarantine, &portion).await?;
        let landed = match bronze {
            Some(bronze) => found.landed(workspace, bronze).await?,
            None => Landed::default(),
        };
        // What waits, row by row, so that the second look at the rows finds the same.
        let waits: Vec<bool> = (found.rows.iter())
            .map(|(_, place)| !landed.has_any(place))
            .collect();
        for ((reason, _), waits) in found.rows.iter().zip(&waits) {
            let counts = waiting.of(&found.reasons[*reason]);
            match waits {
                true => counts.waiting += 1,
                false => counts.replayed += 1,
            }
        }
        let waits = |row: usize| waits[row].then(|| &found.reasons[found.rows[row].0]);
        show(workspace, quarantine, &portion, &waits, &mut waiting).await?;
    }
    Ok(waiting)
}

/// What waits in a table, with its domain, if the table is a quarantine.
pub async fn waiting_in(
    workspace: &Workspace,
    table: &Snapshot,
) -> Result<Option<(String, Waiting)>> {
    let name = table.table().name().to_string();
    for domain in workspace.domains.chosen(None)? {
        if bronze::quarantine(&domain.contract).name != name {
            continue;
        }
        let events = bronze::events(&domain.contract).name;
        let events = workspace.table(&events)?.snapshot().await?;
        let files = table.files().to_vec();
        let waiting = waiting(workspace, table, events.as_ref(), files).await?;
        return Ok(Some((domain.name.clone(), waiting)));
    }
    Ok(None)
}

/// How many of the messages in these files were landed. Where no file of bronze has replayed rows, its log says so and nothing is read.
pub(super) async fn replayed(
    workspace: &Workspace,
    quarantine: &Snapshot,
    bronze: &Snapshot,
    files: Vec<DataFile>,
) -> Result<u64> {
    if files.is_empty() || !has_replayed(bronze) {
        return Ok(0);
    }
    let mut replayed = 0;
    for portion in portions(files, most_rows(workspace)) {
        let mut found = Found::default();
        found.read(workspace, quarantine, &portion).await?;
        let landed = found.landed(workspace, bronze).await?;
        replayed += found
            .rows
            .iter()
            .filter(|(_, place)| landed.has_any(place))
            .count() as u64;
    }
    Ok(replayed)
}

/// Reason and place of each row of a portion.
#[derive(Default)]
struct Found {
    reasons: Vec<String>,
    topics: Topics,
    rows: Vec<(usize, Option<Place>)>,
}

impl Found {
    async fn read(
        &mut self,
        workspace: &Workspace,
        quarantine: &Snapshot,
        portion: &Portion,
    ) -> Result<()> {
        let columns = [TOPIC_ID, KAFKA_PARTITION, KAFKA_OFFSET, KAFKA_TIME, REASON];
        let all = Selection::default();
        let mut batches = all.read(workspace, quarantine, portion, &columns).await?;
        while let Some(batch) = batches.next().await {
            let batch = batch.context("read the quarantine")?;
            let places = Places::of(&batch)?;
            let reasons = texts(&batch, REASON)?;
            for row in 0..batch.num_rows() {
                let reason = text(&reasons, row);
                let known = self.reasons.iter().position(|known| known == reason);
                let reason = known.unwrap_or_else(|| {
                    self.reasons.push(reason.to_owned());
                    self.reasons.len() - 1
                });
                let place = places.at(row, &mut self.topics);
                self.rows.push((reason, place));
            }
        }
        Ok(())
    }

    /// Those that `replay` landed.
    async fn landed(&mut self, workspace: &Workspace, bronze: &Snapshot) -> Result<Landed> {
        let wanted: Wanted = (self.rows.iter()).filter_map(|(_, place)| *place).collect();
        landed(workspace, bronze, &wanted, Rows::Replayed, &mut self.topics).await
    }
}

/// Reads on until enough rows that wait were seen of each reason.
async fn show<'a>(
    workspace: &Workspace,
    quarantine: &Snapshot,
    portion: &Portion,
    waits: &dyn Fn(usize) -> Option<&'a String>,
    waiting: &mut Waiting,
) -> Result<()> {
    let enough = |waiting: &Waiting| {
        let mut counts = waiting.0.values();
        counts.all(|counts| counts.sample.len() as u64 == counts.waiting.min(SHOWN as u64))
    };
    if enough(waiting) {
        return Ok(());
    }
    let columns = [KAFKA_PARTITION, KAFKA_OFFSET, "problems"];
    let all = Selection::default();
    let mut batches = all.read(workspace, quarantine, portion, &columns).await?;
    let mut at = 0;
    while let Some(batch) = batches.next().await {
        let batch = batch.context("read the quarantine")?;
        let (partitions, offsets) = (
            texts(&batch, KAFKA_PARTITION)?,
            texts(&batch, KAFKA_OFFSET)?,
        );
        for row in 0..batch.num_rows() {
            if let Some(reason) = waits(at) {
                let sample = &mut waiting.of(reason).sample;
                if sample.len() < SHOWN {
                    let (partition, offset) = (text(&partitions, row), text(&offsets, row));
                    let problems = problems(&batch, row)?;
                    sample.push(format!("{partition}:{offset} {problems}"));
                }
            }
            at += 1;
        }
        if enough(waiting) {
            return Ok(());
        }
    }
    Ok(())
}
