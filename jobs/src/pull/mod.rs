//! `pull`: the file of a seed that is a table of PostgreSQL, written from the table. SQL models, `test`, `try` and dbt read files: a file that
//! changes makes `plan` list the windows of the models that read it.
//!
//! Not here: what `sessionize` does with the table (`ingester/src/sessionize/dimensions`).

mod args;

use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use sqlx::PgConnection;
use userflow_models::features::{self, Dimension, TableQuery, Wrong, typed};
use userflow_process::exit::WrongSetup;
use userflow_process::postgres_table::{self, Found, Limits, Statements};

pub use args::PullArgs;

use crate::config::{Common, Output};
use crate::postgres::{connect, explained};
use crate::print;
use crate::workspace::Domains;

/// What became of a file.
#[derive(Debug, Serialize)]
struct Line {
    seed: String,
    table: String,
    file: String,
    rows: usize,
    changed: bool,
}

/// Writes the files of the seeds that were named, or of all that are tables.
pub async fn run(settings: &Common, args: &PullArgs) -> Result<()> {
    let domains = Domains::open(settings.models.models.clone())?;
    let mut declared = Vec::new();
    for domain in domains.chosen(None)? {
        declared.extend(features::dimensions(domain)?);
    }
    let chosen = chosen(declared, &args.seeds)?;
    let mut connection = connect(&args.postgres_url).await?;
    let mut lines = Vec::new();
    for (seed, query) in &chosen {
        let cells = read(&mut connection, query, args.limits()).await?;
        let (rows, text) = csv(query, &cells)?;
        let before = std::fs::read(&seed.file).unwrap_or_default();
        let changed = before != text;
        if changed && !args.dry_run {
            write(&seed.file, &text)?;
        }
        lines.push(Line {
            seed: seed.name.clone(),
            table: query.table().to_string(),
            file: seed.file.display().to_string(),
            rows,
            changed,
        });
    }
    if settings.output == Output::Json {
        return print::json(
            &serde_json::json!({"command": "pull", "dry_run": args.dry_run, "seeds": lines}),
        );
    }
    let mut table = print::new_table(&["seed", "from", "rows", "file", ""]);
    for line in &lines {
        let done = match (line.changed, args.dry_run) {
            (false, _) => "is the same",
            (true, false) => "written",
            (true, true) => "would be written",
        };
        let rows = line.rows.to_string();
        table.add_row([&line.seed, &line.table, &rows, &line.file, done]);
    }
    print::text(&table.to_string())
}

/// The seeds that were named, each with what to ask about its table.
fn chosen(declared: Vec<Dimension>, named: &[String]) -> Result<Vec<(Dimension, TableQuery)>> {
    let wrong = |name: &str, why: &str| WrongSetup(format!("{name}: {why}"));
    for name in named {
        match declared.iter().find(|seed| seed.name == *name) {
            None => return Err(wrong(name, "there is no such seed").into()),
            Some(seed) if seed.table.is_none() => {
                let why = format!(
                    "its rows are in {}: `config: {{meta: {{postgres: schema.table}}}}` in {} would make it a table",
                    seed.file.display(),
                    seed.yml.display()
                );
                return Err(wrong(name, &why).into());
            }
            Some(_) => {}
        }
    }
    let wanted = |seed: &Dimension| named.is_empty() || named.contains(&seed.name);
    let chosen: Vec<_> = (declared.into_iter())
        .filter(wanted)
        .filter_map(|seed| seed.query(|_| true).map(|query| (seed, query)))
        .collect();
    match chosen.is_empty() {
        true => Err(wrong("nothing to do", "no seed is a table of PostgreSQL").into()),
        false => Ok(chosen),
    }
}

async fn read(
    connection: &mut PgConnection,
    query: &TableQuery,
    limits: Limits,
) -> Result<Vec<Vec<Option<String>>>> {
    let table = query.table();
    let statements = Statements {
        describe: query.describe(),
        read: query.read(limits.rows, limits.bytes, &[]),
        width: query.columns().count(),
    };
    let unfit = |columns: &[(String, String)]| query.unfit(columns);
    let found = postgres_table::read(connection, &statements, unfit).await;
    let found = found.map_err(explained);
    let why = match found.with_context(|| format!("read {table}"))? {
        Found::Read(_, cells) => return Ok(cells),
        Found::Unfit(why) => why,
        Found::NotWanted(state) => (limits.refuse(state.rows, state.bytes))
            .expect("no state is known, so one is not wanted for its size"),
    };
    Err(WrongSetup(format!("{table}: {why}")).into())
}

/// The rows as a file, in the order of their cells, so that the same rows are the same file.
fn csv(query: &TableQuery, cells: &[Vec<Option<String>>]) -> Result<(usize, Vec<u8>)> {
    let columns: Vec<_> = query.columns().collect();
    let texts = cells
        .iter()
        .map(|cells| cells.iter().map(Option::as_deref).collect());
    typed(&columns, texts.collect())
        .map_err(|Wrong { message, .. }| WrongSetup(format!("{}: {message}", query.table())))?;
    let count = cells.first().map_or(0, Vec::len);
    let mut rows: Vec<Vec<&str>> = (0..count)
        .map(|row| {
            (cells
                .iter()
                .map(|cells| cells[row].as_deref().unwrap_or_default()))
            .collect()
        })
        .collect();
    rows.sort_unstable();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(columns.iter().map(|column| &column.name))?;
    for row in rows {
        writer.write_record(row)?;
    }
    Ok((count, writer.into_inner()?))
}

/// Writes a file beside and moves it onto the old one, so that nobody reads a half.
fn write(file: &Path, text: &[u8]) -> Result<()> {
    let beside = file.with_extension("csv.new");
    let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, file));
    written.with_context(|| format!("write {}", file.display()))
}
