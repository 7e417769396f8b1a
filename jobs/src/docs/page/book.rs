//! What all pages have in common: what they are made from, the frame with its menu, and the shapes that several of them show.

use std::collections::BTreeMap;

use anyhow::Result;
use minijinja::value::Value;
use serde::Serialize;

use super::names::{file_of, short};
use super::templates::{SEARCH, STYLE, Templates};
use crate::docs::catalogue::{Catalogue, Entry, Home, Section};
use crate::docs::history::History;
use crate::docs::state::State;

/// Everything that the pages are made from.
pub(super) struct Book<'a> {
    pub(super) catalogue: &'a Catalogue,
    pub(super) states: &'a BTreeMap<String, State>,
    pub(super) history: &'a History,
    pub(super) templates: Templates,
}

impl Book<'_> {
    /// A page with the menu of all.
    pub(super) fn page(&self, title: &str, here: Option<&str>, body: Value) -> Result<String> {
        let link = |entry: &Entry| Link {
            name: short(&entry.name).to_owned(),
            file: Some(file_of(&entry.name)),
        };
        let mut menu = Vec::new();
        for domain in &self.catalogue.domains {
            for (name, members) in grouped(domain) {
                menu.push(Group {
                    title: format!("{} {name}", domain.name),
                    note: "",
                    entries: members.into_iter().map(link).collect(),
                    name,
                });
            }
        }
        self.templates.text(
            "layout.html",
            Layout {
                title,
                style: Value::from_safe_string(STYLE.to_owned()),
                script: here
                    .is_none()
                    .then(|| Value::from_safe_string(SEARCH.to_owned())),
                here,
                menu,
                body,
            },
        )
    }

    /// The page of the entry with this name.
    pub(super) fn file_of(&self, name: &str) -> Option<String> {
        let known = self.catalogue.entries().any(|entry| entry.name == name);
        known.then(|| file_of(name))
    }
}

#[derive(Serialize)]
struct Layout<'a> {
    title: &'a str,
    style: Value,
    /// None: the page runs none, and says so to the browser.
    script: Option<Value>,
    /// The page's own file, on the pages of entries.
    here: Option<&'a str>,
    menu: Vec<Group<Link>>,
    body: Value,
}

/// An entry and its page.
#[derive(Serialize)]
pub(super) struct Link {
    pub(super) name: String,
    /// None: it has no page.
    pub(super) file: Option<String>,
}

/// Entries under one heading.
#[derive(Serialize)]
pub(super) struct Group<T> {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) note: &'static str,
    pub(super) entries: Vec<T>,
}

/// A figure with its label.
#[derive(Serialize)]
pub(super) struct Tile {
    pub(super) label: &'static str,
    pub(super) value: String,
    pub(super) note: String,
}

/// The entries of a domain by group: what people ask for first stands first, so the layers come in reverse.
pub(super) fn grouped(domain: &Section) -> Vec<(String, Vec<&Entry>)> {
    let mut groups: Vec<(String, Vec<&Entry>)> = Vec::new();
    for home in [Home::Lake, Home::Service, Home::Online, Home::Seed] {
        let mut found: Vec<(String, Vec<&Entry>)> = Vec::new();
        for entry in domain.entries.iter().filter(|entry| entry.home == home) {
            match found.iter_mut().find(|(name, _)| *name == entry.group) {
                Some((_, members)) => members.push(entry),
                None => found.push((entry.group.clone(), vec![entry])),
            }
        }
        groups.extend(found.into_iter().rev());
    }
    // What people compute with stands before what comes in.
    groups.sort_by_key(|(_, members)| {
        members.iter().all(|entry| {
            entry.reads.iter().all(|read| *read == domain.topic) && entry.home == Home::Lake
        })
    });
    groups
}
