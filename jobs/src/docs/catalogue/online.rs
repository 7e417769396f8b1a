//! What readers of the online store find: feature views, from their `.yml`, and tables that are published there.

use std::path::Path;

use anyhow::Result;
use userflow_models::domain::Domain;
use userflow_models::features::{FeatureView, online};
use userflow_models::project::Project;
use userflow_models::publish::{self, BatchView};

use super::entry::{Column, Entry, Home, group};
use super::file;
use crate::docs::{feature, text};

/// A feature view.
pub(super) fn view(
    view: &FeatureView,
    domain: &Domain,
    models: &Path,
    topic: &str,
) -> Result<Entry> {
    let contract = &view.joined(&domain.contract);
    let path = domain
        .dir
        .join("features")
        .join(format!("{}.yml", view.name));
    let name = format!("{}.{}", online::SCHEMA, view.name);
    let mut facts = vec![("Window", feature::window(view, contract))];
    if let Some(ttl) = view.ttl {
        facts.push(("Kept for", text::span(i64::try_from(ttl.as_micros())?)));
    }
    if let Some(batch) = &view.batch {
        facts.push(("Compared daily with", batch.table.clone()));
    }
    if let Some(join) = &view.join {
        let taken: Vec<&str> = join.take.iter().map(|taken| taken.name.as_str()).collect();
        facts.push((
            "Joined",
            format!(
                "{} from {} by {}",
                taken.join(", "),
                join.dimension,
                join.on
            ),
        ));
    }
    if !view.partition_local {
        let partials = online::partials(&view.name);
        facts.push((
            "Merged when read from",
            format!("{}.{partials}", online::SCHEMA),
        ));
    }
    let column = |(name, data_type, description): (String, &str, String)| Column {
        name,
        data_type: data_type.to_owned(),
        description,
        tests: Vec::new(),
    };
    Ok(Entry {
        group: group(&name),
        name,
        home: Home::Online,
        description: view.description.clone(),
        grain: view.key().into_iter().map(str::to_owned).collect(),
        columns: feature::columns(view, contract)
            .into_iter()
            .map(column)
            .collect(),
        tests: Vec::new(),
        facts,
        reads: vec![topic.to_owned()],
        file: file::shown(&path, models),
        definition: Some(file::read(&path)?),
        waits_for: None,
    })
}

/// A table that is published.
pub(super) fn published(view: &BatchView, project: &Project, models: &Path) -> Result<Entry> {
    let name = format!("{}.{}", online::SCHEMA, view.name);
    let model = project.model(&view.model)?;
    let ttl = text::span(i64::try_from(view.ttl.as_micros())?);
    let mut facts = vec![
        (
            "Shows",
            format!("the newest date of {} that was published", view.model),
        ),
        (
            "Kept for",
            format!("{ttl} after the end of the last date that has the row"),
        ),
    ];
    facts.extend(view.redis_template().map(|key| ("In Redis", key)));
    let columns = view.key.iter().chain(&view.features);
    let columns = columns.map(|column| Column {
        name: column.name.clone(),
        data_type: publish::sql_type(column.data_type).to_owned(),
        description: column.description.clone(),
        tests: Vec::new(),
    });
    let always = publish::sql::ALWAYS.map(|(name, data_type, description)| Column {
        name: name.to_owned(),
        data_type: data_type.to_owned(),
        description: description.to_owned(),
        tests: Vec::new(),
    });
    Ok(Entry {
        group: group(&name),
        name,
        home: Home::Online,
        description: view.description.clone(),
        grain: view.key.iter().map(|column| column.name.clone()).collect(),
        columns: columns.chain(always).collect(),
        tests: Vec::new(),
        facts,
        reads: vec![view.model.clone()],
        file: file::shown(&model.yml, models),
        definition: Some(file::read(&model.yml)?),
        waits_for: None,
    })
}
