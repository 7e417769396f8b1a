//! The query of one run: the model's SQL over pinned versions of its inputs, checked against what the `.yml` promises.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::common::{Column, DFSchema, DataFusionError};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::empty::EmptyTable;
use datafusion::logical_expr::{Expr, cast};
use datafusion::physical_plan::{ExecutionPlan, displayable};
use datafusion::prelude::SessionContext;
use userflow_lake::Snapshot;
use userflow_models::project::{ColumnType, Model, PARTITION_COLUMN, Ref, Vars, Window};
use userflow_process::exit::WrongSetup as Wrong;

use crate::engine::Engine;
use crate::scan::{Bounds, SnapshotTable};
use crate::workspace::Workspace;
use crate::{init, plan, seeds};

/// The versions of a model's inputs that one run reads.
pub struct Inputs {
    snapshots: BTreeMap<String, Snapshot>,
}

impl Inputs {
    /// The newest version of every input.
    pub async fn pin(workspace: &Workspace, model: &Model) -> Result<Self> {
        let mut snapshots = BTreeMap::new();
        for input in &model.refs {
            if let Ref::Model(name) | Ref::Source(name) = input {
                snapshots.insert(name.clone(), workspace.snapshot(name).await?);
            }
        }
        Ok(Self { snapshots })
    }

    /// The version of each input, by its SQL name.
    pub fn versions(&self) -> BTreeMap<String, i64> {
        self.snapshots
            .iter()
            .map(|(name, snapshot)| (name.clone(), snapshot.version()))
            .collect()
    }

    fn tables(
        &self,
        workspace: &Workspace,
        model: &Model,
        window: Window,
    ) -> Result<Vec<(String, Arc<dyn TableProvider>)>> {
        let mut tables: Vec<(String, Arc<dyn TableProvider>)> = Vec::new();
        for input in &model.refs {
            if let Some(snapshot) = self.snapshots.get(input.name()) {
                let bounds = Bounds {
                    dates: plan::dates_read(model, input, window),
                    advice: advice(model, input),
                };
                let table = SnapshotTable::new(Engine::lake_url()?, snapshot, Some(bounds));
                tables.push((input.name().to_owned(), Arc::new(table)));
            }
        }
        tables.extend(seed_tables(workspace, model)?);
        Ok(tables)
    }

    /// What to do about an input that was made by an older release or contract and lacks columns: a query that fails for one of them
    /// only says that there is no such column.
    fn lacking(&self, workspace: &Workspace) -> Result<Option<String>> {
        for spec in init::specs(workspace, None)? {
            let name = spec.name.to_string();
            let Some(stored) = self.snapshots.get(&name).map(Snapshot::schema) else {
                continue;
            };
            let fields = spec
                .schema
                .fields()
                .iter()
                .map(|field| field.name().as_str());
            let missing: Vec<&str> = fields
                .filter(|field| stored.field_with_name(field).is_err())
                .collect();
            if !missing.is_empty() {
                let missing = missing.join(", ");
                return Ok(Some(format!(
                    "table {name} was made before {missing} was declared: run `userflow-jobs init`, which adds it"
                )));
            }
        }
        Ok(None)
    }
}

fn advice(model: &Model, input: &Ref) -> String {
    let declared = match input {
        Ref::Source(_) => format!(
            "more than the margin of {} s around the window",
            model.config.margin.as_secs()
        ),
        _ => format!(
            "more than the window and its lookback of {} days",
            model.config.lookback_days
        ),
    };
    format!(
        "{declared}: filter on the bare column {PARTITION_COLUMN} where the table is read, or declare more in config(meta=...)"
    )
}

/// Plans the model over empty tables of the declared columns: finds what is wrong with its SQL without a lake.
pub async fn check(workspace: &Workspace, model: &Model, window: Window) -> Result<()> {
    let mut tables: Vec<(String, Arc<dyn TableProvider>)> = Vec::new();
    let declared = init::specs(workspace, None)?;
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
    let sql = workspace
        .project
        .render(model, &Vars::of(window, &model.config), &table_name)?;
    plan_sql(workspace, model, &sql, tables, 1).await.map(drop)
}

fn seed_tables(
    workspace: &Workspace,
    model: &Model,
) -> Result<Vec<(String, Arc<dyn TableProvider>)>> {
    let used = |name: &str| {
        model
            .refs
            .iter()
            .any(|input| matches!(input, Ref::Seed(seed) if seed == name))
    };
    let seeds = workspace
        .project
        .seeds()
        .iter()
        .filter(|seed| used(&seed.name));
    seeds
        .map(|seed| Ok((seeds::sql_name(&seed.name), seeds::table(seed)?)))
        .collect()
}

