//! `list`: the models, what each is and what it reads, in the order in which they run. Reads files only, so that a scheduler can ask
//! often: its graph is built from this answer. Not here: the state of the tables (`plan`), the SQL (`compile`).

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use userflow_models::features;
use userflow_models::project::{Model, Project, Ref};
use userflow_models::publish::{self, BatchView};

use crate::config::{Common, Output};
use crate::print;
use crate::workspace::Domains;

/// Settings of `list`.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Models: silver.sessions, gold.*, +gold.x with its ancestors, silver.y+ with its descendants; default all
    #[arg(value_name = "MODEL", value_delimiter = ' ')]
    pub select: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Line<'a> {
    name: &'a str,
    domain: &'a str,
    layer: &'a str,
    description: &'a str,
    /// Models and sources, in order of first mention.
    depends_on: Vec<&'a str>,
    /// Files that it reads beside tables.
    seeds: Vec<&'a str>,
    /// Event time that it reads on both sides of its window.
    margin_hours: f64,
    /// Days before its window that it reads.
    lookback_days: u32,
    /// The view of the online store that `publish` fills from it.
    publishes: Option<&'a str>,
}

/// A feature view of the online store.
#[derive(Debug, Serialize)]
struct View {
    name: String,
    domain: String,
    /// The table whose rows are the view's in batch: what `check --skew` compares.
    batch: Option<String>,
}

impl<'a> Line<'a> {
    fn of(model: &'a Model, views: &'a [BatchView]) -> Self {
        let named = |wanted: fn(&Ref) -> bool| {
            let refs = model.refs.iter().filter(|input| wanted(input));
            refs.map(Ref::name).collect()
        };
        Self {
            name: &model.name,
            domain: &model.domain,
            layer: &model.layer,
            description: &model.description,
            depends_on: named(|input| !matches!(input, Ref::Seed(_))),
            seeds: named(|input| matches!(input, Ref::Seed(_))),
            margin_hours: model.config.margin.as_secs_f64() / 3600.0,
            lookback_days: model.config.lookback_days,
            publishes: (views.iter().find(|view| view.model == model.name))
                .map(|view| view.name.as_str()),
        }
    }
}

/// The feature views of all domains.
fn views(domains: &Domains) -> Result<Vec<View>> {
    let mut views = Vec::new();
    for domain in domains.chosen(None)? {
        views.extend(features::load(domain)?.into_iter().map(|view| View {
            name: view.name,
            domain: domain.name.clone(),
            batch: view.batch.map(|batch| batch.table),
        }));
    }
    Ok(views)
}

/// Prints the models that were selected, or all of them with the tables that the ingester writes.
pub fn run(settings: &Common, args: &ListArgs) -> Result<()> {
    let project = Project::load(&settings.models.models)?;
    let domains = Domains::open(settings.models.models.clone())?;
    let selectors: Vec<&str> = args.select.iter().map(String::as_str).collect();
    let chosen: Vec<&Model> = match selectors.is_empty() {
        true => project.models().iter().collect(),
        false => project.select(&selectors)?,
    };
    let published = publish::views(&project)?;
    let lines = chosen.into_iter().map(|model| Line::of(model, &published));
    let lines: Vec<Line<'_>> = lines.collect();
    let sources: Vec<&str> = project
        .sources()
        .filter(|source| {
            selectors.is_empty() || lines.iter().any(|line| line.depends_on.contains(source))
        })
        .collect();
    match settings.output {
        Output::Json => print::json(
            &serde_json::json!({"command": "list", "domains": domains.names(), "models": lines, "sources": sources, "views": views(&domains)?}),
        ),
        Output::Text | Output::Csv => print::text(&table(&lines)),
    }
}

fn table(lines: &[Line<'_>]) -> String {
    let mut table = print::new_table(&["model", "domain", "reads", "one row is"]);
    for line in lines {
        let reads: Vec<&str> = line.depends_on.iter().chain(&line.seeds).copied().collect();
        table.add_row([
            line.name,
            line.domain,
            &reads.join("\n"),
            first_sentence(line.description),
        ]);
    }
    format!("{table}\n{} models", lines.len())
}

fn first_sentence(text: &str) -> &str {
    let end = text.find(". ").or_else(|| text.find('\n'));
    end.map_or(text, |end| &text[..end]).trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_cut_at_its_first_sentence() {
        assert_eq!(first_sentence("One row. Two rows."), "One row");
        assert_eq!(first_sentence("One row\nmore"), "One row");
        assert_eq!(first_sentence("0.5 of a row."), "0.5 of a row");
    }
}
