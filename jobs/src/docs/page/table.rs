//! The page of one table or feature view.

use anyhow::Result;
use minijinja::value::Value;
use serde::Serialize;
use userflow_models::project::PARTITION_COLUMN;

use super::quality::{self, Badge, Judged};
use super::{Book, Link, Tile, file_of, short};
use crate::docs::catalogue::{Column, Entry, Home, Rule, Section};
use crate::docs::graph;
use crate::docs::history::Run;
use crate::docs::plot;
use crate::docs::sql::{self, Token};
use crate::docs::state::{Newest, State};
use crate::docs::text::{self, Piece};
use crate::quarantine::{Counts, Waiting};

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
struct Shown<'a> {
    name: &'a str,
    arguments: &'a str,
}

#[derive(Serialize)]
struct Fact {
    label: &'static str,
    text: Vec<Piece>,
    /// The page of the entry that it names.
    file: Option<String>,
}

/// Messages that were refused for one reason.
#[derive(Serialize)]
struct WaitingRow {
    reason: String,
    waiting: String,
    replayed: String,
    sample: Vec<String>,
}

/// Where it can be read.
#[derive(Serialize)]
struct Place {
    label: &'static str,
    text: String,
}

#[derive(Serialize)]
struct ColumnRow<'a> {
    name: &'a str,
    data_type: &'a str,
    description: Vec<Piece>,
    tests: Vec<Shown<'a>>,
    key: bool,
    partition: bool,
}

#[derive(Serialize)]
struct RunRow {
    window: String,
    command: String,
    outcome: String,
    /// Name of its style: a word of the log is no name that a page trusts.
    style: &'static str,
    started_at: String,
    seconds: String,
    rows_read: String,
    rows_written: String,
    version: String,
    inputs: Vec<String>,
    asked_by: String,
    message: Option<String>,
}

impl<'a> Book<'a> {
    /// The page.
    pub(super) fn table(&self, domain: &'a Section, entry: &'a Entry) -> Result<String> {
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

fn shown(rules: &[Rule]) -> Vec<Shown<'_>> {
    let shown = rules.iter().map(|rule| Shown {
        name: &rule.name,
        arguments: &rule.arguments,
    });
    shown.collect()
}

fn column_row<'a>(column: &'a Column, entry: &Entry) -> ColumnRow<'a> {
    ColumnRow {
        name: &column.name,
        data_type: &column.data_type,
        description: text::pieces(&column.description),
        tests: shown(&column.tests),
        key: entry.grain.contains(&column.name),
        partition: entry.home == Home::Lake && column.name == PARTITION_COLUMN,
    }
}

fn state_tiles(newest: &Newest) -> Vec<Tile> {
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

fn waiting_rows(waiting: &Waiting) -> Vec<WaitingRow> {
    let row = |(reason, counts): (&String, &Counts)| WaitingRow {
        reason: reason.clone(),
        waiting: text::count(counts.waiting),
        replayed: text::count(counts.replayed),
        sample: counts.sample.clone(),
    };
    waiting.0.iter().map(row).collect()
}

/// Where the rows can be read, ready to be copied.
fn places(entry: &Entry, state: Option<&State>) -> Vec<Place> {
    let place = |label, text| Place { label, text };
    let name = &entry.name;
    match (entry.home, state) {
        (Home::Lake, Some(State { location, newest })) => {
            let dates = newest
                .as_ref()
                .and_then(|newest| newest.days.keys().next_back());
            let of = dates.map_or_else(String::new, |last| {
                format!(" where {PARTITION_COLUMN} = date '{}'", text::date(*last))
            });
            vec![
                place("SQL name", name.clone()),
                place("Trino", format!("select * from delta.{name}{of} limit 20")),
                place(
                    "Terminal",
                    format!(
                        "userflow-jobs show {name} --limit 20 --lake {}",
                        lake_of(location, name)
                    ),
                ),
                place(
                    "DuckDB",
                    format!(
                        "select * from delta_scan('{}'){of} limit 20",
                        location.replace('\'', "''")
                    ),
                ),
                place("Delta folder", location.clone()),
            ]
        }
        (Home::Seed, _) => {
            let seed = short(name);
            vec![
                place(
                    "In a model",
                    format!("select * from {{{{ ref('{seed}') }}}}"),
                ),
                place("File", entry.file.clone()),
            ]
        }
        _ => {
            let keys: Vec<String> = entry
                .grain
                .iter()
                .map(|key| format!("\"{key}\" = '…'"))
                .collect();
            vec![
                place("PostgreSQL name", name.clone()),
                place(
                    "By key",
                    format!("select * from {name} where {}", keys.join(" and ")),
                ),
            ]
        }
    }
}

/// The lake's root: the table's folder without `layer/table`.
fn lake_of<'a>(location: &'a str, name: &str) -> &'a str {
    let below = name.replace('.', "/");
    location
        .strip_suffix(below.as_str())
        .map_or(location, |root| root.trim_end_matches('/'))
}

fn run_row(run: &Run) -> RunRow {
    RunRow {
        window: run.window.to_string(),
        command: run.command.clone(),
        outcome: run.outcome.clone(),
        style: match run.outcome.as_str() {
            "done" => "pass",
            "skipped" => "",
            "conflict" | "not run" => "warn",
            _ => "blocked",
        },
        started_at: text::minute(run.started_at),
        seconds: format!("{:.1}", run.seconds),
        rows_read: text::signed(run.rows_read),
        rows_written: text::signed(run.rows_written),
        version: run
            .version_written
            .map_or_else(String::new, |version| version.to_string()),
        inputs: run.inputs.clone(),
        asked_by: run.asked_by.clone(),
        message: run.message.clone(),
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
