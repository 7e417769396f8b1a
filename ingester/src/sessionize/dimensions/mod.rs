//! The dimensions that views join: read at start, looked at while the process runs, and exchanged as a whole when their files change.
//!
//! A file that cannot be read, or says something else than its declaration, takes the place of nothing: the rows of before go on, and log,
//! metric and status page say so. A file is read once two looks have found it the same, so that one that is being written is not.
//!
//! * here: which state is current, and what becomes of another one. `csv`: a file's rows.
//!
//! What a join does to events: `userflow_engine`. What is declared: `userflow_models::features`.

mod csv;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use userflow_engine::{Dimension, Events, Plan};
use userflow_models::features::{self, Join};
use userflow_process::exit::WrongSetup;

use crate::metrics::SessionizeMetrics;

/// What can be seen of a file without reading it.
type Stamp = Option<(SystemTime, u64)>;

/// The dimensions of a plan.
pub(super) struct Dimensions {
    plan: Arc<Plan>,
    sources: Vec<Source>,
    /// In the order of the plan's joins.
    current: RwLock<Vec<Arc<Dimension>>>,
    states: Mutex<Vec<State>>,
    metrics: Arc<SessionizeMetrics>,
}

/// Where the rows of a join come from.
struct Source {
    join: Join,
    declared: features::Dimension,
}

/// What is known of a source.
struct State {
    /// The file at the last look.
    seen: Stamp,
    /// The file when it was read last.
    read: Stamp,
    /// When the current rows were read, microseconds since 1970.
    since: i64,
    problem: Option<String>,
}

/// What people see of a dimension.
pub(super) struct Shown {
    pub(super) name: String,
    pub(super) file: PathBuf,
    pub(super) rows: usize,
    /// Microseconds since 1970.
    pub(super) since: i64,
    pub(super) problem: Option<String>,
}

impl Dimensions {
    /// Reads the dimensions that a plan joins.
    pub(super) fn load(
        plan: Arc<Plan>,
        declared: &[features::Dimension],
        metrics: Arc<SessionizeMetrics>,
    ) -> Result<Self> {
        let (mut sources, mut current, mut states) = (Vec::new(), Vec::new(), Vec::new());
        for join in plan.joins() {
            let found = declared.iter().find(|known| known.name == join.dimension);
            let source = Source {
                join: join.clone(),
                declared: found
                    .expect("a view joins what the domain declares")
                    .clone(),
            };
            let read = stamp(&source.declared.file);
            let rows = source.read().map_err(WrongSetup)?;
            let name = &source.declared.name;
            tracing::info!(dimension = name, rows = rows.len(), "read");
            metrics.dimension_rows(name, rows.len());
            metrics.dimension_misses.with_label_values(&[name]);
            for outcome in ["done", "failed"] {
                let labels = [name.as_str(), outcome];
                metrics.dimension_reloads.with_label_values(&labels);
            }
            current.push(Arc::new(rows));
            states.push(State {
                seen: read,
                read,
                since: now(),
                problem: None,
            });
            sources.push(source);
        }
        Ok(Self {
            plan,
            sources,
            current: RwLock::new(current),
            states: Mutex::new(states),
            metrics,
        })
    }

    /// Whether there is anything to look at.
    pub(super) fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Gives events the columns of the current rows.
    pub(super) fn join(&self, events: &mut Events) {
        if self.is_empty() {
            return;
        }
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let current = current.clone();
        let missed = self.plan.join(events, &current);
        for (source, missed) in self.sources.iter().zip(missed) {
            let name = &source.declared.name;
            let misses = &self.metrics.dimension_misses;
            misses.with_label_values(&[name]).inc_by(missed);
        }
    }

    /// Looks at the files again and again, without end.
    pub(super) async fn watch(self: Arc<Self>, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            let this = Arc::clone(&self);
            if let Err(e) = tokio::task::spawn_blocking(move || this.look()).await {
                tracing::error!("looking at dimensions: {e}");
            }
        }
    }

    /// Looks at the files, and reads those that have changed since they were read and have not since the last look.
    fn look(&self) {
        for (place, source) in self.sources.iter().enumerate() {
            let found = stamp(&source.declared.file);
            let settled = {
                let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
                let state = &mut states[place];
                let settled = state.seen == found && state.read != found;
                state.seen = found;
                if settled {
                    state.read = found;
                }
                settled
            };
            if settled {
                self.reload(place, source);
            }
        }
    }

    fn reload(&self, place: usize, source: &Source) {
        let name = source.declared.name.as_str();
        let read = source.read();
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut states[place];
        let outcome = match read {
            Ok(rows) => {
                tracing::info!(dimension = name, rows = rows.len(), "read again");
                self.metrics.dimension_rows(name, rows.len());
                let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                current[place] = Arc::new(rows);
                (state.since, state.problem) = (now(), None);
                "done"
            }
            Err(problem) => {
                tracing::error!(dimension = name, "{problem}; the rows of before go on");
                state.problem = Some(problem);
                "failed"
            }
        };
        let reloads = &self.metrics.dimension_reloads;
        reloads.with_label_values(&[name, outcome]).inc();
    }

    /// What people see of them.
    pub(super) fn shown(&self) -> Vec<Shown> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        (self.sources.iter().zip(current.iter()).zip(states.iter()))
            .map(|((source, rows), state)| Shown {
                name: source.declared.name.clone(),
                file: source.declared.file.clone(),
                rows: rows.len(),
                since: state.since,
                problem: state.problem.clone(),
            })
            .collect()
    }
}

