//! Feature views over events in memory: the engine that `sessionize` runs, and the rows as the online store would have them, for `test`
//! and `try`. No Kafka, no store, no clock.
//!
//! All events are in one partition, in the order in which they are given. With one partition a partial is the whole, so rows are asked of
//! the engine as they are for `partition_local: true`. Not covered here: the SQL that merges the partials of several partitions.

mod rows;
mod settings;

use std::sync::Arc;

use anyhow::Result;
use datafusion::arrow::array::RecordBatch;
use userflow_engine::{Dimension, Engine, Events, Observer, Plan};
use userflow_models::cases::Given;
use userflow_models::domain::Domain;
use userflow_models::features::{self, FeatureView, Join};
use userflow_process::exit::WrongSetup;

pub use rows::{Key, ViewRows};
pub use settings::{IDLE_TIMEOUT, MAX_AHEAD, SETTINGS};

use crate::seeds;

/// The views of a domain over one stream of events.
pub struct Stream {
    plan: Arc<Plan>,
    /// What events are joined with, in the order of the plan.
    dimensions: Vec<Arc<Dimension>>,
    engine: Engine,
    /// Number of the event time's column.
    event_time: usize,
    /// The rows of each view, in the order given.
    views: Vec<ViewRows>,
    /// Messages so far.
    offset: i64,
    /// When the last message came.
    arrived: i64,
    /// The watermark after the last event.
    watermark: Option<i64>,
}

/// What an event did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// It came before and changed nothing.
    pub repeat: bool,
    /// Its clock was ahead of Kafka's and counted as if it had come at the limit.
    pub capped: bool,
    /// Views whose last window of it had ended: numbers in the order given.
    pub late: Vec<usize>,
    /// Rows that changed: the number of the view and the key.
    pub changed: Vec<(usize, Key)>,
}

impl Stream {
    /// A stream without events; views find what they join among the rows that are given, and then among the domain's seeds.
    pub fn new(domain: &Domain, views: &[FeatureView], given: &[Given]) -> Result<Self> {
        let contract = &domain.contract;
        let whole: Vec<FeatureView> = views.iter().map(whole).collect();
        let plan = Plan::new(contract, &whole, SETTINGS.lateness).map_err(WrongSetup)?;
        let plan = Arc::new(plan);
        let declared = features::dimensions(domain)?;
        let dimensions = plan.joins().map(|join| dimension(join, &declared, given));
        Ok(Self {
            dimensions: dimensions.collect::<Result<_>>()?,
            engine: Engine::new(Arc::clone(&plan), SETTINGS, 0, 0),
            event_time: (contract.columns().iter())
                .position(|column| column.name == contract.event_time())
                .expect("the event time is a column of its contract"),
            views: whole.iter().map(ViewRows::new).collect(),
            plan,
            offset: 0,
            arrived: i64::MIN,
            watermark: None,
        })
    }

    /// The rows of each view, in the order given.
    pub fn views(&self) -> &[ViewRows] {
        &self.views
    }

    /// Takes row `row` of a decoded batch, which came at `arrived` (microseconds UTC; none: nobody knows, and no clock is ahead of it).
    pub fn event(
        &mut self,
        batch: &RecordBatch,
        row: usize,
        arrived: Option<i64>,
    ) -> Result<Effect> {
        let mut events = Events::new(batch, self.event_time);
        self.plan.join(&mut events, &self.dimensions);
        let ceiling = arrived.map_or(i64::MAX, |time| time.saturating_add(MAX_AHEAD));
        let before = self.engine.counts().clone();
        let mut ended = Ended::default();
        (self.engine).apply(&events, row, self.offset, ceiling, &mut ended);
        self.came(arrived);
        let after = self.engine.counts();
        let late = after.late.iter().zip(&before.late).enumerate();
        Ok(Effect {
            repeat: after.repeats > before.repeats,
            capped: after.future_clocks > before.future_clocks,
            late: late
                .filter(|(_, (after, before))| after > before)
                .map(|(view, _)| view)
                .collect(),
            changed: self.take(ended)?,
        })
    }

