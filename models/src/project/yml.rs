//! The `.yml` files of a project: the twin of a model (its meaning and its columns), the declarations of seeds and of sources.
//!
//! The format is dbt's. A key that neither dbt nor we give a meaning is refused, because a misspelt `colums:` would otherwise
//! silently declare nothing.

use super::column::{Column, ColumnType, PARTITION_COLUMN, Test};
use super::error::Problem;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

/// What a twin `.yml` declares.
pub(crate) struct Declared {
    pub(crate) description: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) tests: Vec<Test>,
    /// The `config:` block and the line on which it starts.
    pub(crate) config: Option<(serde_json::Value, Option<usize>)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelFile {
    #[serde(rename = "version")]
    _version: u8,
    models: Vec<Entry>,
}

/// A file whose name starts with an underscore; only what it says about sources is ours.
#[derive(Deserialize)]
struct SourceFile {
    #[serde(default)]
    sources: Vec<SourceGroup>,
}

#[derive(Deserialize)]
struct SourceGroup {
    name: String,
    #[serde(default)]
    tables: Vec<SourceEntry>,
}

/// A table of the ingester. Its columns are the contract's; here stand only those with something to say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceEntry {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default, alias = "data_tests")]
    tests: Vec<serde_json::Value>,
    #[serde(default)]
    columns: Vec<SourceColumn>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceColumn {
    name: String,
    #[serde(rename = "description")]
    _description: Option<String>,
    #[serde(rename = "data_type")]
    _data_type: Option<String>,
    #[serde(default, alias = "data_tests")]
    tests: Vec<serde_json::Value>,
}

/// What a file says about one source.
pub(crate) struct DeclaredSource {
    /// `bronze.table`.
    pub(crate) name: String,
    pub(crate) line: Option<usize>,
    pub(crate) description: String,
    /// The tests, each with the column that it stands under.
    pub(crate) tests: Vec<(Option<String>, Test)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeedFile {
    #[serde(rename = "version")]
    _version: u8,
    seeds: Vec<Entry>,
}

/// A model or a seed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    description: String,
    config: Option<serde_json::Value>,
    meta: Option<serde_json::Value>,
    #[serde(default, alias = "data_tests")]
    tests: Vec<serde_json::Value>,
    columns: Vec<WrittenColumn>,
    #[serde(rename = "docs")]
    _docs: Option<serde_json::Value>,
}

/// A column as written; its description may be left out, its type may not.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenColumn {
    name: String,
    data_type: String,
    #[serde(default)]
    description: String,
    #[serde(default, alias = "data_tests")]
    tests: Vec<serde_json::Value>,
    #[serde(rename = "meta")]
    _meta: Option<serde_json::Value>,
    #[serde(rename = "quote")]
    _quote: Option<bool>,
}

/// Reads the twin of the model `name`.
pub(crate) fn model(path: &Path, name: &str) -> Result<Declared, Problem> {
    let text = read(path)?;
    let file: ModelFile = parse(path, &text)?;
    let [entry] = <[Entry; 1]>::try_from(file.models).map_err(|models| {
        let line = line_of_key(&text, "models");
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
        return Err(Problem::new(
            path,
            line_of_name(&text, &entry.name),
            message,
        ));
    }
    let declared = declared(path, &text, entry)?;
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
                line_of_name(&text, PARTITION_COLUMN),
                message,
            ))
        }
        None => {
            let message = format!(
                "no column {PARTITION_COLUMN}: add `- name: {PARTITION_COLUMN}` with `data_type: date`, the partition column of every table"
            );
            Err(Problem::new(path, line_of_key(&text, "columns"), message))
        }
    }
}

/// Reads a `.yml` of the seeds folder: what it declares, by seed name, with the line of each.
pub(crate) fn seeds(path: &Path) -> Result<BTreeMap<String, (Declared, Option<usize>)>, Problem> {
    let text = read(path)?;
    let file: SeedFile = parse(path, &text)?;
    let mut seeds = BTreeMap::new();
    for entry in file.seeds {
        let (name, line) = (entry.name.clone(), line_of_name(&text, &entry.name));
        if seeds
            .insert(name.clone(), (declared(path, &text, entry)?, line))
            .is_some()
        {
            return Err(Problem::new(
                path,
                line,
                format!("seed `{name}` is declared twice: keep one"),
            ));
        }
    }
    Ok(seeds)
}

/// Reads the sources that a file declares; none when it declares other things.
pub(crate) fn sources(path: &Path) -> Result<Vec<DeclaredSource>, Problem> {
    let text = read(path)?;
    let file: SourceFile = parse(path, &text)?;
    let mut found = Vec::new();
    for (group, table) in (file.sources.into_iter()).flat_map(|group| {
        group
            .tables
            .into_iter()
            .map(move |table| (group.name.clone(), table))
    }) {
        let line = line_of_name(&text, &table.name);
        let at = |(line, message)| Problem::new(path, line, message);
        let whole = tests(&text, line, &table.tests).map_err(at)?;
        let mut all: Vec<_> = whole.into_iter().map(|test| (None, test)).collect();
        for column in table.columns {
            let line = line_of_name_after(&text, line, &column.name);
            let found = tests(&text, line, &column.tests).map_err(at)?;
            all.extend(
                found
                    .into_iter()
                    .map(|test| (Some(column.name.clone()), test)),
            );
        }
        found.push(DeclaredSource {
            name: format!("{group}.{}", table.name),
            line,
            description: table.description,
            tests: all,
        });
    }
    Ok(found)
}

