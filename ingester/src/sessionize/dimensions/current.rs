//! Which rows of dimensions are current, and what becomes of others.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use arrow::array::RecordBatch;
use userflow_engine::{Dimension, Events, Plan};
use userflow_models::features::{self, Join, TableQuery, typed};
use userflow_process::postgres_table::Limits;

use crate::metrics::SessionizeMetrics;

/// The dimensions of a plan.
pub(in super::super) struct Dimensions {
    plan: Arc<Plan>,
    pub(super) sources: Vec<Source>,
    pub(super) limits: Limits,
    /// In the order of the plan's joins.
    current: RwLock<Vec<Arc<Dimension>>>,
    /// In the order of the sources.
    states: Mutex<Vec<State>>,
    metrics: Arc<SessionizeMetrics>,
}

/// Where the rows of a dimension come from, and who needs them.
pub(super) struct Source {
    pub(super) declared: features::Dimension,
    /// The joins that take something from it, with their places in the plan: they get rows of one reading.
    pub(super) joins: Vec<(usize, Join)>,
    /// None: the rows are in a file.
    pub(super) query: Option<TableQuery>,
}

/// What is known of a source.
#[derive(Default)]
struct State {
    rows: usize,
    /// When the current rows were read, microseconds since 1970.
    since: i64,
    problem: Option<String>,
}

/// What people see of a dimension.
pub(in super::super) struct Shown {
    pub(in super::super) name: String,
    /// Its file or table.
    pub(in super::super) place: String,
    pub(in super::super) rows: usize,
    /// Microseconds since 1970.
    pub(in super::super) since: i64,
    pub(in super::super) problem: Option<String>,
}

impl Dimensions {
    /// The dimensions that a plan joins, without rows: `Files` and `InPostgres` read them.
    pub(in super::super) fn without_rows(
        plan: Arc<Plan>,
        declared: &[features::Dimension],
        limits: Limits,
        metrics: Arc<SessionizeMetrics>,
    ) -> Self {
        let mut sources: Vec<Source> = Vec::new();
        for (place, join) in plan.joins().enumerate() {
            let joins = vec![(place, join.clone())];
            match sources
                .iter_mut()
                .find(|known| known.declared.name == join.dimension)
            {
                Some(known) => known.joins.extend(joins),
                None => {
                    let found = declared.iter().find(|known| known.name == join.dimension);
                    let declared = found.expect("a view joins what the domain declares");
                    sources.push(Source {
                        declared: declared.clone(),
                        joins,
                        query: None,
                    });
                }
            }
        }
        for source in &mut sources {
            source.query = source.declared.query(|column| source.needs(column));
            let name = &source.declared.name;
            metrics.dimension_misses.with_label_values(&[name]);
            for outcome in ["done", "failed"] {
                let labels = [name.as_str(), outcome];
                metrics.dimension_reloads.with_label_values(&labels);
            }
        }
        let dimensions = Self {
            current: RwLock::new(Vec::new()),
            states: Mutex::new(sources.iter().map(|_| State::default()).collect()),
            plan,
            sources,
            limits,
            metrics,
        };
        let without_rows = |join: &Join| {
            let source = dimensions
                .sources
                .iter()
                .find(|source| source.declared.name == join.dimension);
            source.expect("every join has a source").without_rows(join)
        };
        let current = dimensions.plan.joins().map(without_rows).collect();
        *dimensions
            .current
            .write()
            .unwrap_or_else(PoisonError::into_inner) = current;
        dimensions
    }

    /// Whether there is anything to look at.
    pub(in super::super) fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Whether any is in PostgreSQL.
    pub(in super::super) fn has_tables(&self) -> bool {
        self.sources.iter().any(|source| source.query.is_some())
    }

    /// Gives events the columns of the current rows.
    pub(in super::super) fn join(&self, events: &mut Events) {
        if self.is_empty() {
            return;
        }
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let current = current.clone();
        let missed = self.plan.join(events, &current);
        for (join, missed) in self.plan.joins().zip(missed) {
            let misses = &self.metrics.dimension_misses;
            misses.with_label_values(&[&join.dimension]).inc_by(missed);
        }
    }

    /// What people see of them.
    pub(in super::super) fn shown(&self) -> Vec<Shown> {
        (self.sources.iter().zip(self.states().iter()))
            .map(|(source, state)| Shown {
                name: source.declared.name.clone(),
                place: source.place(),
                rows: state.rows,
                since: state.since,
                problem: state.problem.clone(),
            })
            .collect()
    }

    fn states(&self) -> MutexGuard<'_, Vec<State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts rows in the place of those of before, for all joins at once; or says what is wrong with them.
    pub(super) fn exchange(&self, number: usize, rows: &RecordBatch) -> Result<(), String> {
        let source = &self.sources[number];
        let (name, place) = (source.declared.name.as_str(), source.place());
        let joined = source.joins.iter().map(|(place, join)| {
            let rows = Dimension::new(join, rows)?;
            Ok((*place, Arc::new(rows)))
        });
        let joined: Result<Vec<_>, String> = joined.collect();
        let joined = joined.map_err(|problem| format!("{place}: {problem}"))?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        for (place, rows) in joined {
            current[place] = rows;
        }
        let count = rows.num_rows();
        let state = &mut self.states()[number];
        (state.rows, state.since) = (count, now());
        self.metrics.dimension_rows(name, count);
        tracing::info!(dimension = name, rows = count, "read from {place}");
        Ok(())
    }

    /// Whether the last reading was refused.
    pub(super) fn has_problem(&self, number: usize) -> bool {
        self.states()[number].problem.is_some()
    }

    /// Notes that the current rows are those of the source.
    pub(super) fn is_current(&self, number: usize) {
        self.states()[number].problem = None;
        self.metrics
            .dimension_is_current(&self.sources[number].declared.name);
    }

    /// Notes and counts what became of a reading while the process runs. A problem that goes on is said once.
    pub(super) fn note(&self, number: usize, outcome: &Result<(), String>) {
        let name = self.sources[number].declared.name.as_str();
        let word = match outcome {
            Ok(()) => {
                self.is_current(number);
                "done"
            }
            Err(problem) => {
                let known = &mut self.states()[number].problem;
                if known.as_ref() != Some(problem) {
                    tracing::error!(dimension = name, "{problem}; the rows of before go on");
                    *known = Some(problem.clone());
                }
                "failed"
            }
        };
        let reloads = &self.metrics.dimension_reloads;
        reloads.with_label_values(&[name, word]).inc();
    }
}

impl Source {
    pub(super) fn needs(&self, column: &str) -> bool {
        self.joins.iter().any(|(_, join)| {
            column == join.on || join.take.iter().any(|taken| taken.column == column)
        })
    }

    fn without_rows(&self, join: &Join) -> Arc<Dimension> {
        let columns: Vec<_> = (self.declared.columns.iter())
            .filter(|column| self.needs(&column.name))
            .collect();
        let nothing = columns.iter().map(|_| Vec::new()).collect();
        let rows = typed(&columns, nothing).expect("no cell is wrong");
        Arc::new(Dimension::new(join, &rows).expect("a join takes what is declared"))
    }

    /// Where its rows are, for people.
    fn place(&self) -> String {
        match &self.query {
            None => self.declared.file.display().to_string(),
            Some(query) => query.table().to_string(),
        }
    }
}

fn now() -> i64 {
    chrono::Utc::now().timestamp_micros()
}
