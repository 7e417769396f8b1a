//! How the tests of a table went, for its page and for its card.

use std::collections::BTreeMap;

use anyhow::Result;
use minijinja::value::Value;
use serde::Serialize;

use super::book::Tile;
use super::templates::Templates;
use crate::docs::history::{Status, Verdict};
use crate::docs::plot;
use crate::docs::text;

/// Verdicts by test.
type Tests = BTreeMap<String, Vec<Verdict>>;

/// All tests of a table as one.
#[derive(Serialize)]
pub(super) struct Badge {
    word: &'static str,
    window: String,
    spark: Value,
}

/// One test.
#[derive(Serialize)]
pub(super) struct Judged {
    test: String,
    word: &'static str,
    /// What happens below the threshold.
    consequence: String,
    window: String,
    rate: String,
    failed: String,
    spark: Value,
    /// Failing rows of the last window that had any, as the log keeps them.
    sample: Vec<String>,
    sampled: String,
}

/// The last window's worst verdict, and the worst of every window as a plot; none when nothing was judged.
pub(super) fn badge(templates: &Templates, tests: Option<&Tests>) -> Result<Option<Badge>> {
    let mut worst: BTreeMap<_, Verdict> = BTreeMap::new();
    for verdict in tests.into_iter().flat_map(BTreeMap::values).flatten() {
        let known = worst
            .entry(verdict.window)
            .or_insert_with(|| verdict.clone());
        let graver = (verdict.status, -verdict.pass_rate) > (known.status, -known.pass_rate);
        if graver {
            *known = verdict.clone();
        }
    }
    let worst: Vec<Verdict> = worst.into_values().collect();
    let (Some(last), Some(spark)) = (worst.last(), plot::spark("Worst test", &worst)) else {
        return Ok(None);
    };
    Ok(Some(Badge {
        word: last.status.word(),
        window: last.window.to_string(),
        spark: templates.markup("spark.svg", spark)?,
    }))
}

/// Every test: those that need a look first, then by name.
pub(super) fn judged(templates: &Templates, tests: Option<&Tests>) -> Result<Vec<Judged>> {
    let mut found: Vec<(&String, &Vec<Verdict>, Status)> = Vec::new();
    for (test, verdicts) in tests.into_iter().flatten() {
        found.extend(verdicts.last().map(|last| (test, verdicts, last.status)));
    }
    found.sort_by_key(|(test, _, status)| (std::cmp::Reverse(*status), *test));
    let mut rows = Vec::new();
    for (test, verdicts, status) in found {
        let (Some(last), Some(spark)) = (verdicts.last(), plot::spark(test, verdicts)) else {
            continue;
        };
        let sampled = verdicts
            .iter()
            .rev()
            .find(|verdict| !verdict.sample.is_empty());
        let verb = if last.severity == "warn" {
            "warns"
        } else {
            "blocks"
        };
        rows.push(Judged {
            test: test.clone(),
            word: status.word(),
            consequence: format!("{verb} below {}", text::percent(last.threshold)),
            window: last.window.to_string(),
            rate: text::percent(last.pass_rate),
            failed: format!(
                "{} of {}",
                text::signed(last.failed),
                text::signed(last.total)
            ),
            spark: templates.markup("spark.svg", spark)?,
            sample: sampled
                .map(|verdict| verdict.sample.clone())
                .unwrap_or_default(),
            sampled: sampled.map_or_else(String::new, |verdict| {
                let rows = text::counted(verdict.sample.len() as u64, "failing row");
                format!("{rows} of {}", verdict.window)
            }),
        });
    }
    Ok(rows)
}

/// The tests of the whole catalogue: how many are declared, and how those went that were judged last.
pub(super) fn tile(tests: &BTreeMap<String, Tests>, declared: usize) -> Tile {
    let last = || {
        tests
            .values()
            .flat_map(BTreeMap::values)
            .filter_map(|verdicts| verdicts.last())
    };
    let with = |status| last().filter(|verdict| verdict.status == status).count();
    let note = match last().count() {
        0 => "declared in the models".to_owned(),
        _ => format!(
            "last windows: {} pass, {} warn, {} blocked",
            with(Status::Pass),
            with(Status::Warn),
            with(Status::Block)
        ),
    };
    Tile {
        label: "Tests",
        value: declared.to_string(),
        note,
    }
}
