//! From a folder of domains to checked models: finds the files, pairs each `.sql` with its `.yml`, evaluates the templates once.
//!
//! Every problem of every file is collected. A model with a problem is left out of the graph, so that one broken file is one message
//! and not a cascade.

use super::column::{Column, Test};
use super::error::{Problem, ProjectError};
use super::model::{Model, Seed, Source, fingerprint};
use super::names::Names;
use super::quality::{Check, Place, SEEDS};
use super::settings::ModelConfig;
use super::{Project, graph, template, yml};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const CONTRACT: &str = "contract.json";
/// Folders of a domain that hold other things than models.
const OTHER_ROOMS: [&str; 2] = ["features", SEEDS];

/// A `.sql` file and where it lies.
struct Found {
    domain: String,
    layer: String,
    table: String,
    path: PathBuf,
}

#[derive(Default)]
struct Loader {
    names: Names,
    found: Vec<Found>,
    seeds: Vec<Seed>,
    /// Domain and name of the tables of the ingester, and the files that may say something about them.
    source_tables: Vec<(String, String)>,
    source_files: Vec<PathBuf>,
    problems: Vec<Problem>,
    /// Where each dbt name was first seen: dbt has one namespace for models and seeds of all folders.
    taken: BTreeMap<String, PathBuf>,
}

pub(crate) fn load(models_dir: &Path) -> Result<Project, ProjectError> {
    let mut loader = Loader::default();
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
    for domain in &domains {
        loader.domain(domain)?;
    }
    let mut models = Vec::new();
    for found in std::mem::take(&mut loader.found) {
        match loader.model(found) {
            Ok(model) => models.push(model),
            Err(problem) => loader.problems.push(problem),
        }
    }
    let sources = loader.tests_of_others();
    let models = graph::order(models).unwrap_or_else(|problems| {
        loader.problems.extend(problems);
        Vec::new()
    });
    if !loader.problems.is_empty() {
        loader
            .problems
            .sort_by(|left, right| (&left.path, left.line).cmp(&(&right.path, right.line)));
        return Err(ProjectError::Invalid(loader.problems));
    }
    Ok(Project {
        models,
        seeds: loader.seeds,
        sources,
        names: loader.names,
    })
}

