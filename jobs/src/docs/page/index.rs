//! The first page: figures, the lineage of each domain, and a card per table and feature view.

use anyhow::Result;
use minijinja::value::Value;
use serde::Serialize;

use super::book::{Book, Group, Tile, grouped};
use super::names::{file_of, title_of};
use super::quality::{self, Badge};
use crate::docs::catalogue::{Entry, Home, Section};
use crate::docs::graph::Node;
use crate::docs::state::Newest;
use crate::docs::text::{self, Piece};

#[derive(Serialize)]
struct Index {
    tiles: Vec<Tile>,
    groups: Vec<String>,
    domains: Vec<Domain>,
}

#[derive(Serialize)]
struct Domain {
    name: String,
    description: Vec<Piece>,
    lineage: Value,
    legend: Vec<String>,
    groups: Vec<Group<Card>>,
}

#[derive(Serialize)]
struct Card {
    name: String,
    file: String,
    group: String,
    sentence: Vec<Piece>,
    figures: Vec<String>,
    columns: Vec<String>,
    quality: Option<Badge>,
}

impl Book<'_> {
    /// The page.
    pub(super) fn index(&self) -> Result<String> {
        let mut domains = Vec::new();
        for (number, domain) in self.catalogue.domains.iter().enumerate() {
            let nodes = self.nodes(domain);
            domains.push(Domain {
                name: domain.name.clone(),
                description: text::pieces(&domain.description),
                lineage: self.lineage(&format!("d{number}"), &nodes, None)?,
                legend: legend(&nodes),
                groups: self.cards(domain)?,
            });
        }
        let mut groups: Vec<String> = Vec::new();
        for group in domains.iter().flat_map(|domain| &domain.groups) {
            if !groups.contains(&group.name) {
                groups.push(group.name.clone());
            }
        }
        let tiles = self.tiles();
        let body = self.templates.markup(
            "index.html",
            Index {
                tiles,
                groups,
                domains,
            },
        )?;
        self.page("Data catalogue", None, body)
    }

    fn cards(&self, domain: &Section) -> Result<Vec<Group<Card>>> {
        let mut groups = Vec::new();
        for (name, members) in grouped(domain) {
            let note = members.first().map_or("", |entry| note(entry.home));
            let cards = members.into_iter().map(|entry| self.card(entry));
            groups.push(Group {
                title: title_of(&name),
                note,
                entries: cards.collect::<Result<_>>()?,
                name,
            });
        }
        Ok(groups)
    }

    fn card(&self, entry: &Entry) -> Result<Card> {
        let mut figures = Vec::new();
        if let Some(newest) = self
            .states
            .get(&entry.name)
            .and_then(|state| state.newest.as_ref())
        {
            figures.extend(newest.rows().map(|rows| text::counted(rows, "row")));
            figures.extend(
                newest
                    .days
                    .keys()
                    .next_back()
                    .map(|last| format!("to {}", text::date(*last))),
            );
        }
        Ok(Card {
            name: entry.name.clone(),
            file: file_of(&entry.name),
            group: entry.group.clone(),
            sentence: text::pieces(&text::first_sentence(&entry.description)),
            figures,
            columns: entry
                .columns
                .iter()
                .map(|column| column.name.clone())
                .collect(),
            quality: quality::badge(&self.templates, self.history.tests.get(&entry.name))?,
        })
    }

    fn tiles(&self) -> Vec<Tile> {
        let of = |home: Home| {
            self.catalogue
                .entries()
                .filter(move |entry| entry.home == home)
        };
        let columns: usize = self
            .catalogue
            .entries()
            .map(|entry| entry.columns.len())
            .sum();
        let declared = |entry: &Entry| {
            entry.tests.len()
                + entry
                    .columns
                    .iter()
                    .map(|column| column.tests.len())
                    .sum::<usize>()
        };
        let tests: usize = self.catalogue.entries().map(declared).sum();
        let mut tiles = vec![
            Tile {
                label: "Tables",
                value: (of(Home::Lake).count() + of(Home::Seed).count()).to_string(),
                note: format!("{columns} columns with the feature views"),
            },
            Tile {
                label: "Online feature views",
                value: of(Home::Online).count().to_string(),
                note: "live in PostgreSQL".to_owned(),
            },
        ];
        let newest = || {
            self.states
                .values()
                .filter_map(|state| state.newest.as_ref())
        };
        let dates = || newest().flat_map(|newest| newest.days.keys());
        if let (Some(first), Some(last)) = (dates().min(), dates().max()) {
            let rows: u64 = newest().filter_map(Newest::rows).sum();
            let bytes: u64 = newest().map(|newest| newest.bytes).sum();
            tiles.push(Tile {
                label: "Rows in the lake",
                value: text::count(rows),
                note: format!(
                    "{} in {}",
                    text::bytes(bytes),
                    text::counted(newest().map(|newest| newest.files as u64).sum(), "file")
                ),
            });
            tiles.push(Tile {
                label: "Dates",
                value: text::counted((last - first + 1).unsigned_abs().into(), "day"),
                note: format!("{} to {}", text::date(*first), text::date(*last)),
            });
        }
        tiles.push(quality::tile(&self.history.tests, tests));
        tiles
    }
}

fn note(home: Home) -> &'static str {
    match home {
        Home::Lake => "Delta tables of the lake",
        Home::Online => "live values by key in PostgreSQL, written as events come",
        Home::Seed => "small dimensions, CSV files beside the models",
        Home::Service => "what a model reads together, by HTTP from userflow-serving",
    }
}

fn legend(nodes: &[Node]) -> Vec<String> {
    let mut groups: Vec<String> = Vec::new();
    for node in nodes {
        if !groups.contains(&node.group) {
            groups.push(node.group.clone());
        }
    }
    groups
}
