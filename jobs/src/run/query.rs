//! The query of one run: the model's SQL over pinned versions of its inputs, checked against what the `.yml` promises.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use datafusion::catalog::TableProvider;
use datafusion::common::DataFusionError;
use datafusion::datasource::empty::EmptyTable;
use datafusion::physical_plan::{ExecutionPlan, displayable};
use datafusion::prelude::SessionContext;
use userflow_models::project::{Model, Project, Vars, Window};
use userflow_process::exit::WrongSetup;

use super::inputs::{Inputs, seed_tables};
use super::shape::shape;
use crate::engine::Engine;
use crate::workspace::Workspace;
use crate::{declared, seeds};

/// A query that is planned and yields exactly the model's columns, sorted.
pub struct Query {
    /// The session that it runs in.
    pub session: SessionContext,
    /// What runs.
    pub plan: Arc<dyn ExecutionPlan>,
    /// The result as a table, for questions about it: each runs the query again.
    pub view: Arc<dyn TableProvider>,
}

impl Query {
    /// Plans the model's run. Whatever is wrong with the SQL is found here and named with its file and line.
    pub async fn plan(
        workspace: &Workspace,
        model: &Model,
        window: Window,
        vars: &Vars,
        inputs: &Inputs,
        parallelism: usize,
    ) -> Result<Self> {
        let sql = workspace.project.render(model, vars, &seeds::table_name)?;
        let tables = inputs.tables(workspace, model, window)?;
        match plan_sql(&workspace.engine, model, &sql, tables, parallelism).await {
            Ok(query) => Ok(query),
            Err(error) => Err(match inputs.lacking(workspace)? {
                Some(advice) => WrongSetup(format!("{advice} ({error:#})")).into(),
                None => error,
            }),
        }
    }

    /// Plans the model over tables that are given, with one thread: for small tables in memory.
    pub async fn over(
        engine: &Engine,
        project: &Project,
        model: &Model,
        vars: &Vars,
        tables: Vec<(String, Arc<dyn TableProvider>)>,
    ) -> Result<Self> {
        let sql = project.render(model, vars, &seeds::table_name)?;
        plan_sql(engine, model, &sql, tables, 1).await
    }
}

/// Plans the model over empty tables of the declared columns: finds what is wrong with its SQL without a lake.
pub async fn check(workspace: &Workspace, model: &Model, window: Window) -> Result<()> {
    let mut tables: Vec<(String, Arc<dyn TableProvider>)> = Vec::new();
    let declared = declared::tables(workspace, None)?;
    for input in &model.refs {
        if let Some(spec) = declared
            .iter()
            .find(|spec| spec.name.to_string() == input.name())
        {
            tables.push((
                input.name().to_owned(),
                Arc::new(EmptyTable::new(Arc::clone(&spec.schema))),
            ));
        }
    }
    tables.extend(seed_tables(workspace, model)?);
    let sql =
        workspace
            .project
            .render(model, &Vars::of(window, &model.config), &seeds::table_name)?;
    plan_sql(&workspace.engine, model, &sql, tables, 1)
        .await
        .map(drop)
}

async fn plan_sql(
    engine: &Engine,
    model: &Model,
    sql: &str,
    tables: Vec<(String, Arc<dyn TableProvider>)>,
    parallelism: usize,
) -> Result<Query> {
    let session = engine.session(parallelism, tables)?;
    let wrong = |error: DataFusionError| sql_is_wrong(&model.path, &error);
    let frame = session.sql(sql).await.map_err(wrong)?;
    let frame = shape(frame, model)?;
    let view = frame.clone().into_view();
    let plan = frame.create_physical_plan().await.map_err(wrong)?;
    tracing::debug!(
        model = model.name,
        "{}",
        displayable(plan.as_ref())
            .set_show_statistics(true)
            .indent(false)
    );
    Ok(Query {
        session,
        plan,
        view,
    })
}

/// Names the file and, where DataFusion knows it, the line; rendering keeps lines, so it is the line in the file.
fn sql_is_wrong(path: &Path, error: &DataFusionError) -> WrongSetup {
    let text = error.strip_backtrace();
    let spanned = error
        .diagnostic()
        .and_then(|diagnostic| diagnostic.span)
        .map(|span| span.start.line);
    let parsed = || {
        let after = text.split_once("Line: ")?.1;
        after
            .split(|next: char| !next.is_ascii_digit())
            .next()?
            .parse()
            .ok()
    };
    match spanned.or_else(parsed) {
        Some(line) => WrongSetup(format!("{}:{line}: {text}", path.display())),
        None => WrongSetup(format!("{}: {text}", path.display())),
    }
}
