//! `--dry-run`: every line is decoded as it would be landed, and counted. Nothing is written.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use arrow::array::AsArray;
use arrow::datatypes::Date32Type;
use serde::Serialize;
use userflow_lake::{Lake, LakeError, TableName};
use userflow_models::bronze;
use userflow_models::contract::{Contract, PARTITION};
use userflow_models::decode::{Decoder, Rejection};
use userflow_process::terminal::escaped;

use super::super::shared::lock;
use super::content::Unreadable;
use super::outcome::{Lines, State};
use super::shared::Plan;

/// Rows that are decoded before they are forgotten.
const BATCH_ROWS: usize = 16_384;
/// Characters of a line that are shown.
const MOST_SHOWN: usize = 120;

/// A refused line, as an example of its reason.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Example {
    pub(super) file: String,
    pub(super) line: i64,
    /// Everything that is wrong with it.
    pub(super) problems: String,
    /// Its first characters, without any that a terminal would take for a command.
    pub(super) raw: String,
}

/// What would be refused for one reason.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Refused {
    pub(super) lines: u64,
    pub(super) example: Example,
}

/// What would be done.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Dates of rows, in days since 1970.
    pub(super) dates: BTreeSet<i32>,
    pub(super) refused: BTreeMap<&'static str, Refused>,
}

/// The positions that a lake has; none if it has no such table.
pub(super) async fn positions(lake: &Lake, contract: &Contract) -> Result<HashMap<String, i64>> {
    let name = TableName::parse(&bronze::events(contract).name)?;
    match lake.table(&name).txns().await {
        Ok(txns) => Ok(txns.by_id),
        Err(LakeError::NoTable(_)) => Ok(HashMap::new()),
        Err(error) => Err(error.into()),
    }
}

/// Decodes what a worker takes from the list, until the list is empty.
pub(super) fn work(
    plan: &Plan,
    positions: &BTreeMap<i32, i64>,
    next: &AtomicUsize,
    tally: &Mutex<Tally>,
) -> Result<()> {
    let mut decoder = Decoder::new(&plan.contract);
    while !plan.stop.asked() {
        let at = next.fetch_add(1, Ordering::Relaxed);
        if at >= plan.contents.len() {
            break;
        }
        let slot = i32::try_from(at).expect("slots are numbered by i32");
        let start = positions.get(&slot).copied().unwrap_or(1);
        let counted = count(plan, slot, start, &mut decoder, tally);
        forget(&mut decoder, tally);
        plan.outcomes.change(slot, |outcome| match counted {
            Ok(None) => outcome.state = State::LandedBefore,
            Ok(Some(lines)) => {
                outcome.lines.add(lines);
                outcome.resumed_at = (start > 1).then_some(start);
                outcome.state = State::Landed;
            }
            Err(unreadable) => {
                tracing::error!("{}: {unreadable}", escaped(&outcome.file));
                outcome.state = State::Failed(unreadable.to_string());
            }
        });
    }
    Ok(())
}

/// Counts the lines of a content; none if it has been landed before.
fn count(
    plan: &Plan,
    slot: i32,
    start: i64,
    decoder: &mut Decoder,
    tally: &Mutex<Tally>,
) -> Result<Option<Lines>, Unreadable> {
    let content = plan.content(slot);
    if start > content.lines {
        return Ok(None);
    }
    let mut counts = Lines::default();
    let mut blocks = content.blocks(start, &plan.counted)?;
    while let Some(lines) = blocks.next()? {
        for (number, line) in lines.skip_while(|(number, _)| *number < start) {
            if line.trim_ascii().is_empty() {
                counts.blank += 1;
                continue;
            }
            let before = decoder.rows();
            match decoder.decode_history(line, plan.read_ms) {
                Ok(()) => counts.accepted(decoder.rows() - before),
                Err(rejection) => {
                    counts.quarantined += 1;
                    refuse(tally, &content.file, (number, line), &rejection);
                }
            }
            if decoder.rows() >= BATCH_ROWS {
                forget(decoder, tally);
            }
        }
        if plan.stop.asked() {
            break;
        }
    }
    Ok(Some(counts))
}

fn refuse(tally: &Mutex<Tally>, file: &str, (number, line): (i64, &[u8]), rejection: &Rejection) {
    let mut tally = lock(tally);
    let refused = tally.refused.entry(rejection.reason().as_str());
    let refused = refused.or_insert_with(|| Refused {
        lines: 0,
        example: Example {
            file: file.to_owned(),
            line: number,
            problems: rejection.to_string(),
            raw: start_of(line),
        },
    });
    refused.lines += 1;
}

/// Notes the dates of the decoded rows, and forgets them.
fn forget(decoder: &mut Decoder, tally: &Mutex<Tally>) {
    let rows = decoder.finish();
    let dates = rows.column_by_name(PARTITION);
    let dates = dates.expect("the decoder makes the partition");
    let dates = dates.as_primitive::<Date32Type>();
    lock(tally).dates.extend(dates.values());
}

/// The start of a line as text.
fn start_of(line: &[u8]) -> String {
    // A character has at most four bytes.
    let head = String::from_utf8_lossy(&line[..line.len().min(MOST_SHOWN * 4)]);
    let head: String = head.chars().take(MOST_SHOWN).collect();
    escaped(&head).into_owned()
}
