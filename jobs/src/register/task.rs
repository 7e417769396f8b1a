//! The statements that register tables.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde::Serialize;
use userflow_lake::TableName;

use super::names::{CatalogName, Location};
use crate::trino::Trino;

/// What was done for one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    /// It was not there.
    Registered,
    /// It was there, at another place or at one that holds no table any more.
    Moved,
    /// It was there.
    Existed,
}

impl Action {
    /// The word for people.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Moved => "moved",
            Self::Existed => "existed",
        }
    }
}

/// One table.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    pub(super) table: String,
    pub(super) location: String,
    pub(super) action: Action,
}

/// What to register where.
pub(super) struct Task<'a> {
    pub(super) trino: &'a Trino,
    pub(super) catalog: &'a CatalogName,
    pub(super) location: &'a Location,
    pub(super) dry_run: bool,
}

impl Task<'_> {
    /// Makes the schemas of the tables, and returns the tables that are registered in them.
    pub(super) async fn prepare(
        &self,
        tables: &BTreeSet<TableName>,
    ) -> Result<BTreeSet<TableName>> {
        let Self {
            trino,
            catalog,
            location,
            ..
        } = self;
        let there = names(trino, &format!("show schemas from {catalog}")).await?;
        let layers: BTreeSet<&str> = tables.iter().map(TableName::layer).collect();
        let mut known = BTreeSet::new();
        for layer in layers {
            if there.contains(layer) {
                let found = names(trino, &format!("show tables from {catalog}.{layer}")).await?;
                // A name that is no table name of ours belongs to somebody else.
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

    /// Registers one table, unless it is there already.
    pub(super) async fn register(&self, table: &TableName, known: bool) -> Result<Line> {
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
    pub(super) async fn read_all(&self, tables: &BTreeSet<TableName>) -> Result<()> {
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
