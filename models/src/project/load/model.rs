//! One model: its `.sql` and its twin `.yml`.

use super::checks;
use super::layout::ModelFile;
use crate::error::Problem;
use crate::project::model::{Model, fingerprint};
use crate::project::names::Names;
use crate::project::settings::{ModelConfig, PUBLISH};
use crate::project::{files, template, yml};

pub(super) fn read(file: ModelFile, names: &Names) -> Result<Model, Problem> {
    let twin = file.path.with_extension("yml");
    if !twin.is_file() {
        let message = format!(
            "has no twin {}.yml: write it with the description, the columns and their data_type",
            file.table
        );
        return Err(Problem::new(&file.path, None, message));
    }
    let (yml, sql) = (files::read(&twin)?, files::read(&file.path)?);
    of(file, sql, &yml, names)
}

/// A model whose files have these texts.
pub(super) fn of(file: ModelFile, sql: String, yml: &str, names: &Names) -> Result<Model, Problem> {
    let ModelFile {
        domain,
        layer,
        table,
        path,
    } = file;
    let twin = path.with_extension("yml");
    let declared = yml::model(&twin, yml, &table)?;
    let facts = template::inspect(&path, &sql, names)?;
    let mut config = ModelConfig::default();
    if let Some((value, line)) = &declared.config {
        config
            .apply(&layer, value)
            .map_err(|message| Problem::new(&twin, *line, message))?;
    }
    if let Some((value, line)) = &facts.config {
        if value
            .get("meta")
            .is_some_and(|meta| meta.get(PUBLISH).is_some())
        {
            let message = format!(
                "{PUBLISH} stands in the .yml, beside the columns that it names: move it there"
            );
            return Err(Problem::new(&path, Some(*line), message));
        }
        config
            .apply(&layer, value)
            .map_err(|message| Problem::new(&path, Some(*line), message))?;
    }
    let fingerprint = fingerprint(sql.as_bytes(), &declared.columns, &config);
    let checks = checks::of_table(names, &layer, &twin, &declared.tests, &declared.columns)?;
    Ok(Model {
        name: format!("{layer}.{table}"),
        domain,
        layer,
        table,
        path,
        yml: twin,
        description: declared.description,
        columns: declared.columns,
        tests: declared.tests,
        checks,
        refs: facts.refs,
        config,
        publish: declared.publish,
        fingerprint,
        sql,
    })
}
