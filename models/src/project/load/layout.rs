//! What lies where below the folder of models, and which names that makes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::claims::Claims;
use super::seeds;
use crate::error::{ConfigError, Problem};
use crate::project::files::{files, folders, name_of, stem_of};
use crate::project::model::Seed;
use crate::project::names::Names;
use crate::project::quality::SEEDS;

const CONTRACT: &str = "contract.json";
/// Folders of a domain that hold other things than models.
const OTHER_ROOMS: [&str; 4] = ["features", SEEDS, "services", "tests"];

/// The `.sql` file of a model and where it lies.
pub(super) struct ModelFile {
    pub(super) domain: String,
    pub(super) layer: String,
    pub(super) table: String,
    pub(super) path: PathBuf,
}

/// Everything that was found.
#[derive(Default)]
pub(super) struct Layout {
    pub(super) names: Names,
    pub(super) models: Vec<ModelFile>,
    /// Their tests are not read yet.
    pub(super) seeds: Vec<Seed>,
    /// Domain and name of the tables of the ingester, and the files that may say something about them.
    pub(super) source_tables: Vec<(String, String)>,
    pub(super) source_files: Vec<PathBuf>,
    pub(super) problems: Vec<Problem>,
    claims: Claims,
}

impl Layout {
    pub(super) fn read(models_dir: &Path) -> Result<Self, ConfigError> {
        let domains: Vec<PathBuf> = folders(models_dir)?
            .into_iter()
            .filter(|dir| dir.join(CONTRACT).is_file())
            .collect();
        if domains.is_empty() {
            let message = format!(
                "holds no domain: a domain is a folder with a {CONTRACT}; does --models name the right folder?"
            );
            return Err(Problem::new(models_dir, None, message).into());
        }
        let mut layout = Self::default();
        for domain in &domains {
            layout.domain(domain)?;
        }
        Ok(layout)
    }

    fn domain(&mut self, dir: &Path) -> Result<(), Problem> {
        let domain = name_of(dir);
        for table in ["events", "quarantine"] {
            let name = format!("bronze.{domain}_{table}");
            self.source_tables.push((domain.clone(), name.clone()));
            self.names.sources.insert(name);
        }
        for path in files(dir, "sql")? {
            let message = "lies outside a layer: move it into silver/ or gold/, the folder is the schema of the table";
            self.problems.push(Problem::new(&path, None, message));
        }
        for layer in folders(dir)? {
            if !OTHER_ROOMS.contains(&name_of(&layer).as_str()) {
                self.layer(&domain, &layer)?;
            }
        }
        let seeds = dir.join(SEEDS);
        if seeds.is_dir() {
            let (seeds, problems) = seeds::read(&domain, &seeds, &mut self.claims)?;
            let names = seeds.names.into_iter();
            self.names.seeds.extend(names);
            self.names.without_file.extend(seeds.tables);
            self.seeds.extend(seeds.read);
            self.problems.extend(problems);
        }
        Ok(())
    }

    fn layer(&mut self, domain: &str, dir: &Path) -> Result<(), Problem> {
        let layer = name_of(dir);
        let mut tables = BTreeSet::new();
        for path in files(dir, "sql")? {
            let table = stem_of(&path);
            tables.insert(table.clone());
            if layer == "bronze" {
                let message = "bronze is written by the ingester from the contract: put models into silver/ or gold/";
                self.problems.push(Problem::new(&path, None, message));
                continue;
            }
            if let Err(problem) = self.claims.claim(&table, &path) {
                self.problems.push(problem);
                continue;
            }
            self.names
                .models
                .insert(table.clone(), format!("{layer}.{table}"));
            self.models.push(ModelFile {
                domain: domain.to_owned(),
                layer: layer.clone(),
                table,
                path,
            });
        }
        // A leading underscore marks files that are no twin, such as the declaration of the sources.
        let (others, twins): (Vec<PathBuf>, Vec<PathBuf>) = files(dir, "yml")?
            .into_iter()
            .partition(|path| stem_of(path).starts_with('_'));
        self.source_files.extend(others);
        let orphans = twins.into_iter().map(|path| (stem_of(&path), path));
        for (table, path) in orphans.filter(|(table, _)| !tables.contains(table)) {
            let message = format!("has no twin {table}.sql: write it, or remove this file");
            self.problems.push(Problem::new(&path, None, message));
        }
        Ok(())
    }
}
