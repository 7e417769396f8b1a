//! What there is: every table, feature view and feature service of every domain, in one shape, from the files of the models folder. No lake, no
//! database, no markup.

mod batch;
mod bronze;
mod entry;
mod file;
mod online;
mod service;

use std::collections::BTreeMap;

use anyhow::Result;
use userflow_models::domain::Domain;
use userflow_models::{features, publish, services};
use userflow_process::exit::WrongSetup;

pub(super) use entry::{Catalogue, Column, Entry, Home, Rule, Section};

use crate::workspace::Workspace;

/// Reads all of it.
pub(super) fn collect(workspace: &Workspace) -> Result<Catalogue> {
    let mut domains = Vec::new();
    for domain in workspace.domains.chosen(None)? {
        domains.push(section(workspace, domain)?);
    }
    let catalogue = Catalogue { domains };
    let mut seen = BTreeMap::new();
    for entry in catalogue.entries() {
        if let Some(first) = seen.insert(&entry.name, &entry.file) {
            let (name, second) = (&entry.name, &entry.file);
            let message = format!(
                "{name} is defined by {first} and by {second}: give one of them another name"
            );
            return Err(WrongSetup(message).into());
        }
    }
    Ok(catalogue)
}

fn section(workspace: &Workspace, domain: &Domain) -> Result<Section> {
    let contract = &domain.contract;
    let topic = format!("{}.events", domain.name);
    let models = &workspace.models_dir;
    let mut entries = vec![
        bronze::events(contract, &topic),
        bronze::quarantine(contract, &topic),
    ];
    for source in workspace.project.declared_sources() {
        if let Some(entry) = entries.iter_mut().find(|entry| entry.name == source.name) {
            let labels = source.checks.iter().map(|check| check.label.clone());
            entry.tests = labels.map(Rule::in_words).collect();
        }
    }
    for seed in workspace.project.seeds() {
        if seed.domain == domain.name {
            entries.push(batch::seed(seed, models));
        }
    }
    for model in workspace.project.models() {
        if model.domain == domain.name {
            entries.push(batch::model(model, models)?);
        }
    }
    for view in features::load(domain)? {
        entries.push(online::view(&view, domain, models, &topic)?);
    }
    for view in publish::views(&workspace.project)? {
        if view.domain == domain.name {
            entries.push(online::published(&view, &workspace.project, models)?);
        }
    }
    for one in services::load(domain)? {
        let entry = service::service(&one, &entries, domain, models)?;
        entries.push(entry);
    }
    Ok(Section {
        name: domain.name.clone(),
        description: contract.description().to_owned(),
        topic,
        entries,
    })
}
