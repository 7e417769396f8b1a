//! Seeds: the small dimensions that lie beside the models as CSV, read into memory with their declared types, and judged by their tests
//! before a job reads them: a key that is there twice would double rows in every table that joins it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use datafusion::arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use userflow_models::project::{Check, Model, Ref, Rule, Seed, Window};
use userflow_process::exit::WrongSetup as Wrong;

use crate::quality::{Status, Subject, Verdict, audit};
use crate::workspace::Workspace;

/// The schema under which sessions know the seeds.
pub const SCHEMA: &str = "seeds";

/// The name of a seed in SQL.
pub fn sql_name(seed: &str) -> String {
    format!("{SCHEMA}.{seed}")
}

/// A seed as a table. An empty field is null.
pub fn table(seed: &Seed) -> Result<Arc<dyn TableProvider>> {
    let batch = read(seed)?;
    Ok(Arc::new(MemTable::try_new(
        batch.schema(),
        vec![vec![batch]],
    )?))
}

/// Judges the seeds that these models and their tests read. What is wrong is wrong in a file that somebody wrote, so no retry helps.
pub async fn judge(workspace: &Workspace, models: &[&Model]) -> Result<()> {
    let tested = |model: &Model, name: &str| {
        (model.checks.iter()).any(|check| {
            matches!(&check.rule, Rule::Relationships { to: Ref::Seed(seed), .. } if seed == name)
        })
    };
    let read = |model: &&Model, name: &str| {
        let mut refs = model.refs.iter();
        refs.any(|input| matches!(input, Ref::Seed(seed) if seed == name)) || tested(model, name)
    };
    let mut failed = Vec::new();
    for seed in workspace.project.seeds() {
        if !models.iter().any(|model| read(model, &seed.name)) {
            continue;
        }
        let name = sql_name(&seed.name);
        let subject = Subject {
            name: &name,
            layer: SCHEMA,
            yml: Some(&seed.yml),
            checks: &seed.checks,
            quarantine: None,
            margin: Duration::ZERO,
        };
        let any = Window::new(Default::default());
        let verdicts = audit(workspace, &subject, table(seed)?, any, 1).await;
        let verdicts =
            verdicts.map_err(|error| Wrong(format!("{}: {error:#}", seed.yml.display())))?;
        for check in &seed.checks {
            let mut of_check = verdicts
                .iter()
                .filter(|verdict| verdict.test == check.label);
            let Some(verdict) = of_check.find(|verdict| verdict.status != Status::Pass) else {
                continue;
            };
            let said = said(seed, check, verdict);
            match verdict.status {
                Status::Block => failed.push(said),
                Status::Warn | Status::Pass => tracing::warn!("{said}"),
            }
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Wrong(failed.join("\n")).into()),
    }
}

fn said(seed: &Seed, check: &Check, verdict: &Verdict) -> String {
    let line = check
        .line
        .map_or_else(String::new, |line| format!(":{line}"));
    format!(
        "{}: {} (the test stands in {}{line}): {}",
        seed.path.display(),
        verdict.brief(),
        seed.yml.display(),
        verdict.sample.join(", ")
    )
}

fn read(seed: &Seed) -> Result<RecordBatch> {
    let shown = seed.path.display();
    let wrong = |line: u64, message: String| Wrong(format!("{shown}:{line}: {message}"));
    let mut reader = csv::Reader::from_path(&seed.path).with_context(|| format!("read {shown}"))?;
    let header = reader
        .headers()
        .with_context(|| format!("read {shown}"))?
        .clone();
    let unknown = header
        .iter()
        .find(|name| seed.columns.iter().all(|column| column.name != *name));
    if let Some(unknown) = unknown {
        return Err(wrong(
            1,
            format!("column `{unknown}` is not declared in the .yml: declare it or remove it"),
        )
        .into());
    }
    let mut lines = Vec::new();
    let mut rows = Vec::new();
    for record in reader.into_records() {
        let record = record.map_err(|error| {
            let line = error.position().map_or(1, csv::Position::line);
            wrong(line, format!("{error}"))
        })?;
        lines.push(record.position().map_or(0, csv::Position::line));
        rows.push(record);
    }
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(seed.columns.len());
    for (column, field) in seed.columns.iter().zip(seed.schema().fields()) {
        let at = header.iter().position(|name| name == column.name);
        let at = at.ok_or_else(|| {
            wrong(
                1,
                format!("no column `{}`, which the .yml declares", column.name),
            )
        })?;
        let texts: StringArray = rows
            .iter()
            .map(|row| row.get(at).filter(|text| !text.is_empty()))
            .collect();
        let typed = cast(&texts, field.data_type())?;
        if let Some(row) = (0..texts.len()).find(|row| texts.is_valid(*row) && typed.is_null(*row))
        {
            let message = format!(
                "`{}` in column {} is no {}",
                texts.value(row),
                column.name,
                column.data_type
            );
            return Err(wrong(lines[row], message).into());
        }
        arrays.push(typed);
    }
    Ok(RecordBatch::try_new(seed.schema(), arrays)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::AsArray;
    use datafusion::arrow::datatypes::{Int32Type, TimestampMicrosecondType};
    use userflow_models::project::{Column, ColumnType};

    fn seed(text: &str) -> Result<RecordBatch> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("dimension.csv");
        std::fs::write(&path, text)?;
        let column = |name: &str, data_type| Column {
            name: name.into(),
            data_type,
            description: String::new(),
            tests: vec![],
        };
        read(&Seed {
            name: "dimension".into(),
            domain: "demo".into(),
            path,
            description: String::new(),
            columns: vec![
                column("id", ColumnType::String),
                column("position", ColumnType::Integer),
                column("at", ColumnType::Timestamp),
            ],
            tests: Vec::new(),
            yml: "_seeds.yml".into(),
            checks: Vec::new(),
            fingerprint: 0,
        })
    }

    #[test]
    fn fields_take_their_declared_types_in_the_declared_order() {
        let batch = seed("at,id,position\n2026-01-02T03:04:05Z,\"a,b\",7\n,c,\n").unwrap();
        assert_eq!(
            batch
                .column(0)
                .as_string::<i32>()
                .iter()
                .collect::<Vec<_>>(),
            [Some("a,b"), Some("c")]
        );
        assert_eq!(
            batch
                .column(1)
                .as_primitive::<Int32Type>()
                .iter()
                .collect::<Vec<_>>(),
            [Some(7), None]
        );
        // 2026-01-02T03:04:05Z by `date -u -d ... +%s`.
        let times = batch.column(2).as_primitive::<TimestampMicrosecondType>();
        assert_eq!(
            times.iter().collect::<Vec<_>>(),
            [Some(1_767_323_045_000_000), None]
        );
    }

    #[test]
    fn a_broken_seed_names_its_line() {
        for (text, words) in [
            (
                "id,position,at\na,1,\nb,x,\n",
                "dimension.csv:3: `x` in column position is no integer",
            ),
            ("id,position\na,1\n", "dimension.csv:1: no column `at`"),
            (
                "id,position,at,more\n",
                "dimension.csv:1: column `more` is not declared",
            ),
            ("id,position,at\na,1,\nb\n", "dimension.csv:3:"),
        ] {
            let error = seed(text).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
            assert_eq!(userflow_process::exit::code_of(&error, &[]), 2);
        }
    }
}