fn declared(path: &Path, text: &str, entry: Entry) -> Result<Declared, Problem> {
    if entry.description.trim().is_empty() {
        let message = "the description is empty: say what one row is (`one row per ...`)";
        return Err(Problem::new(
            path,
            line_of_key(text, "description"),
            message,
        ));
    }
    if entry.columns.is_empty() {
        return Err(Problem::new(
            path,
            line_of_key(text, "columns"),
            "no columns: declare every column with its data_type",
        ));
    }
    let mut names = HashSet::new();
    let mut columns = Vec::with_capacity(entry.columns.len());
    for column in entry.columns {
        let line = line_of_name(text, &column.name);
        if !identifier(&column.name) {
            let message = format!(
                "column name `{}` is no plain name: use a-z, 0-9 and _",
                column.name
            );
            return Err(Problem::new(path, line, message));
        }
        if !names.insert(column.name.clone()) {
            return Err(Problem::new(
                path,
                line,
                format!("column {} is declared twice: keep one", column.name),
            ));
        }
        let data_type = column.data_type.parse().map_err(|message: String| {
            Problem::new(path, line_of_key_after(text, line, "data_type"), message)
        })?;
        let tests = tests(text, line, &column.tests)
            .map_err(|(line, message)| Problem::new(path, line, message))?;
        columns.push(Column {
            name: column.name,
            data_type,
            description: column.description,
            tests,
        });
    }
    let line = line_of_key(text, "tests").or_else(|| line_of_key(text, "data_tests"));
    let tests = tests(text, line, &entry.tests)
        .map_err(|(line, message)| Problem::new(path, line, message))?;
    let config = match (entry.config, entry.meta) {
        (config, None) => config.map(|config| (config, line_of_key(text, "config"))),
        (None, Some(meta)) => Some((
            serde_json::json!({ "meta": meta }),
            line_of_key(text, "meta"),
        )),
        (Some(_), Some(_)) => {
            let message = "meta stands beside config: put it inside, as `config: {meta: ...}`";
            return Err(Problem::new(path, line_of_key(text, "meta"), message));
        }
    };
    Ok(Declared {
        description: entry.description,
        columns,
        tests,
        config,
    })
}

/// The tests of a list that starts at a line; an error has its line and its message.
fn tests(
    text: &str,
    from: Option<usize>,
    written: &[serde_json::Value],
) -> Result<Vec<Test>, (Option<usize>, String)> {
    let mut tests: Vec<Test> = Vec::new();
    for test in written {
        let (name, arguments) = match test {
            serde_json::Value::String(name) => (name, &serde_json::Value::Null),
            serde_json::Value::Object(entries) if entries.len() == 1 => {
                entries.iter().next().ok_or((from, String::new()))?
            }
            _ => {
                let message = format!("test {test} is neither a name nor one name with arguments");
                return Err((from, message));
            }
        };
        // The next test of the same name stands further down, or in the same line.
        let before = tests.iter().rev().find(|test| test.name == *name);
        let before = before.and_then(|test| test.line);
        let next = before.map(|line| line + 1).or(from);
        let found = line_after(text, next, |line| has_word(line, name));
        tests.push(Test {
            name: name.clone(),
            arguments: arguments.clone(),
            line: found.or(before).or(from),
        });
    }
    Ok(tests)
}

/// Whether a name stands in a line, and not as a part of another name.
fn has_word(line: &str, name: &str) -> bool {
    let part = |next: char| next.is_alphanumeric() || next == '_';
    line.match_indices(name)
        .any(|(at, _)| !line[..at].ends_with(part) && !line[at + name.len()..].starts_with(part))
}

/// Whether a name is safe as an SQL name, a file name and a path.
pub(crate) fn identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

pub(crate) fn read(path: &Path) -> Result<String, Problem> {
    std::fs::read_to_string(path)
        .map_err(|error| Problem::new(path, None, format!("cannot be read: {error}")))
}

fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, Problem> {
    serde_yaml_ng::from_str(text).map_err(|error| {
        let line = error.location().map(|location| location.line());
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or_default();
        let fix = if message.contains("missing field `data_type`") {
            ": give every column its data_type (string, bigint, integer, double, boolean, date, timestamp, decimal(p,s))"
        } else {
            ""
        };
        Problem::new(path, line, format!("{message}{fix}"))
    })
}

/// The line of the first `key:`. The parser keeps no positions, so what it accepted is found again by its text.
fn line_of_key(text: &str, key: &str) -> Option<usize> {
    line_where(text, |line| {
        line.trim_start()
            .trim_start_matches("- ")
            .strip_prefix(key)
            .is_some_and(|rest| rest.starts_with(':'))
    })
}

/// The line of the first `key:` at or after a line, in block or flow style.
fn line_of_key_after(text: &str, line: Option<usize>, key: &str) -> Option<usize> {
    line_after(text, line, |line| line.contains(&format!("{key}:")))
}

/// The line of the first `name: <name>`, in block or flow style.
fn line_of_name(text: &str, name: &str) -> Option<usize> {
    line_of_name_after(text, None, name)
}

fn line_of_name_after(text: &str, line: Option<usize>, name: &str) -> Option<usize> {
    line_after(text, line, |line| {
        line.split_once("name:").is_some_and(|(_, rest)| {
            let rest = rest.trim_start().trim_start_matches(['"', '\'']);
            rest.strip_prefix(name).is_some_and(|end| {
                !end.starts_with(|next: char| next.is_alphanumeric() || next == '_')
            })
        })
    })
}

fn line_where(text: &str, matches: impl Fn(&str) -> bool) -> Option<usize> {
    line_after(text, None, matches)
}

/// The first line at or after a line for which something holds.
fn line_after(text: &str, line: Option<usize>, matches: impl Fn(&str) -> bool) -> Option<usize> {
    let skipped = line.map_or(0, |line| line - 1);
    let found = text.lines().skip(skipped).position(matches);
    found.map(|at| skipped + at + 1)
}
