//! The pages: what stands on each, put together from the catalogue, the lake's state and the history. The markup is in
//! `templates/`; everything that comes from outside is escaped there by the engine.

mod index;
mod quality;
mod table;

use std::collections::BTreeMap;

use anyhow::Result;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};
use serde::Serialize;

use super::catalogue::{Catalogue, Entry, Home, Section};
use super::graph::{self, Node};
use super::history::History;
use super::state::State;

/// The page to begin with.
pub(super) const INDEX: &str = "index.html";

const TEMPLATES: [(&str, &str); 6] = [
    ("layout.html", include_str!("../templates/layout.html")),
    ("index.html", include_str!("../templates/index.html")),
    ("table.html", include_str!("../templates/table.html")),
    ("lineage.svg", include_str!("../templates/lineage.svg")),
    ("spark.svg", include_str!("../templates/spark.svg")),
    ("bars.svg", include_str!("../templates/bars.svg")),
];
const STYLE: &str = include_str!("../templates/style.css");
const SEARCH: &str = include_str!("../templates/search.js");

/// All pages by file name.
pub(super) fn render(
    catalogue: &Catalogue,
    states: &BTreeMap<String, State>,
    history: &History,
) -> Result<BTreeMap<String, String>> {
    let book = Book {
        catalogue,
        states,
        history,
        templates: Templates::new()?,
    };
    let mut pages = BTreeMap::from([(INDEX.to_owned(), book.index()?)]);
    for domain in &catalogue.domains {
        for entry in &domain.entries {
            pages.insert(file_of(&entry.name), book.table(domain, entry)?);
        }
    }
    Ok(pages)
}

fn file_of(name: &str) -> String {
    format!("{name}.html")
}

/// The template engine: escapes everything, and fails on a name that a template has wrong.
struct Templates(Environment<'static>);

impl Templates {
    fn new() -> Result<Self> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.add_filter("count", |list: &Value| {
            let none = || Error::new(ErrorKind::InvalidOperation, "count is of lists");
            list.len().ok_or_else(none)
        });
        for (name, template) in TEMPLATES {
            environment.add_template(name, template)?;
        }
        Ok(Self(environment))
    }

    fn text(&self, template: &str, context: impl Serialize) -> Result<String> {
        Ok(self.0.get_template(template)?.render(context)?)
    }

    /// The same as a value that other templates put in as it is.
    fn markup(&self, template: &str, context: impl Serialize) -> Result<Value> {
        self.text(template, context).map(Value::from_safe_string)
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

#[derive(Serialize)]
struct Link {
    name: String,
    /// None: it has no page.
    file: Option<String>,
}

#[derive(Serialize)]
struct Group<T> {
    name: String,
    title: String,
    note: &'static str,
    entries: Vec<T>,
}

/// A figure with its label.
#[derive(Serialize)]
struct Tile {
    label: &'static str,
    value: String,
    note: String,
}

/// Everything that the pages are made from.
struct Book<'a> {
    catalogue: &'a Catalogue,
    states: &'a BTreeMap<String, State>,
    history: &'a History,
    templates: Templates,
}

impl<'a> Book<'a> {
    fn page(&self, title: &str, here: Option<&str>, body: Value) -> Result<String> {
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
    fn file_of(&self, name: &str) -> Option<String> {
        let known = self.catalogue.entries().any(|entry| entry.name == name);
        known.then(|| file_of(name))
    }

    /// The nodes of a domain's lineage, in dependency order. What it reads of another domain stands there without its own lineage.
    fn nodes(&self, domain: &Section) -> Vec<Node> {
        let named = |name: &str| Node {
            name: name.to_owned(),
            label: name.to_owned(),
            group: "topic".to_owned(),
            link: self.file_of(name),
            reads: Vec::new(),
            shelf: 0,
        };
        let mut nodes = vec![named(&domain.topic)];
        for entry in &domain.entries {
            for read in &entry.reads {
                let own = domain.entries.iter().any(|other| other.name == *read);
                if !own && nodes.iter().all(|node| node.name != *read) {
                    nodes.push(named(read));
                }
            }
        }
        nodes.extend(domain.entries.iter().map(node));
        nodes
    }

    fn lineage(&self, id: &str, nodes: &[Node], focus: Option<&str>) -> Result<Value> {
        self.templates
            .markup("lineage.svg", graph::draw(id, nodes, focus))
    }
}

/// The entries of a domain by group: what people ask for first stands first, so the layers come in reverse.
fn grouped(domain: &Section) -> Vec<(String, Vec<&Entry>)> {
    let mut groups: Vec<(String, Vec<&Entry>)> = Vec::new();
    for home in [Home::Lake, Home::Online, Home::Seed] {
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

fn title_of(group: &str) -> String {
    let mut letters = group.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

fn node(entry: &Entry) -> Node {
    Node {
        name: entry.name.clone(),
        label: short(&entry.name).to_owned(),
        group: entry.group.clone(),
        link: Some(file_of(&entry.name)),
        reads: entry.reads.clone(),
        shelf: match entry.home {
            Home::Lake => 0,
            Home::Seed => 1,
            Home::Online => 2,
        },
    }
}

/// A name without its group, where the group is said beside it.
fn short(name: &str) -> &str {
    name.split_once('.').map_or(name, |(_, table)| table)
}
