//! Dimensions that are tables of somebody else's in PostgreSQL: `init` does not make them, and says which `sessionize` could not read.

use anyhow::{Context, Result};
use serde::Serialize;
use userflow_models::features::{self, FeatureView};
use userflow_process::postgres::PostgresUrl;
use userflow_process::postgres_table;

use crate::postgres::{connect, explained};
use crate::workspace::Workspace;

/// What was found of a table.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    dimension: String,
    table: String,
    /// What it lacks.
    pub(super) problem: Option<String>,
}

/// Looks at the tables that views join, as far as their columns go.
pub(super) async fn look(
    workspace: &Workspace,
    only: Option<&str>,
    views: &[FeatureView],
    url: &PostgresUrl,
) -> Result<Vec<Line>> {
    let mut queries = Vec::new();
    for domain in workspace.domains.chosen(only)? {
        for dimension in features::dimensions(domain)? {
            let joins = views.iter().filter_map(|view| view.join.as_ref());
            let joins: Vec<_> = joins
                .filter(|join| join.dimension == dimension.name)
                .collect();
            let needed = |column: &str| {
                joins.iter().any(|join| {
                    join.on == column || join.take.iter().any(|taken| taken.column == column)
                })
            };
            if let Some(query) = dimension.query(needed).filter(|_| !joins.is_empty()) {
                queries.push((dimension.name, query));
            }
        }
    }
    if queries.is_empty() {
        return Ok(Vec::new());
    }
    let mut connection = connect(url).await?;
    let mut lines = Vec::new();
    for (dimension, query) in queries {
        let columns = postgres_table::columns(&mut connection, &query.describe()).await;
        let columns = columns.map_err(explained).context("look at dimensions")?;
        lines.push(Line {
            dimension,
            table: query.table().to_string(),
            problem: query.unfit(&columns),
        });
    }
    Ok(lines)
}
