//! What the files of the models folder declare: tables, feature views and views of tables. Whether the lake or the online store has them is not known
//! here.

use anyhow::Result;
use userflow_lake::{TableName, TableSpec};
use userflow_models::bronze;
use userflow_models::domain::Domain;
use userflow_models::features::{self, FeatureView};
use userflow_models::publish::{self, BatchView};

use crate::workspace::Workspace;

/// The tables that the contracts and models of all domains, or of one, declare.
pub fn tables(workspace: &Workspace, only: Option<&str>) -> Result<Vec<TableSpec>> {
    let mut specs = Vec::new();
    for Domain { name, contract, .. } in workspace.domains.chosen(only)? {
        for table in [bronze::events(contract), bronze::quarantine(contract)] {
            specs.push(TableSpec {
                name: TableName::parse(&table.name)?,
                description: table.description,
                schema: table.schema,
                append_only: true,
            });
        }
        let models = workspace.project.models().iter();
        for model in models.filter(|model| model.domain == *name) {
            specs.push(TableSpec {
                name: TableName::parse(&model.name)?,
                description: model.description.clone(),
                schema: model.schema(),
                append_only: false,
            });
        }
    }
    Ok(specs)
}

/// The feature views of all domains, or of one.
pub fn views(workspace: &Workspace, only: Option<&str>) -> Result<Vec<FeatureView>> {
    let mut views = Vec::new();
    for domain in workspace.domains.chosen(only)? {
        views.extend(features::load(domain)?);
    }
    Ok(views)
}

/// The views of tables, of all domains or of one.
pub fn batch_views(workspace: &Workspace, only: Option<&str>) -> Result<Vec<BatchView>> {
    let views = publish::views(&workspace.project)?.into_iter();
    let wanted = |view: &BatchView| only.is_none_or(|name| view.domain == name);
    Ok(views.filter(wanted).collect())
}
