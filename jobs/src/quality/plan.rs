//! Finds what is wrong with the checks of a table before anything is computed, without a lake.

use std::sync::Arc;

use anyhow::{Context, Result};
use datafusion::catalog::TableProvider;
use datafusion::common::DataFusionError;
use datafusion::datasource::empty::EmptyTable;
use datafusion::prelude::SessionContext;
use userflow_models::project::{Ref, Rule, Window};
use userflow_process::exit::WrongSetup;

use super::others::{others, seed};
use super::refusals::refused;
use super::sql::{self, LANDED, QUARANTINE, ROWS, Scan};
use super::subject::Subject;
use crate::declared;
use crate::seeds;
use crate::workspace::Workspace;

/// Plans every check over empty tables of the declared columns.
pub async fn plan(workspace: &Workspace, subject: &Subject<'_>) -> Result<()> {
    let declared = declared::tables(workspace, None)?;
    let empty = |name: &str| -> Result<Arc<dyn TableProvider>> {
        let spec = declared.iter().find(|spec| spec.name.to_string() == name);
        let spec = spec.with_context(|| format!("no contract and no model declares {name}"))?;
        Ok(Arc::new(EmptyTable::new(Arc::clone(&spec.schema))))
    };
    let mut tables = vec![(ROWS.to_owned(), empty(subject.name)?)];
    for other in others(subject.checks) {
        let table = match other {
            Ref::Seed(name) => seed(workspace, name)?,
            Ref::Model(name) | Ref::Source(name) => empty(name)?,
        };
        tables.push((seeds::table_name(other), table));
    }
    if let Some(quarantine) = refused(subject)? {
        tables.push((QUARANTINE.to_owned(), empty(quarantine)?));
        tables.push((LANDED.to_owned(), empty(subject.name)?));
    }
    let session = workspace.engine.session(1, tables)?;
    let day = Window::new(Default::default());
    // Most checks share a scan, and planning it once is enough, unless it fails: then each is planned to find the one to blame.
    let scan_is_fine = planned(&session, &Scan::new(subject.checks).counts())
        .await
        .is_ok();
    for check in subject.checks {
        let one = std::slice::from_ref(check);
        let blame = |why: &str| {
            let file = subject
                .yml
                .map_or_else(String::new, |path| path.display().to_string());
            let line = check
                .line
                .map_or_else(String::new, |line| format!(":{line}"));
            WrongSetup(format!("{file}{line}: test {}: {why}", check.label))
        };
        let query = match (&check.rule, sql::queries(check, &[])) {
            (_, Some(queries)) => queries.counts,
            (Rule::WithinMargin { .. }, _) if subject.margin.is_zero() => {
                return Err(blame(
                    "the model has no margin: write config(meta={'margin': '2h'}) into its SQL, or take the test away",
                )
                .into());
            }
            (
                Rule::WithinMargin {
                    of,
                    group_by,
                    order_by,
                },
                _,
            ) => sql::within_margin(check, (of, group_by, order_by), day, subject.margin).counts,
            (Rule::Counts { query, refused, .. }, _) => sql::counts(query, refused.is_some()),
            (Rule::Freshness { column, within }, _) => sql::freshness(check, column, *within, day),
            _ if scan_is_fine => continue,
            _ => Scan::new(one).counts(),
        };
        let counts = planned(&session, &query).await;
        counts.map_err(|error| blame(&error.strip_backtrace()))?;
        if let Rule::Counts {
            sample: Some(sample),
            refused,
            ..
        } = &check.rule
        {
            let query = sql::examples(sample, refused.is_some());
            let sample = planned(&session, &query).await;
            sample.map_err(|error| blame(&format!("sample: {}", error.strip_backtrace())))?;
        }
    }
    Ok(())
}

async fn planned(session: &SessionContext, query: &str) -> Result<(), DataFusionError> {
    session.sql(query).await?.into_optimized_plan().map(drop)
}
