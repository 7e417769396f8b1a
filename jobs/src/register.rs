//! `register`: make every table of the lake visible in Trino. A schema per layer, a registration per table; what is there already
//! stays, and what is there can be read. Later commits need no registration: Trino reads the table's log.
//!
//! SQL is put together from names that are lowercase letters, digits and `_` only ([`TableName`], [`CatalogName`]) and from a
//! location of plain characters ([`Location`]), so nothing has to be quoted.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Result};
use serde::Serialize;
use url::Url;
use userflow_lake::TableName;
use userflow_process::exit::WrongSetup as Wrong;

use crate::config::{Output, RegisterArgs};
use crate::trino::Trino;
use crate::workspace::Workspace;
use crate::{init, summary};

/// A catalog of Trino.
#[derive(Clone, Debug)]
pub struct CatalogName(String);

impl FromStr for CatalogName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if text.is_empty() || text.len() > 64 || !text.bytes().all(plain) {
            return Err("write lowercase letters, digits and _, such as delta".to_owned());
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for CatalogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The lake as Trino sees it: `local:///lake`, `s3://bucket/prefix`.
#[derive(Clone, Debug)]
pub struct Location(String);

impl FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.:/".contains(&b);
        let known = ["local:///", "s3://"];
        if !known.iter().any(|scheme| text.starts_with(scheme)) || !text.bytes().all(plain) {
            return Err(
                "write local:///folder or s3://bucket/prefix, of letters, digits and _-./ only"
                    .to_owned(),
            );
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl Location {
    /// Where deploy/servers/trino has a lake that is a folder; S3 is the same place for everyone.
    fn seen(lake: &Url) -> Result<Self> {
        let text = match lake.scheme() {
            "s3" => lake.as_str(),
            _ => "local:///lake",
        };
        let wrong = |error| Wrong(format!("the lake {lake} as a --location: {error}"));
        Ok(text.parse().map_err(wrong)?)
    }

    fn of(&self, table: &TableName) -> String {
        format!("{}/{}/{}", self.0, table.layer(), table.table())
    }
}

/// What was done for one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    /// It was not there.
    Registered,
    /// It was there, at another place or at one that holds no table any more.
    Moved,
    /// It was there.
    Existed,
}

impl Action {
    fn word(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Moved => "moved",
            Self::Existed => "existed",
        }
    }
}

#[derive(Debug, Serialize)]
struct Line {
    table: String,
    location: String,
    action: Action,
}

/// Registers what is missing and prints what was done.
pub async fn run(workspace: &Workspace, args: &RegisterArgs) -> Result<()> {
    let trino = args.trino_url.open()?;
    let tables = existing(workspace).await?;
    let location = match &args.location {
        Some(location) => location.clone(),
        None => Location::seen(workspace.lake.url())?,
    };
    let task = Task {
        trino: &trino,
        catalog: &args.catalog,
        location: &location,
        dry_run: args.dry_run,
    };
    let known = task.prepare(&tables).await?;
    let mut lines = Vec::new();
    for table in &tables {
        lines.push(task.register(table, known.contains(table)).await?);
    }
    if !args.dry_run {
        task.read_all(&tables).await?;
    }
    for name in known.difference(&tables) {
        tracing::warn!(
            "{}.{name} is registered in Trino and is no table of the lake's models: it was left as it is",
            args.catalog
        );
    }
    if workspace.output == Output::Json {
        return summary::json(
            &serde_json::json!({"command": "register", "dry_run": args.dry_run, "catalog": args.catalog.0, "tables": lines}),
        );
    }
    let mut table = summary::new_table(&["table", "", "location"]);
    for line in &lines {
        table.add_row([&line.table, line.action.word(), &line.location]);
    }
    let dry = if args.dry_run {
        "\ndry run: nothing was registered"
    } else {
        ""
    };
    summary::text(&format!("{table}{dry}"))
}

/// The declared tables that are in the lake.
async fn existing(workspace: &Workspace) -> Result<BTreeSet<TableName>> {
    let mut found = BTreeSet::new();
    for spec in init::specs(workspace, None)? {
        if workspace.lake.table(&spec.name).snapshot().await?.is_some() {
            found.insert(spec.name);
        }
    }
    Ok(found)
}

struct Task<'a> {
    trino: &'a Trino,
    catalog: &'a CatalogName,
    location: &'a Location,
    dry_run: bool,
}

