//! The page of one table or feature view.

mod columns;
mod places;
mod runs;
mod state;

use anyhow::Result;
use minijinja::value::Value;
use serde::Serialize;

use super::book::{Book, Link, Tile};
use super::names::file_of;
use super::quality::{self, Badge, Judged};
use crate::docs::catalogue::{Entry, Home, Section};
use crate::docs::sql::{self, Token};
use crate::docs::text::{self, Piece};
use crate::docs::{graph, plot};
use columns::{ColumnRow, Shown, column_row, shown};
use places::{Place, places};
use runs::{RunRow, run_row};
use state::{WaitingRow, state_tiles, waiting_rows};

#[derive(Serialize)]
struct Table<'a> {
    name: &'a str,
    domain: &'a str,
    group: String,
    paragraphs: Vec<Vec<Piece>>,
    grain: &'a [String],
    tests: Vec<Shown<'a>>,
    facts: Vec<Fact>,
    reads: Vec<Link>,
    read_by: Vec<Link>,
    lineage: Value,
    in_lake: bool,
    state: Option<Vec<Tile>>,
    bars: Option<Value>,
    /// Of a quarantine: a row for each reason.
    waiting: Option<Vec<WaitingRow>>,
    places: Vec<Place>,
    columns: Vec<ColumnRow<'a>>,
    /// Whether a column has any.
    column_tests: bool,
    badge: Option<Badge>,
    judged: Vec<Judged>,
    runs: Vec<RunRow>,
    file: &'a str,
    definition: Option<Vec<Token>>,
}

#[derive(Serialize)]
struct Fact {
    label: &'static str,
    text: Vec<Piece>,
    /// The page of the entry that it names.
    file: Option<String>,
}

impl<'a> Book<'a> {
    /// The page.
    pub(in crate::docs::page) fn table(
        &self,
        domain: &'a Section,
        entry: &'a Entry,
    ) -> Result<String> {
        let link = |name: &String| Link {
            name: name.clone(),
            file: self.file_of(name),
        };
        let readers = (self.catalogue.entries()).filter(|other| other.reads.contains(&entry.name));
        let fact = |(label, words): &(&'static str, String)| Fact {
            label,
            text: text::pieces(words),
            file: self.file_of(words),
        };

        let state = self.states.get(&entry.name);
        let newest = state.and_then(|state| state.newest.as_ref());
        let bars = newest.and_then(|newest| plot::bars(&newest.days));
        let body = self.templates.markup(
            "table.html",
            Table {
                name: &entry.name,
                domain: &domain.name,
                group: entry.group.clone(),
                paragraphs: text::paragraphs(&entry.description),
                grain: &entry.grain,
                tests: shown(&entry.tests),
                facts: entry.facts.iter().map(fact).collect(),
                reads: entry.reads.iter().map(link).collect(),
                read_by: readers.map(|reader| link(&reader.name)).collect(),
                lineage: self.lineage(
                    "t",
                    &graph::around(&self.nodes(domain), &entry.name),
                    Some(&entry.name),
                )?,
                in_lake: entry.home == Home::Lake,
                state: newest.map(state_tiles),
                bars: bars
                    .map(|bars| self.templates.markup("bars.svg", bars))
                    .transpose()?,
                waiting: newest
                    .and_then(|newest| newest.waiting.as_ref())
                    .map(waiting_rows),
                places: places(entry, state),
                column_tests: entry.columns.iter().any(|column| !column.tests.is_empty()),
                columns: entry
                    .columns
                    .iter()
                    .map(|column| column_row(column, entry))
                    .collect(),
                badge: quality::badge(&self.templates, self.history.tests.get(&entry.name))?,
                judged: quality::judged(&self.templates, self.history.tests.get(&entry.name))?,
                runs: self
                    .history
                    .runs
                    .get(&entry.name)
                    .into_iter()
                    .flatten()
                    .map(run_row)
                    .collect(),
                file: &entry.file,
                definition: entry
                    .definition
                    .as_deref()
                    .map(|text| definition(&entry.file, text)),
            },
        )?;
        self.page(&entry.name, Some(&file_of(&entry.name)), body)
    }
}

/// SQL in colours; another language as it is.
fn definition(file: &str, text: &str) -> Vec<Token> {
    if file.ends_with(".sql") {
        return sql::tokens(text);
    }
    let plain = Token {
        style: "",
        text: text.to_owned(),
    };
    vec![plain]
}
