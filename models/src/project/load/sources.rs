//! The tables of the ingester: what the underscored files say about them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::checks;
use crate::error::Problem;
use crate::project::model::Source;
use crate::project::names::Names;
use crate::project::yml;

/// All sources (`tables`: domain and name), with what `files` say, and what is wrong with the files.
pub(super) fn read(
    tables: &[(String, String)],
    files: &[PathBuf],
    names: &Names,
) -> (Vec<Source>, Vec<Problem>) {
    let mut sources: BTreeMap<String, Source> = BTreeMap::new();
    for (domain, table) in tables {
        let source = Source {
            name: table.clone(),
            domain: domain.clone(),
            yml: None,
            description: String::new(),
            gate: false,
            checks: Vec::new(),
        };
        sources.insert(table.clone(), source);
    }
    let wrong = files
        .iter()
        .filter_map(|path| file(path, &mut sources, names).err())
        .collect();
    (sources.into_values().collect(), wrong)
}

fn file(path: &Path, sources: &mut BTreeMap<String, Source>, names: &Names) -> Result<(), Problem> {
    for declared in yml::sources(path)? {
        let Some(source) = sources.get_mut(&declared.name) else {
            let known: Vec<&str> = names.sources.iter().map(String::as_str).collect();
            let message = format!(
                "source `{}` is no table of the ingester; the contracts declare {}",
                declared.name,
                known.join(", ")
            );
            return Err(Problem::new(path, declared.line, message));
        };
        let tests = declared.tests.iter();
        let tests = tests.map(|(column, test)| (column.as_deref(), test));
        source.checks = checks::read(names, "bronze", path, None, tests)?;
        source.yml = Some(path.to_path_buf());
        source.description = declared.description;
        source.gate = declared.gate;
    }
    Ok(())
}
