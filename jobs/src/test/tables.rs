//! The tables of a case: bronze as the events made it, and models computed over it when somebody asks, dates that they read first.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Date32Type, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use datafusion::physical_plan::collect;
use userflow_models::cases::Given;
use userflow_models::contract::PARTITION;
use userflow_models::project::{Model, Ref, Vars, Window};
use userflow_process::exit::WrongSetup;

use super::bench::Bench;
use crate::plan::dates_read;
use crate::run::{Query, check_dates};
use crate::seeds;

/// A run: the model's name, its date, and as of when open questions are judged.
type Run = (String, i32, Option<i64>);

/// The tables of one case.
pub(super) struct Tables<'b> {
    bench: &'b Bench,
    /// Rows of seeds that stand for those of their files.
    given: &'b [Given],
    events: Vec<RecordBatch>,
    quarantine: Vec<RecordBatch>,
    /// Dates of the events.
    dates: BTreeSet<i32>,
    /// What was computed since the last event.
    computed: HashMap<Run, Vec<RecordBatch>>,
}

impl<'b> Tables<'b> {
    pub(super) fn new(bench: &'b Bench, given: &'b [Given]) -> Self {
        Self {
            bench,
            given,
            events: Vec::new(),
            quarantine: Vec::new(),
            dates: BTreeSet::new(),
            computed: HashMap::new(),
        }
    }

    /// Adds rows of the events table.
    pub(super) fn add(&mut self, rows: RecordBatch) {
        let dates = rows.column_by_name(PARTITION);
        let dates = dates.map(|column| column.as_primitive::<Date32Type>().iter().flatten());
        self.dates.extend(dates.into_iter().flatten());
        self.events.push(rows);
        self.computed.clear();
    }

    /// Adds a row of the quarantine table.
    pub(super) fn refuse(&mut self, row: RecordBatch) {
        self.quarantine.push(row);
        self.computed.clear();
    }

    /// Dates of the events so far, in days since 1970.
    pub(super) fn dates(&self) -> &BTreeSet<i32> {
        &self.dates
    }

    /// The events so far.
    pub(super) fn events(&self) -> &[RecordBatch] {
        &self.events
    }

    /// What a run of the model for a date gives, after the runs that it reads. Dates before the first event's are empty in every table.
    pub(super) async fn rows(
        &mut self,
        model: &Model,
        date: i32,
        as_of: Option<i64>,
    ) -> Result<&[RecordBatch]> {
        let run = |model: &Model, date| (model.name.clone(), date, as_of);
        let first = self.dates.first().copied().unwrap_or(date);
        let mut needed: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
        needed.entry(&model.name).or_default().insert(date);
        let bench = self.bench;
        let models = bench.project.models();
        for child in models.iter().rev() {
            let Some(dates) = needed.get(child.name.as_str()).cloned() else {
                continue;
            };
            for input in &child.refs {
                let Ref::Model(name) = input else { continue };
                let read = dates.iter().filter_map(|day| Window::from_days(*day));
                let read = read.flat_map(|window| dates_read(child, input, window));
                let read = read.filter(|day| *day >= first);
                needed.entry(name).or_default().extend(read);
            }
        }
        for model in models {
            for date in needed.remove(model.name.as_str()).into_iter().flatten() {
                if !self.computed.contains_key(&run(model, date)) {
                    let rows = self.compute(model, date, as_of).await?;
                    self.computed.insert(run(model, date), rows);
                }
            }
        }
        let computed = self.computed.get(&run(model, date));
        Ok(computed.expect("a model is among the models that it needs"))
    }

    async fn compute(
        &self,
        model: &Model,
        date: i32,
        as_of: Option<i64>,
    ) -> Result<Vec<RecordBatch>> {
        let window = Window::from_days(date).context("the date is in no calendar")?;
        let mut vars = Vars::of(window, &model.config);
        vars.as_of = as_of
            .and_then(DateTime::<Utc>::from_timestamp_micros)
            .unwrap_or(vars.as_of);
        let bench = self.bench;
        let mut tables: Vec<(String, Arc<dyn TableProvider>)> = Vec::new();
        for input in &model.refs {
            let table = match input {
                Ref::Seed(name) => {
                    let given = self.given.iter().find(|given| given.dimension == *name);
                    let name = seeds::sql_name(name);
                    let seed = match given {
                        Some(given) => table(&given.rows.schema(), vec![given.rows.clone()])?,
                        None => {
                            let read = bench.seeds.get(&name);
                            Arc::clone(read.context("a seed was not read")?)
                        }
                    };
                    tables.push((name, seed));
                    continue;
                }
                Ref::Source(name) if *name == bench.events.name => {
                    table(&bench.events.schema, self.events.clone())?
                }
                Ref::Source(name) if *name == bench.quarantine.name => {
                    table(&bench.quarantine.schema, self.quarantine.clone())?
                }
                Ref::Source(name) => {
                    return Err(WrongSetup(format!(
                        "{}: a case has no events of {name}, which is of another domain",
                        model.path.display()
                    ))
                    .into());
                }
                Ref::Model(name) => {
                    let parent = bench.project.model(name)?;
                    let parts = self.computed.iter();
                    let parts = parts.filter(|((of, _, judged), _)| of == name && *judged == as_of);
                    let rows = parts.flat_map(|(_, rows)| rows.iter().cloned());
                    table(&parent.schema(), rows.collect())?
                }
            };
            tables.push((input.name().to_owned(), table));
        }
        let query = Query::over(&bench.engine, &bench.project, model, &vars, tables).await?;
        let rows = collect(query.plan, query.session.task_ctx())
            .await
            .with_context(|| format!("run {} for {window}", model.name))?;
        for batch in &rows {
            check_dates(batch, model, window)?;
        }
        Ok(rows)
    }
}

fn table(schema: &SchemaRef, rows: Vec<RecordBatch>) -> Result<Arc<dyn TableProvider>> {
    Ok(Arc::new(MemTable::try_new(Arc::clone(schema), vec![rows])?))
}
