//! Feature views, from their `.yml`.

use std::path::Path;

use anyhow::Result;
use userflow_models::domain::Domain;
use userflow_models::features::{FeatureView, online};

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
