//! Feature services, from their `.yml`.

use std::path::Path;

use anyhow::Result;
use userflow_models::domain::Domain;
use userflow_models::features::online::SCHEMA;
use userflow_models::services::FeatureService;

use super::entry::{Column, Entry, Home};
use super::file;

/// The heading under which services are listed.
const GROUP: &str = "service";

/// A feature service, whose features are among the entries that there are.
pub(super) fn service(
    service: &FeatureService,
    entries: &[Entry],
    domain: &Domain,
    models: &Path,
) -> Result<Entry> {
    let path = domain.dir.join("services");
    let path = path.join(format!("{}.yml", service.name));
    let (mut columns, mut reads, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    for feature in &service.features {
        let view = format!("{SCHEMA}.{}", feature.view);
        let entry = entries.iter().find(|entry| entry.name == view);
        let known = entry.iter().flat_map(|entry| &entry.columns);
        let column = known
            .into_iter()
            .find(|column| column.name == feature.feature);
        columns.push(Column {
            name: feature.to_string(),
            data_type: column.map_or_else(String::new, |column| column.data_type.clone()),
            description: column.map_or_else(String::new, |column| column.description.clone()),
            tests: Vec::new(),
        });
        for key in entry.iter().flat_map(|entry| &entry.grain) {
            if !keys.contains(key) {
                keys.push(key.clone());
            }
        }
        if !reads.contains(&view) {
            reads.push(view);
        }
    }
    Ok(Entry {
        name: format!("{GROUP}.{}", service.name),
        group: GROUP.to_owned(),
        home: Home::Service,
        description: service.description.clone(),
        grain: keys,
        columns,
        tests: Vec::new(),
        facts: vec![
            ("Owner", service.owner.clone()),
            ("Version", service.version.clone()),
        ],
        reads,
        file: file::shown(&path, models),
        definition: Some(file::read(&path)?),
        waits_for: None,
    })
}