    /// A message that is no event came.
    pub fn refused(&mut self, arrived: Option<i64>) {
        self.engine.skip(self.offset);
        self.came(arrived);
    }

    fn came(&mut self, arrived: Option<i64>) {
        self.offset += 1;
        self.arrived = arrived.unwrap_or(self.arrived);
        self.watermark = self.engine.watermark();
    }

    /// It is `now` on the wall clock and nothing came since the last message: event time passes as the wall clock does once the partition
    /// has been silent for the idle timeout. Says which rows changed.
    pub fn idle(&mut self, now: i64) -> Result<Vec<(usize, Key)>> {
        let silent = now.saturating_sub(self.arrived);
        match self.watermark {
            Some(watermark) if silent >= IDLE_TIMEOUT => {
                self.advance(watermark.saturating_add(silent))
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Nothing comes for longer than this (microseconds) after the newest event. Says which rows changed.
    pub fn silence(&mut self, longer_than: i64) -> Result<Vec<(usize, Key)>> {
        let Some(watermark) = self.engine.watermark() else {
            return Ok(Vec::new());
        };
        let newest = watermark.saturating_add(SETTINGS.lateness);
        self.advance(newest.saturating_add(longer_than).saturating_add(1))
    }

    /// No event older than this will come. Says which rows changed.
    pub fn advance(&mut self, time: i64) -> Result<Vec<(usize, Key)>> {
        let mut ended = Ended::default();
        self.engine.advance(time, &mut ended);
        self.take(ended)
    }

    /// Takes the rows that changed and the windows that ended.
    fn take(&mut self, ended: Ended) -> Result<Vec<(usize, Key)>> {
        for (view, end, batch) in ended.0 {
            self.views[view].window(end, &batch)?;
        }
        let mut changed = Vec::new();
        for (number, view) in self.views.iter_mut().enumerate() {
            if self.engine.changed_rows_of(number) > 0 {
                let mut rows = self.plan.rows(number);
                self.engine.take(number, usize::MAX, &mut rows);
                let keys = view.change(&rows.finish())?;
                changed.extend(keys.into_iter().map(|key| (number, key)));
            }
        }
        Ok(changed)
    }
}

/// The rows of a dimension that a view joins.
pub fn dimension(
    join: &Join,
    declared: &[features::Dimension],
    given: &[Given],
) -> Result<Arc<Dimension>> {
    let name = &join.dimension;
    let seed = declared.iter().find(|seed| seed.name == *name);
    let seed = seed.expect("a view joins a seed of its domain");
    let (rows, place) = match given.iter().find(|given| given.dimension == *name) {
        Some(given) => (given.rows.clone(), format!("`dimensions`: {name}")),
        None => {
            if let Some(table) = &seed.table
                && !seed.file.is_file()
            {
                let message = format!(
                    "{}: {name} is the table {table} of PostgreSQL and has no file, which is what is read here: `userflow-jobs pull {name}` \
                     writes it; or a case gives rows, `dimensions: {{{name}: [{{...}}]}}`",
                    seed.yml.display()
                );
                return Err(WrongSetup(message).into());
            }
            let rows = seeds::read(&seed.file, &seed.columns)?;
            (rows, seed.file.display().to_string())
        }
    };
    let wrong = |problem| WrongSetup(format!("{place}: {problem}"));
    let dimension = Dimension::new(join, &rows).map_err(wrong)?;
    Ok(Arc::new(dimension))
}

/// A view as one partition sees it.
pub fn whole(view: &FeatureView) -> FeatureView {
    FeatureView {
        partition_local: true,
        ..view.clone()
    }
}

/// Windows that ended: view, end, rows.
#[derive(Default)]
struct Ended(Vec<(usize, i64, RecordBatch)>);

impl Observer for Ended {
    const WANTED: bool = true;
    fn window_ended(&mut self, view: usize, end: i64, rows: &RecordBatch) {
        self.0.push((view, end, rows.clone()));
    }
}
