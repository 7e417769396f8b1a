//! Every view with a `batch:` table against it, at the end of a case: all time passes, the model runs for every date of the events, and the
//! two must say the same of every entity. What `check --skew` does on servers.

use std::collections::BTreeSet;

use anyhow::Result;
use chrono::{DateTime, Utc};
use userflow_models::cases::{Case, Clock};
use userflow_models::features::Batch;
use userflow_models::project::{Model, Window};
use userflow_process::exit::WrongSetup;

use super::bench::Bench;
use super::failure::{CellDiffers, Difference, Named};
use super::tables::Tables;
use crate::stream::{Key, Stream, ViewRows};
use crate::value::Value;
use crate::value::cell::{self, Cell};

/// What differs, by subject; a difference that the case names as known is none, and one that it names in vain is.
pub(super) async fn compare(
    bench: &Bench,
    case: &Case,
    stream: &mut Stream,
    tables: &mut Tables<'_>,
    clock: Clock,
) -> Result<Vec<(String, Difference)>> {
    let twins: Vec<(usize, &Batch)> = (bench.views.iter().enumerate())
        .filter_map(|(at, view)| Some((at, view.batch.as_ref()?)))
        .collect();
    for (view, _) in &case.skew {
        if twins.iter().all(|(at, _)| bench.views[*at].name != *view) {
            let message = format!(
                "{}:{}: skew: no feature view `{view}` has a `batch:` table",
                case.file.display(),
                case.line
            );
            return Err(WrongSetup(message).into());
        }
    }
    let dates: Vec<i32> = tables.dates().iter().copied().collect();
    let mut all = Vec::new();
    for (at, batch) in twins {
        let view = &bench.views[at];
        let model = bench.project.model(&batch.table)?;
        let mut rows = Vec::new();
        for date in &dates {
            rows.extend_from_slice(tables.rows(model, *date, None).await?);
        }
        if let Some(end) = as_of(model, &dates) {
            stream.advance(end.timestamp_micros())?;
        }
        stream.merge(&bench.engine, at, None).await?;
        let twin = Twin {
            batch,
            model,
            live: &stream.views()[at],
            clock,
        };
        let differences = twin.differences(&cell::rows(&rows)?);
        let known = case.skew.iter().any(|(known, _)| *known == view.name);
        let subject = format!("{} and {}", batch.table, view.name);
        match (known, differences.is_empty()) {
            (false, _) => all.extend(differences.into_iter().map(|one| (subject.clone(), one))),
            (true, false) => {}
            (true, true) => {
                let told = "agree, although `skew:` says that they differ: remove it".to_owned();
                all.push((subject, Difference::Told(told)));
            }
        }
    }
    Ok(all)
}

/// When the model's newest date is judged.
fn as_of(model: &Model, dates: &[i32]) -> Option<DateTime<Utc>> {
    let window = Window::from_days(*dates.last()?)?;
    Some(window.as_of(model.config.margin))
}

/// A view and its batch table.
struct Twin<'a> {
    batch: &'a Batch,
    model: &'a Model,
    live: &'a ViewRows,
    clock: Clock,
}

impl Twin<'_> {
    fn differences(&self, rows: &[Vec<Cell>]) -> Vec<Difference> {
        let mut differences = Vec::new();
        let mut seen: BTreeSet<Key> = BTreeSet::new();
        for row in rows {
            let key = self.key().iter();
            let key: Key = key
                .map(|name| row[self.column(self.renamed(name))].text())
                .collect();
            match self.live.rows.get(&key) {
                None => differences.push(Difference::Told(format!(
                    "the view has no row {}, the table has",
                    self.shown(&key)
                ))),
                Some(live) if self.is_open(live) => {}
                Some(live) => differences.extend(self.cells(&key, row, live)),
            }
            seen.insert(key);
        }
        let extra = self.live.rows.keys().filter(|key| !seen.contains(*key));
        differences.extend(extra.map(|key| {
            Difference::Told(format!(
                "the table has no row {}, the view has",
                self.shown(key)
            ))
        }));
        differences
    }

    /// A row that is not final can still change.
    fn is_open(&self, live: &[Cell]) -> bool {
        let is_final = self.live.columns.iter().position(|name| name == "is_final");
        is_final.is_some_and(|at| live[at] == Cell::One(Value::Boolean(false)))
    }

    fn cells(&self, key: &Key, row: &[Cell], live: &[Cell]) -> Option<Difference> {
        let mut cells = Vec::new();
        for (feature, column) in &self.batch.features {
            let Some(at) = self.live.columns.iter().position(|name| name == feature) else {
                continue;
            };
            let (batch, online) = (&row[self.column(column)], &live[at]);
            let same = match batch {
                Cell::One(value) => value.is(&online.online()),
                other => other == online,
            };
            if !same {
                cells.push(CellDiffers {
                    column: feature.clone(),
                    expected: batch.shown(self.clock),
                    found: online.shown(self.clock),
                });
            }
        }
        (!cells.is_empty()).then(|| Difference::Cells {
            key: self.named(key),
            cells,
        })
    }

    /// The columns of the view's key.
    fn key(&self) -> &[String] {
        &self.live.columns[..self.live.key]
    }

    /// The table's name of a column of the view.
    fn renamed<'n>(&'n self, name: &'n str) -> &'n str {
        let mut features = self.batch.features.iter();
        let found = features.find(|(feature, _)| feature == name);
        found.map_or(name, |(_, column)| column)
    }

    fn column(&self, name: &str) -> usize {
        let at = self
            .model
            .columns
            .iter()
            .position(|column| column.name == name);
        at.expect("the bench refuses a batch table without a column that its view names")
    }

    fn named(&self, key: &Key) -> Named {
        self.key()
            .iter()
            .cloned()
            .zip(key.iter().cloned())
            .collect()
    }

    fn shown(&self, key: &Key) -> String {
        let cells = self.named(key);
        let cells: Vec<String> = cells
            .iter()
            .map(|(name, text)| format!("{name}: {text}"))
            .collect();
        format!("{{{}}}", cells.join(", "))
    }
}