impl Loader {
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
            self.seeds(&domain, &seeds)?;
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
            } else if self.take(&table, &path) {
                self.names
                    .models
                    .insert(table.clone(), format!("{layer}.{table}"));
                self.found.push(Found {
                    domain: domain.to_owned(),
                    layer: layer.clone(),
                    table,
                    path,
                });
            }
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

    fn model(&self, found: Found) -> Result<Model, Problem> {
        let Found {
            domain,
            layer,
            table,
            path,
        } = found;
        let twin = path.with_extension("yml");
        if !twin.is_file() {
            let message = format!(
                "has no twin {table}.yml: write it with the description, the columns and their data_type"
            );
            return Err(Problem::new(&path, None, message));
        }
        let declared = yml::model(&twin, &table)?;
        let sql = yml::read(&path)?;
        let facts = template::inspect(&path, &sql, &self.names)?;
        let mut config = ModelConfig::default();
        if let Some((value, line)) = &declared.config {
            config
                .apply(&layer, value)
                .map_err(|message| Problem::new(&twin, *line, message))?;
        }
        if let Some((value, line)) = &facts.config {
            config
                .apply(&layer, value)
                .map_err(|message| Problem::new(&path, Some(*line), message))?;
        }
        let fingerprint = fingerprint(sql.as_bytes(), &declared.columns, &config);
        let checks = self.checks(&layer, &twin, &declared.tests, &declared.columns)?;
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
            fingerprint,
            sql,
        })
    }

    /// What the tests of a table and of its columns ask for.
    fn checks(
        &self,
        layer: &str,
        path: &Path,
        tests: &[Test],
        columns: &[Column],
    ) -> Result<Vec<Check>, Problem> {
        let whole = tests.iter().map(|test| (None, test));
        let of_columns = columns.iter().flat_map(|column| {
            let name = Some(column.name.as_str());
            column.tests.iter().map(move |test| (name, test))
        });
        let names = columns.iter().map(|column| column.name.as_str()).collect();
        self.read_checks(layer, path, Some(names), whole.chain(of_columns))
    }

    fn read_checks<'a>(
        &self,
        layer: &str,
        path: &Path,
        columns: Option<Vec<&'a str>>,
        tests: impl Iterator<Item = (Option<&'a str>, &'a Test)>,
    ) -> Result<Vec<Check>, Problem> {
        let names = &self.names;
        let mut place = Place {
            layer,
            names,
            columns,
            column: None,
        };
        let mut checks: Vec<Check> = Vec::new();
        for (column, test) in tests {
            place.column = column;
            let check = place.read(test);
            let check = check.map_err(|message| Problem::new(path, test.line, message))?;
            if checks.iter().any(|other| other.label == check.label) {
                let message = format!("test {} is declared twice: keep one", check.label);
                return Err(Problem::new(path, test.line, message));
            }
            checks.push(check);
        }
        Ok(checks)
    }

    /// Reads what the underscored files say about sources, and the tests of seeds.
    fn tests_of_others(&mut self) -> Vec<Source> {
        let mut sources: BTreeMap<String, Source> = BTreeMap::new();
        for (domain, table) in &self.source_tables {
            let source = Source {
                name: table.clone(),
                domain: domain.clone(),
                yml: None,
                description: String::new(),
                checks: Vec::new(),
            };
            sources.insert(table.clone(), source);
        }
        let mut problems = Vec::new();
        for path in &self.source_files {
            if let Err(problem) = self.source_file(path, &mut sources) {
                problems.push(problem);
            }
        }
        // They may name tables, so they are read when all names are known.
        let mut seeds = std::mem::take(&mut self.seeds);
        for seed in &mut seeds {
            match self.checks(SEEDS, &seed.yml, &seed.tests, &seed.columns) {
                Ok(checks) => seed.checks = checks,
                Err(problem) => problems.push(problem),
            }
        }
        self.seeds = seeds;
        self.problems.extend(problems);
        sources.into_values().collect()
    }

    fn source_file(
        &self,
        path: &Path,
        sources: &mut BTreeMap<String, Source>,
    ) -> Result<(), Problem> {
        for declared in yml::sources(path)? {
            let Some(source) = sources.get_mut(&declared.name) else {
                let known: Vec<&str> = self.names.sources.iter().map(String::as_str).collect();
                let message = format!(
                    "source `{}` is no table of the ingester; the contracts declare {}",
                    declared.name,
                    known.join(", ")
                );
                return Err(Problem::new(path, declared.line, message));
            };
            let tests = declared.tests.iter();
            let tests = tests.map(|(column, test)| (column.as_deref(), test));
            source.checks = self.read_checks("bronze", path, None, tests)?;
            source.yml = Some(path.to_path_buf());
            source.description = declared.description;
        }
        Ok(())
    }

    fn seeds(&mut self, domain: &str, dir: &Path) -> Result<(), Problem> {
        let (mut declared, mut unread) = (BTreeMap::new(), false);
        for path in files(dir, "yml")? {
            match yml::seeds(&path) {
                Ok(seeds) => declared.extend(
                    seeds
                        .into_iter()
                        .map(|(name, (seed, line))| (name, (seed, path.clone(), line))),
                ),
                Err(problem) => {
                    unread = true;
                    self.problems.push(problem);
                }
            }
        }
        for path in files(dir, "csv")? {
            let name = stem_of(&path);
            if !self.take(&name, &path) {
                continue;
            }
            self.names.seeds.insert(name.clone());
            let Some((seed, declared_in, _)) = declared.remove(&name) else {
                if !unread {
                    let message = format!(
                        "is declared by no .yml beside it: add `- name: {name}` under `seeds:` with its columns"
                    );
                    self.problems.push(Problem::new(&path, None, message));
                }
                continue;
            };
            match std::fs::read(&path) {
                Ok(text) => self.seeds.push(Seed {
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
                    self.problems.push(Problem::new(&path, None, message));
                }
            }
        }
        for (name, (_, path, line)) in declared {
            self.problems.push(Problem::new(
                &path,
                line,
                format!("seed `{name}` has no {name}.csv beside it"),
            ));
        }
        Ok(())
    }

    /// Claims a dbt name; false, and a problem, when it is no name or already another file's.
    fn take(&mut self, name: &str, path: &Path) -> bool {
        if !yml::identifier(name) {
            let message =
                format!("`{name}` is no table name: use a-z, 0-9 and _ for the file name");
            self.problems.push(Problem::new(path, None, message));
            return false;
        }
        if let Some(first) = self.taken.get(name) {
            let message = format!(
                "`{name}` is also the name of {}: rename one, dbt knows models and seeds by file name alone",
                first.display()
            );
            self.problems.push(Problem::new(path, None, message));
            return false;
        }
        self.taken.insert(name.to_owned(), path.to_path_buf());
        true
    }
}

fn folders(dir: &Path) -> Result<Vec<PathBuf>, Problem> {
    entries(dir, |path| path.is_dir() && !name_of(path).starts_with('.'))
}

fn files(dir: &Path, extension: &str) -> Result<Vec<PathBuf>, Problem> {
    entries(dir, |path| {
        path.is_file() && path.extension().is_some_and(|found| found == extension)
    })
}

fn entries(dir: &Path, keep: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>, Problem> {
    let read = || -> std::io::Result<Vec<PathBuf>> {
        let mut paths = std::fs::read_dir(dir)?
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<Vec<_>>>()?;
        paths.retain(|path| keep(path));
        paths.sort();
        Ok(paths)
    };
    read().map_err(|error| Problem::new(dir, None, format!("cannot be listed: {error}")))
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

fn stem_of(path: &Path) -> String {
    path.file_stem()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}
