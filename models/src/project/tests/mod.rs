//! Whole projects in temporary folders: what is read from a good one, what is said about a broken one.

mod broken;
mod checks;
mod graph;
mod model;

use tempfile::TempDir;

use super::*;

const YML: &str = "version: 2
models:
  - name: NAME
    description: one row per user_id and day
    columns:
      - name: user_id
        data_type: string
        tests: [not_null, {accepted_values: {values: [a, b]}}]
      - {name: amount, data_type: 'decimal(14,2)', description: what was paid}
      - name: event_date
        data_type: date
";

const SEED_YML: &str = "version: 2
seeds:
  - name: dimension
    description: one row per id
    config: {column_types: {id: varchar}}
    columns:
      - {name: id, data_type: string}
";

/// A project under construction; the fields of a path are relative to its models folder.
struct Files(TempDir);

impl Files {
    /// One domain with a source, a seed and a silver model.
    fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files
            .put("demo/contract.json", "{}")
            .put("demo/seeds/dimension.csv", "id\n1\n")
            .put("demo/seeds/seeds.yml", SEED_YML);
        files.model(
            "demo/silver/base",
            "select * from {{ source('bronze', 'demo_events') }}, {{ ref('dimension') }}",
        );
        files
    }

    fn put(&self, path: &str, text: &str) -> &Self {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// Writes a model and its twin.
    fn model(&self, stem: &str, sql: &str) -> &Self {
        let name = stem.rsplit('/').next().unwrap();
        self.put(&format!("{stem}.sql"), sql)
            .put(&format!("{stem}.yml"), &YML.replace("NAME", name))
    }

    fn remove(&self, path: &str) -> &Self {
        std::fs::remove_file(self.0.path().join(path)).unwrap();
        self
    }

    fn load(&self) -> Result<Project, ConfigError> {
        Project::load(self.0.path())
    }

    /// The problems as text, with paths relative to the models folder.
    fn problems(&self) -> Vec<String> {
        match self.load() {
            Err(ConfigError::Project(problems)) => {
                let prefix = format!("{}/", self.0.path().display());
                problems
                    .iter()
                    .map(|problem| problem.to_string().replace(&prefix, ""))
                    .collect()
            }
            other => panic!("expected problems, got {other:?}"),
        }
    }
}

fn names(models: &[&Model]) -> Vec<String> {
    models.iter().map(|model| model.name.clone()).collect()
}

/// base <- a_mid <- top, base <- top, and alone.
fn diamond() -> Files {
    let files = Files::new();
    files
        .model(
            "demo/gold/top",
            "select * from {{ ref('base') }}, {{ ref('a_mid') }}",
        )
        .model(
            "demo/gold/a_mid",
            "{{ config(meta={'lookback': '6d'}) }} select * from {{ ref('base') }}",
        )
        .model("demo/gold/alone", "select 1");
    files
}