/// What to write in the SQL for a ref: the same name in every session, in DuckDB and in Trino, but for the seeds' schema.
pub fn table_name(input: &Ref) -> String {
    match input {
        Ref::Seed(name) => seeds::sql_name(name),
        Ref::Model(name) | Ref::Source(name) => name.clone(),
    }
}

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
        let sql = workspace.project.render(model, vars, &table_name)?;
        let tables = inputs.tables(workspace, model, window)?;
        match plan_sql(workspace, model, &sql, tables, parallelism).await {
            Ok(query) => Ok(query),
            Err(error) => Err(match inputs.lacking(workspace)? {
                Some(advice) => Wrong(format!("{advice} ({error:#})")).into(),
                None => error,
            }),
        }
    }
}

async fn plan_sql(
    workspace: &Workspace,
    model: &Model,
    sql: &str,
    tables: Vec<(String, Arc<dyn TableProvider>)>,
    parallelism: usize,
) -> Result<Query> {
    let session = workspace.engine.session(parallelism, tables)?;
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
fn sql_is_wrong(path: &Path, error: &DataFusionError) -> Wrong {
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
        Some(line) => Wrong(format!("{}:{line}: {text}", path.display())),
        None => Wrong(format!("{}: {text}", path.display())),
    }
}

/// Projects to the declared columns in their order and types, sorted by the key, so that equal content is equal files.
fn shape(frame: DataFrame, model: &Model) -> Result<DataFrame> {
    let returned = frame.schema().clone();
    check_names(&returned, model)?;
    let mut columns = Vec::with_capacity(model.columns.len());
    for column in &model.columns {
        let (qualifier, field) = returned.qualified_field_with_unqualified_name(&column.name)?;
        let reference = Expr::Column(Column::from((qualifier, field)));
        let converted = convert(reference, field.data_type(), column.data_type).ok_or_else(|| {
            Wrong(format!(
                "{}: column {} is {} and {} declares {}: cast it in the SQL or correct the data_type",
                model.path.display(),
                column.name,
                field.data_type(),
                model.yml.display(),
                column.data_type
            ))
        })?;
        columns.push(converted.alias(&column.name));
    }
    let key = model
        .key()
        .into_iter()
        .map(|name| Expr::Column(Column::from_name(name)).sort(true, true));
    let shaped = frame
        .select(columns)
        .and_then(|frame| frame.sort(key.collect()));
    shaped.with_context(|| format!("shape the result of {}", model.name))
}

fn check_names(returned: &DFSchema, model: &Model) -> Result<()> {
    let declared = |name: &str| model.columns.iter().any(|column| column.name == name);
    let missing: Vec<&str> = model
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .filter(|name| returned.fields().iter().all(|field| field.name() != name))
        .collect();
    let undeclared: Vec<&str> = returned
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .filter(|name| !declared(name))
        .collect();
    if missing.is_empty() && undeclared.is_empty() {
        return Ok(());
    }
    let mut problems = Vec::new();
    if !missing.is_empty() {
        let yml = model.yml.display();
        problems.push(format!(
            "does not return {}, declared in {yml}",
            missing.join(", ")
        ));
    }
    if !undeclared.is_empty() {
        let yml = model.yml.display();
        problems.push(format!(
            "returns {}, not declared in {yml}",
            undeclared.join(", ")
        ));
    }
    Err(Wrong(format!("{}: {}", model.path.display(), problems.join("; "))).into())
}

/// The value in its declared type, where that loses nothing but trailing digits of a decimal; `None` where it would guess.
fn convert(value: Expr, from: &DataType, to: ColumnType) -> Option<Expr> {
    use ColumnType as To;
    let wanted = to.arrow();
    if *from == wanted {
        return Some(value);
    }
    let text = matches!(
        from,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    );
    let fits = match to {
        // Not as a view: every batch would count all the text that it and its neighbours point into, and the sort would spill it.
        To::String if text => true,
        _ if from.is_null() => true,
        To::Bigint | To::Integer => from.is_integer(),
        To::Double => from.is_numeric(),
        To::Decimal(..) => {
            from.is_integer() || matches!(from, DataType::Decimal128(..) | DataType::Decimal256(..))
        }
        To::Timestamp => matches!(from, DataType::Timestamp(..)),
        To::String | To::Boolean | To::Date => false,
    };
    fits.then(|| cast(value, wanted))
}
