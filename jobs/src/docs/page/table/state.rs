//! What is stored: the figures of the newest version, and what waits in a quarantine.

use serde::Serialize;

use crate::docs::page::book::Tile;
use crate::docs::state::Newest;
use crate::docs::text;
use crate::quarantine::{Counts, Waiting};

/// Messages that were refused for one reason.
#[derive(Serialize)]
pub(super) struct WaitingRow {
    reason: String,
    waiting: String,
    replayed: String,
    sample: Vec<String>,
}

/// The figures of the newest version.
pub(super) fn state_tiles(newest: &Newest) -> Vec<Tile> {
    let tile = |label, value: String, note: String| Tile { label, value, note };
    let version = newest.committed_at.map_or_else(String::new, |time| {
        format!("committed {}", text::minute(time))
    });
    let dates = match (newest.days.keys().next(), newest.days.keys().next_back()) {
        (Some(first), Some(last)) => format!("{} to {}", text::date(*first), text::date(*last)),
        _ => "empty".to_owned(),
    };
    let rows = newest
        .rows()
        .map_or_else(|| "unknown".to_owned(), text::count);
    vec![
        tile("Rows", rows, String::new()),
        tile("Dates", text::count(newest.days.len() as u64), dates),
        tile(
            "Files",
            text::count(newest.files as u64),
            text::bytes(newest.bytes),
        ),
        tile("Version", newest.version.to_string(), version),
    ]
}

/// A row for each reason.
pub(super) fn waiting_rows(waiting: &Waiting) -> Vec<WaitingRow> {
    let row = |(reason, counts): (&String, &Counts)| WaitingRow {
        reason: reason.clone(),
        waiting: text::count(counts.waiting),
        replayed: text::count(counts.replayed),
        sample: counts.sample.clone(),
    };
    waiting.0.iter().map(row).collect()
}
