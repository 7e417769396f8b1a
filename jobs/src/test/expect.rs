//! What must be so at a step of a case: rows of views, windows that ended, tables, the quarantine.

use anyhow::Result;
use chrono::NaiveDate;
use userflow_models::cases::{Expectation, Expected, ExpectedRow, Rows, Subject};
use userflow_models::contract::PARTITION;

use super::failure::{Difference, Failure, Named};
use super::judge::Found;
use super::play::Play;
use super::refusal::{problem, problems};
use crate::value::cell;

impl Play<'_> {
    /// Judges one expectation.
    pub(super) async fn expect(&mut self, expectation: &Expectation) -> Result<()> {
        match &expectation.subject {
            Subject::Quarantine => self.quarantine(expectation),
            Subject::Rows {
                name,
                window_end,
                on,
                as_of,
            } => {
                let of_view = self.bench.views.iter().position(|view| view.name == *name);
                match of_view {
                    Some(_) if on.is_some() || as_of.is_some() => Err(self.wrong(
                        expectation.line,
                        "`on` and `as of` are for tables: a feature view is as it is now",
                    )),
                    Some(view) => {
                        let bench = self.bench;
                        (self.stream.merge(&bench.engine, view, *window_end)).await?;
                        self.view(expectation, view, *window_end)
                    }
                    None if window_end.is_some() => Err(self.wrong(
                        expectation.line,
                        &format!("`window ending` is for feature views, and `{name}` is none"),
                    )),
                    None => self.table(expectation, name, *on, *as_of).await,
                }
            }
        }
    }

    fn quarantine(&mut self, expectation: &Expectation) -> Result<()> {
        let text = |row: &ExpectedRow| {
            let cell = |at: usize| row.cells[at].1.to_string();
            problem(&cell(0), &cell(1))
        };
        let expected: Vec<String> = expectation.rows.iter().map(text).collect();
        let found = std::mem::take(&mut self.refused);
        let found: Vec<String> = found.iter().flat_map(problems).collect();
        if expected != found {
            let or_nothing = |texts: &[String]| match texts {
                [] => "nothing".to_owned(),
                texts => texts.join(", "),
            };
            let told = format!(
                "expected {}, found {}",
                or_nothing(&expected),
                or_nothing(&found)
            );
            self.fail(expectation.line, "quarantine", Difference::Told(told), &[]);
        }
        Ok(())
    }

    fn view(
        &mut self,
        expectation: &Expectation,
        view: usize,
        window_end: Option<i64>,
    ) -> Result<()> {
        let bench = self.bench;
        let rows = &self.stream.views()[view];
        let name = &bench.views[view].name;
        let (subject, shown) = match window_end {
            None => (name.clone(), Some(&rows.rows)),
            Some(end) => {
                let subject = format!("{name}, window ending {}", self.clock.short(end));
                (subject, rows.ended.get(&end))
            }
        };
        let Some(shown) = shown else {
            let told = "no window with rows has ended then".to_owned();
            self.fail(expectation.line, &subject, Difference::Told(told), &[]);
            return Ok(());
        };
        let found = Found {
            columns: &rows.columns,
            key: &(0..rows.key).collect::<Vec<_>>(),
            rows: shown.values().map(Vec::as_slice).collect(),
            clock: self.clock,
        };
        let differences = self.judged(expectation, name, &found)?;
        for difference in differences {
            self.fail_row(expectation.line, &subject, difference);
        }
        Ok(())
    }

    async fn table(
        &mut self,
        expectation: &Expectation,
        name: &str,
        on: Option<NaiveDate>,
        as_of: Option<i64>,
    ) -> Result<()> {
        let bench = self.bench;
        let (columns, key, rows) = if *name == bench.events.name {
            let columns: Vec<String> = cell::names(&bench.events.schema);
            let event_id = bench.domain.contract.event_id();
            (
                columns,
                event_id.into_iter().collect(),
                self.tables.events().to_vec(),
            )
        } else {
            let Ok(model) = bench.project.model(name) else {
                let message = format!(
                    "there is no feature view and no table `{name}`: {} has the views {} and tables such as {}",
                    bench.domain.name,
                    list(bench.views.iter().map(|view| view.name.as_str())),
                    list(
                        bench
                            .project
                            .models()
                            .iter()
                            .filter(|model| model.domain == bench.domain.name)
                            .map(|model| model.name.as_str())
                    ),
                );
                return Err(self.wrong(expectation.line, &message));
            };
            let mut rows = Vec::new();
            for date in self.dates(&expectation.rows, on) {
                rows.extend_from_slice(self.tables.rows(model, date, as_of).await?);
            }
            let mut key = vec![PARTITION];
            key.extend(model.key());
            (cell::names(&model.schema()), key, rows)
        };
        let cells = cell::rows(&rows)?;
        let at = |name: &&str| columns.iter().position(|column| column == name);
        let found = Found {
            key: &key.iter().filter_map(at).collect::<Vec<_>>(),
            rows: cells.iter().map(Vec::as_slice).collect(),
            columns: &columns,
            clock: self.clock,
        };
        for difference in self.judged(expectation, name, &found)? {
            self.fail_row(expectation.line, name, difference);
        }
        Ok(())
    }

    /// The dates of a table that an expectation is about: the one that it says, else all that events have, the case's, and those of its rows.
    fn dates(&self, rows: &Rows, on: Option<NaiveDate>) -> Vec<i32> {
        if let Some(date) = on {
            return vec![date.to_epoch_days()];
        }
        let mut dates = self.tables.dates().clone();
        dates.insert(self.case.date.to_epoch_days());
        for (name, value) in rows.iter().flat_map(|row| &row.cells) {
            if let (PARTITION, Expected::Text(text)) = (name.as_str(), value)
                && let Ok(date) = text.parse::<NaiveDate>()
            {
                dates.insert(date.to_epoch_days());
            }
        }
        dates.into_iter().collect()
    }

    fn judged(
        &self,
        expectation: &Expectation,
        name: &str,
        found: &Found<'_>,
    ) -> Result<Vec<Difference>> {
        match found.unknown(&expectation.rows) {
            None => Ok(found.judge(&expectation.rows)),
            Some(column) => {
                let message = format!(
                    "{name} has no column `{column}`: it has {}",
                    found.columns.join(", ")
                );
                Err(self.wrong(expectation.line, &message))
            }
        }
    }

    /// Notes how rows differ, with the events of the row.
    pub(super) fn fail_row(&mut self, line: usize, subject: &str, difference: Difference) {
        let key = match &difference {
            Difference::Cells { key, .. } | Difference::Unexpected { key } => key.clone(),
            Difference::Missing { row, .. } | Difference::Several { row, .. } => row.clone(),
            Difference::Told(_) => Named::new(),
        };
        self.fail(line, subject, difference, &key);
    }

    /// Notes a failure.
    pub(super) fn fail(
        &mut self,
        line: usize,
        subject: &str,
        difference: Difference,
        key: &[(String, String)],
    ) {
        self.failures.push(Failure {
            line,
            subject: subject.to_owned(),
            difference,
            events: self.story.of(key, &self.columns),
        });
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
