//! The seeds of a domain: each `.csv` with its declaration in a `.yml` beside it.

use std::collections::BTreeMap;
use std::path::Path;

use super::checks;
use super::claims::Claims;
use crate::error::Problem;
use crate::project::files::{files, stem_of};
use crate::project::model::{Seed, fingerprint};
use crate::project::names::Names;
use crate::project::quality::{Check, SEEDS};
use crate::project::settings::ModelConfig;
use crate::project::yml;

/// The seeds of a folder.
#[derive(Default)]
pub(super) struct Seeds {
    /// Those that can be used; their tests are not read yet.
    pub(super) read: Vec<Seed>,
    /// The names of all, so that a ref to one with a problem is not a second problem.
    pub(super) names: Vec<String>,
    /// Names of those that are in PostgreSQL and have no file.
    pub(super) tables: Vec<String>,
}

/// Reads the seeds of a domain, and says what is wrong with them.
pub(super) fn read(
    domain: &str,
    dir: &Path,
    claims: &mut Claims,
) -> Result<(Seeds, Vec<Problem>), Problem> {
    let (mut seeds, mut problems) = (Seeds::default(), Vec::new());
    let (mut declared, mut unread) = (BTreeMap::new(), false);
    for path in files(dir, "yml")? {
        match yml::seeds(&path) {
            Ok(seeds) => declared.extend(
                seeds
                    .into_iter()
                    .map(|(name, seed)| (name, (seed, path.clone()))),
            ),
            Err(problem) => {
                unread = true;
                problems.push(problem);
            }
        }
    }
    for path in files(dir, "csv")? {
        let name = stem_of(&path);
        if let Err(problem) = claims.claim(&name, &path) {
            problems.push(problem);
            continue;
        }
        seeds.names.push(name.clone());
        let Some((seed, declared_in)) = declared.remove(&name) else {
            if !unread {
                let message = format!(
                    "is declared by no .yml beside it: add `- name: {name}` under `seeds:` with its columns"
                );
                problems.push(Problem::new(&path, None, message));
            }
            continue;
        };
        let seed = seed.declared;
        match std::fs::read(&path) {
            Ok(text) => seeds.read.push(Seed {
                name,
                domain: domain.to_owned(),
                fingerprint: fingerprint(&text, &seed.columns, &ModelConfig::default()),
                path,
                description: seed.description,
                columns: seed.columns,
                tests: seed.tests,
                yml: declared_in,
                checks: Vec::new(),
            }),
            Err(error) => {
                let message = format!("cannot be read: {error}");
                problems.push(Problem::new(&path, None, message));
            }
        }
    }
    for (name, (seed, path)) in declared {
        // Views that join a table of PostgreSQL need no file; SQL models and cases do.
        if seed.table.is_some() {
            if let Err(problem) = claims.claim(&name, &path) {
                problems.push(problem);
            }
            seeds.tables.push(name);
            continue;
        }
        let message = format!("seed `{name}` has no {name}.csv beside it");
        problems.push(Problem::new(&path, seed.line, message));
    }
    Ok((seeds, problems))
}

/// What the tests of a seed ask for.
pub(super) fn checks(seed: &Seed, names: &Names) -> Result<Vec<Check>, Problem> {
    checks::of_table(names, SEEDS, &seed.yml, &seed.tests, &seed.columns)
}
