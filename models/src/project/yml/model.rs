//! The twin of a model.

use std::path::Path;

use serde::Deserialize;

use super::lines::{line_of_key, line_of_name};
use super::parse::parse;
use super::table::{Declared, Entry, declared};
use crate::error::Problem;
use crate::project::column::{ColumnType, PARTITION_COLUMN};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelFile {
    #[serde(rename = "version")]
    _version: u8,
    models: Vec<Entry>,
}

/// Reads the twin of the model `name`, which has this text.
pub(crate) fn model(path: &Path, text: &str, name: &str) -> Result<Declared, Problem> {
    let file: ModelFile = parse(path, text)?;
    let [entry] = <[Entry; 1]>::try_from(file.models).map_err(|models| {
        let line = line_of_key(text, "models");
        Problem::new(
            path,
            line,
            format!(
                "declares {} models and must declare one, `{name}`: one .yml per .sql",
                models.len()
            ),
        )
    })?;
    if entry.name != name {
        let message = format!(
            "declares `{}` and must declare `{name}`: the file name is the name of the model",
            entry.name
        );
        return Err(Problem::new(path, line_of_name(text, &entry.name), message));
    }
    let declared = declared(path, text, entry)?;
    let partition = declared
        .columns
        .iter()
        .find(|column| column.name == PARTITION_COLUMN);
    match partition.map(|column| column.data_type) {
        Some(ColumnType::Date) => Ok(declared),
        Some(other) => {
            let message = format!(
                "column {PARTITION_COLUMN} is {other} and must be date: it is the partition column"
            );
            Err(Problem::new(
                path,
                line_of_name(text, PARTITION_COLUMN),
                message,
            ))
        }
        None => {
            let message = format!(
                "no column {PARTITION_COLUMN}: add `- name: {PARTITION_COLUMN}` with `data_type: date`, the partition column of every table"
            );
            Err(Problem::new(path, line_of_key(text, "columns"), message))
        }
    }
}