impl Task<'_> {
    /// Makes the schemas of the tables, and returns the tables that are registered in them.
    async fn prepare(&self, tables: &BTreeSet<TableName>) -> Result<BTreeSet<TableName>> {
        let Self {
            trino,
            catalog,
            location: Location(location),
            ..
        } = self;
        let there = names(trino, &format!("show schemas from {catalog}")).await?;
        let layers: BTreeSet<&str> = tables.iter().map(TableName::layer).collect();
        let mut known = BTreeSet::new();
        for layer in layers {
            if there.contains(layer) {
                let found = names(trino, &format!("show tables from {catalog}.{layer}")).await?;
                // A name that is no name of ours is nobody's we know.
                let ours = |name: &String| TableName::parse(&format!("{layer}.{name}")).ok();
                known.extend(found.iter().filter_map(ours));
            } else if !self.dry_run {
                // Two at once: the second finds it made.
                let make = format!(
                    "create schema if not exists {catalog}.{layer} with (location = '{location}/{layer}')"
                );
                trino.rows(&make).await?;
            }
        }
        Ok(known)
    }

    async fn register(&self, table: &TableName, known: bool) -> Result<Line> {
        let location = self.location.of(table);
        let action = match known {
            false => Action::Registered,
            true if self.is_at(table, &location).await? => Action::Existed,
            true => Action::Moved,
        };
        let (layer, name, catalog) = (table.layer(), table.table(), self.catalog);
        let names = format!("schema_name => '{layer}', table_name => '{name}'");
        if !self.dry_run && action == Action::Moved {
            let forget = format!("call {catalog}.system.unregister_table({names})");
            self.trino.rows(&forget).await?;
        }
        if !self.dry_run && action != Action::Existed {
            let add = format!(
                "call {catalog}.system.register_table({names}, table_location => '{location}')"
            );
            self.trino.rows(&add).await?;
        }
        Ok(Line {
            table: table.to_string(),
            location,
            action,
        })
    }

    /// Registered is not enough: a row of each table comes out, if it has any.
    async fn read_all(&self, tables: &BTreeSet<TableName>) -> Result<()> {
        for table in tables {
            let statement = format!("select 1 from {}.{table} limit 1", self.catalog);
            (self.trino.rows(&statement).await)
                .with_context(|| format!("{table} is registered, but Trino cannot read it"))?;
        }
        Ok(())
    }

    /// Whether a registered table can be read at that place. A table whose files are gone refuses to be shown.
    async fn is_at(&self, table: &TableName, location: &str) -> Result<bool> {
        let shown = self
            .trino
            .ask(&format!("show create table {}.{table}", self.catalog))
            .await?;
        let text = shown.ok().and_then(|rows| first_text(&rows));
        Ok(text.is_some_and(|text| text.contains(&format!("'{location}'"))))
    }
}

async fn names(trino: &Trino, statement: &str) -> Result<BTreeSet<String>> {
    let rows = trino.rows(statement).await?;
    let name = |row: &Vec<serde_json::Value>| row.first()?.as_str().map(str::to_owned);
    Ok(rows.iter().filter_map(name).collect())
}

fn first_text(rows: &[Vec<serde_json::Value>]) -> Option<String> {
    Some(rows.first()?.first()?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_into_sql_needs_no_quotes() {
        for name in ["", "Delta", "d-1", "d'", "d;x", "d.x"] {
            assert!(name.parse::<CatalogName>().is_err(), "{name}");
        }
        for place in [
            "",
            "/lake",
            "file:///lake",
            "local:///la'ke",
            "s3://b/x y",
            "s3://b/x;",
        ] {
            assert!(place.parse::<Location>().is_err(), "{place}");
        }
        let table = TableName::parse("gold.t").unwrap();
        let place: Location = "local:///lake/".parse().unwrap();
        assert_eq!(place.of(&table), "local:///lake/gold/t");
        let seen = |lake: &str| Location::seen(&Url::parse(lake).unwrap()).map(|place| place.0);
        assert_eq!(seen("file:///data/lake/").unwrap(), "local:///lake");
        assert_eq!(seen("s3://b/p/").unwrap(), "s3://b/p");
        assert_eq!(
            userflow_process::exit::code_of(&seen("s3://b/a'b/").unwrap_err(), &[]),
            2
        );
    }
}