impl Source {
    fn read(&self) -> Result<Dimension, String> {
        let shown = self.declared.file.display();
        let rows = csv::read(&self.declared, &self.join)?;
        Dimension::new(&self.join, &rows).map_err(|problem| format!("{shown}: {problem}"))
    }
}

fn stamp(path: &Path) -> Stamp {
    let file = std::fs::metadata(path).ok()?;
    Some((file.modified().ok()?, file.len()))
}

fn now() -> i64 {
    chrono::Utc::now().timestamp_micros()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use userflow_models::contract::Contract;
    use userflow_models::decode::Decoder;
    use userflow_models::project::{Column, ColumnType};

    use super::*;
    use crate::sessionize::fixture::{contract, event, metrics};

    const VIEW: &str = "feature_view: test_v
description: v
entity: user
join: {dimension: people, on: user, take: [team, {points: score}]}
window: lifetime
features:
  team: {last: team}
  sum: {sum: points}
";

    fn declared(file: &Path) -> features::Dimension {
        let column = |name: &str, data_type| Column {
            name: name.into(),
            data_type,
            description: String::new(),
            tests: Vec::new(),
        };
        features::Dimension {
            name: "people".into(),
            file: file.to_owned(),
            columns: vec![
                column("user", ColumnType::String),
                column("team", ColumnType::String),
                column("score", ColumnType::Integer),
            ],
        }
    }

    fn plan(contract: &Contract, declared: &features::Dimension) -> Arc<Plan> {
        let declared = std::slice::from_ref(declared);
        let view = features::parse_with(VIEW, contract, declared).expect("a view");
        Arc::new(Plan::new(contract, &[view], 0).expect("a plan"))
    }

    /// How many of two users are not known.
    fn misses(dimensions: &Dimensions) -> u64 {
        let of = |d: &Dimensions| {
            d.metrics
                .dimension_misses
                .with_label_values(&["people"])
                .get()
        };
        let before = of(dimensions);
        let mut decoder = Decoder::new(&contract());
        for (id, user) in ["ann", "bob"].into_iter().enumerate() {
            let id = i64::try_from(id).expect("few");
            decoder.decode(&event(id, user, 0), -1).expect("an event");
        }
        let mut events = Events::new(&decoder.finish(), 2);
        dimensions.join(&mut events);
        of(dimensions) - before
    }

    #[test]
    fn a_file_that_changes_is_read_again_and_a_broken_one_changes_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("people.csv");
        let write = |text: &str| std::fs::write(&file, text).expect("written");
        let declared = declared(&file);
        let plan = plan(&contract(), &declared);
        let metrics = Arc::new(metrics());
        let load = || {
            let declared = std::slice::from_ref(&declared);
            Dimensions::load(Arc::clone(&plan), declared, Arc::clone(&metrics))
        };
        // At start there is nothing of before that could go on.
        let refused = |text: Option<&str>| {
            if let Some(text) = text {
                write(text);
            }
            let error = load().err().expect("refused");
            assert_eq!(userflow_process::exit::code_of(&error, &[]), 2);
            error.to_string()
        };
        assert!(refused(None).contains("people.csv"));
        assert!(refused(Some("user,team,score\nann,x,many\n")).contains("people.csv:2: `many`"));
        assert!(refused(Some("user,team\nann,x\n")).contains("people.csv:1: no column `score`"));
        assert!(
            refused(Some("user,team,score\nann,x,1\nann,y,2\n"))
                .contains("two rows have user `ann`")
        );

        write("user,team,score\nann,x,1\n");
        let dimensions = load().expect("a dimension");
        assert_eq!(misses(&dimensions), 1);
        write("user,team,score\nann,x,1\nbob,y,\n");
        dimensions.look();
        assert_eq!(misses(&dimensions), 1, "it may still be written");
        dimensions.look();
        assert_eq!(misses(&dimensions), 0);
        let reloads = |outcome| {
            let labels = ["people", outcome];
            metrics.dimension_reloads.with_label_values(&labels).get()
        };
        assert_eq!((reloads("done"), reloads("failed")), (1, 0));

        for broken in ["user,team,score\nann\n", ""] {
            write(broken);
            dimensions.look();
            dimensions.look();
            assert_eq!(misses(&dimensions), 0, "the rows of before go on");
            let shown = dimensions.shown();
            assert!(
                shown[0]
                    .problem
                    .as_ref()
                    .is_some_and(|said| said.contains("people.csv"))
            );
            assert_eq!(shown[0].rows, 2);
        }
        std::fs::remove_file(&file).expect("removed");
        dimensions.look();
        dimensions.look();
        assert_eq!(misses(&dimensions), 0);
        assert_eq!((reloads("done"), reloads("failed")), (1, 3));

        write("user,team,score\nbob,y,7\n");
        dimensions.look();
        dimensions.look();
        dimensions.look();
        assert_eq!(misses(&dimensions), 1);
        assert!(dimensions.shown()[0].problem.is_none());
        assert_eq!((reloads("done"), reloads("failed")), (2, 3));
    }
}
