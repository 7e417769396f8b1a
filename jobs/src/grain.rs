//! Whether a feature view and its batch table count the same things: one row of the one for one row of the other.
//!
//! A view names its batch table in its `batch` block. The view's grain is its entity, the table's the columns of its uniqueness test. Where
//! they differ, two rows of the table meet in one row of the view, and nothing that compares them later can tell which is right.

use std::collections::BTreeSet;

use anyhow::Result;
use userflow_models::features::FeatureView;
use userflow_models::project::Project;

use userflow_process::exit::WrongSetup;

/// Refuses views whose rows are others than those of their batch tables.
pub fn agrees(project: &Project, views: &[FeatureView]) -> Result<()> {
    let mut differ = Vec::new();
    for view in views {
        let Some(batch) = &view.batch else { continue };
        let key = project.model(&batch.table)?.key();
        let entity: BTreeSet<&str> = view.entity.iter().map(String::as_str).collect();
        if entity != key.iter().copied().collect() {
            differ.push(format!(
                "feature view {name} has one row per ({entity}), its batch table {table} one per ({key}): name the same columns in \
                 `entity` of features/{name}.yml and in the unique_combination_of_columns of {table}",
                name = view.name,
                entity = view.entity.join(", "),
                table = batch.table,
                key = key.join(", "),
            ));
        }
    }
    match differ.is_empty() {
        true => Ok(()),
        false => Err(WrongSetup(differ.join("\n")).into()),
    }
}
