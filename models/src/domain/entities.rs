//! The columns that the feature views of a domain name as entities: rows are found by them, so the contract bounds their values.
//!
//! A decoder needs no views and does not wait for good ones. So a file that says nothing readable names no entity here, and
//! [`crate::features::load`] says what is wrong with it.

use std::path::Path;

use serde::Deserialize;

/// `entity:` of a view as it is written: one column, or a list.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Entity {
    One(String),
    More(Vec<String>),
}

impl Entity {
    pub(crate) fn columns(&self) -> Vec<String> {
        match self {
            Self::One(column) => vec![column.clone()],
            Self::More(columns) => columns.clone(),
        }
    }
}

/// The entity columns of all views in a domain's folder.
pub(super) fn columns(dir: &Path) -> Vec<String> {
    let files = std::fs::read_dir(dir.join("features"))
        .into_iter()
        .flatten();
    let mut columns: Vec<String> = files
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "yml"))
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .flat_map(|text| of_view(&text))
        .collect();
    columns.sort();
    columns.dedup();
    columns
}

fn of_view(text: &str) -> Vec<String> {
    #[derive(Deserialize)]
    struct OnlyEntity {
        entity: Entity,
    }
    serde_yaml_ng::from_str(text)
        .map_or_else(|_| Vec::new(), |view: OnlyEntity| view.entity.columns())
}
