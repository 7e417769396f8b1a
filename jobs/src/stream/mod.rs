//! Feature views over events in memory: the engine that `sessionize` runs, and the rows as the online store would have them, for `test`
//! and `try`. No Kafka, no store, no clock.
//!
//! ```text
//! events ─▶ partition (engine, its time) ┬▶ rows (as readers see them)
//!                                        └▶ partials (a row per partition) ─▶ the merging query ─▶ rows
//! ```
//!
//! Events come in the order in which they are given. In one partition a partial is the whole, so rows are asked of the engine as they are
//! for `partition_local: true`, and nothing is merged; events that are spread over partitions are merged when somebody reads.

mod partials;
mod partition;
mod rows;
mod settings;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use anyhow::Result;
use datafusion::arrow::array::RecordBatch;
use userflow_engine::{Dimension, Events, Plan};
use userflow_models::cases::Given;
use userflow_models::domain::Domain;
use userflow_models::features::{self, FeatureView, Join};
use userflow_process::exit::WrongSetup;

use partials::Partials;
use partition::{Ended, Partition};
pub use rows::{Key, ViewRows};
pub use settings::{IDLE_TIMEOUT, MAX_AHEAD, SETTINGS};

use crate::engine::Engine;
use crate::seeds;

/// The views of a domain over one stream of events.
pub struct Stream {
    plan: Arc<Plan>,
    /// What events are joined with, in the order of the plan.
    dimensions: Vec<Arc<Dimension>>,
    /// By number.
    partitions: BTreeMap<i32, Partition>,
    /// Number of the event time's column.
    event_time: usize,
    /// The rows of each view as readers see them, in the order given.
    views: Vec<ViewRows>,
    /// What is merged into them; none: the rows of a view are those of its partition.
    partials: Vec<Option<Partials>>,
    /// Whether events may be in several partitions.
    spread: bool,
    /// The partition of each entity of the views whose entities are local to one, where events may be in several.
    homes: BTreeMap<(usize, Key), i32>,
}

/// What a message did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// Events that came before and changed nothing.
    pub repeats: u64,
    /// Events whose clock was ahead of Kafka's and that counted as if they had come at the limit.
    pub capped: u64,
    /// Views whose last window of an event had ended: numbers in the order given.
    pub late: Vec<usize>,
    /// Rows that changed: the number of the view and the key.
    pub changed: Vec<(usize, Key)>,
    /// Rows of views that are local to a partition which another partition has too: the number of the view, the key, the other partition.
    pub strays: Vec<(usize, Key, i32)>,
}

impl Stream {
    /// A stream without events, all of one partition; views find what they join among the rows that are given, and then among the
    /// domain's seeds.
    pub fn new(domain: &Domain, views: &[FeatureView], given: &[Given]) -> Result<Self> {
        let whole: Vec<FeatureView> = views.iter().map(whole).collect();
        Self::of(domain, &whole, &whole, given)
    }

    /// The same for events that are spread over partitions: readers see partials merged, once [`Self::merge`] has run.
    pub fn spread(domain: &Domain, views: &[FeatureView], given: &[Given]) -> Result<Self> {
        let whole: Vec<FeatureView> = views.iter().map(whole).collect();
        Ok(Self {
            spread: true,
            ..Self::of(domain, views, &whole, given)?
        })
    }

    /// `kept` says what the engine's rows are, `shown` what readers see.
    fn of(
        domain: &Domain,
        kept: &[FeatureView],
        shown: &[FeatureView],
        given: &[Given],
    ) -> Result<Self> {
        let contract = &domain.contract;
        let plan = Plan::new(contract, kept, SETTINGS.lateness).map_err(WrongSetup)?;
        let plan = Arc::new(plan);
        let declared = features::dimensions(domain)?;
        let dimensions = plan.joins().map(|join| dimension(join, &declared, given));
        let mut views = Vec::new();
        let mut partials = Vec::new();
        for (kept, shown) in kept.iter().zip(shown) {
            let rows = match kept.partition_local {
                true => ViewRows::new(shown),
                false => ViewRows::as_shown(shown),
            };
            partials.push((!kept.partition_local).then(|| Partials::new(kept, &rows)));
            views.push(rows);
        }
        Ok(Self {
            dimensions: dimensions.collect::<Result<_>>()?,
            partitions: BTreeMap::new(),
            event_time: (contract.columns().iter())
                .position(|column| column.name == contract.event_time())
                .expect("the event time is a column of its contract"),
            views,
            partials,
            spread: false,
            homes: BTreeMap::new(),
            plan,
        })
    }

    /// The rows of each view, in the order given; merged ones as of the last [`Self::merge`].
    pub fn views(&self) -> &[ViewRows] {
        &self.views
    }

    /// Takes a message with these rows of a decoded batch, which came at `arrived` (microseconds UTC; none: nobody knows, and no clock is
    /// ahead of it).
    pub fn message(
        &mut self,
        partition: i32,
        batch: &RecordBatch,
        rows: Range<usize>,
        arrived: Option<i64>,
    ) -> Result<Effect> {
        let mut events = Events::new(batch, self.event_time);
        self.plan.join(&mut events, &self.dimensions);
        let mut ended = Ended::default();
        let of = self.partition(partition);
        let before = of.message(&events, rows, arrived, &mut ended);
        let after = of.engine.counts().clone();
        let late = after.late.iter().zip(&before.late).enumerate();
        let changed = self.take(partition, ended)?;
        Ok(Effect {
            repeats: after.repeats - before.repeats,
            capped: after.future_clocks - before.future_clocks,
            late: late
                .filter(|(_, (after, before))| after > before)
                .map(|(view, _)| view)
                .collect(),
            strays: self.strays(partition, &changed),
            changed,
        })
    }

    /// A message that is no event came.
    pub fn refused(&mut self, partition: i32, arrived: Option<i64>) {
        self.partition(partition).refused(arrived);
    }

    fn partition(&mut self, number: i32) -> &mut Partition {
        let new = || Partition::new(&self.plan, number);
        self.partitions.entry(number).or_insert_with(new)
    }

    /// It is `now` on the wall clock and nothing came since the last message: in each partition event time passes as the wall clock does
    /// once it has been silent for the idle timeout.
    pub fn idle(&mut self, now: i64) -> Result<()> {
        self.pass(|partition| partition.idle(now)).map(drop)
    }

    /// Nothing comes for longer than this (microseconds) after the newest event of each partition. Says which rows changed.
    pub fn silence(&mut self, longer_than: i64) -> Result<Vec<(usize, Key)>> {
        self.pass(|partition| partition.silence(longer_than))
    }

    /// No event older than this will come.
    pub fn advance(&mut self, time: i64) -> Result<()> {
        self.pass(|_| Some(time)).map(drop)
    }

    fn pass(&mut self, to: impl Fn(&Partition) -> Option<i64>) -> Result<Vec<(usize, Key)>> {
        let mut changed = Vec::new();
        let numbers: Vec<i32> = self.partitions.keys().copied().collect();
        for number in numbers {
            let partition = self.partition(number);
            let Some(time) = to(partition) else { continue };
            let mut ended = Ended::default();
            partition.engine.advance(time, &mut ended);
            changed.extend(self.take(number, ended)?);
        }
        Ok(changed)
    }

    /// Takes a partition's rows that changed and its windows that ended.
    fn take(&mut self, partition: i32, ended: Ended) -> Result<Vec<(usize, Key)>> {
        for (view, end, batch) in ended.0 {
            match &mut self.partials[view] {
                None => self.views[view].window(end, &batch)?,
                Some(partials) => partials.window(partition, end, &batch)?,
            }
        }
        let of = self.partitions.get_mut(&partition);
        let engine = &mut of.expect("rows are of a partition that has events").engine;
        let mut changed = Vec::new();
        for (number, view) in self.views.iter_mut().enumerate() {
            if engine.changed_rows_of(number) > 0 {
                let mut rows = self.plan.rows(number);
                engine.take(number, usize::MAX, &mut rows);
                let rows = rows.finish();
                let keys = match &mut self.partials[number] {
                    None => view.change(&rows)?,
                    Some(partials) => partials.change(partition, &rows)?,
                };
                changed.extend(keys.into_iter().map(|key| (number, key)));
            }
        }
        Ok(changed)
    }

    /// Which of these rows another partition has too, although the view says that none has.
    fn strays(&mut self, partition: i32, changed: &[(usize, Key)]) -> Vec<(usize, Key, i32)> {
        let mut strays = Vec::new();
        for (view, key) in changed {
            if !self.spread || self.partials[*view].is_some() {
                continue;
            }
            let home = self.homes.entry((*view, key.clone()));
            let home = *home.or_insert(partition);
            if home != partition {
                strays.push((*view, key.clone(), home));
            }
        }
        strays
    }

    /// Merges the partials of a view, as a reader would who looks now, or at its window that ended then.
    pub async fn merge(
        &mut self,
        engine: &Engine,
        view: usize,
        window_end: Option<i64>,
    ) -> Result<()> {
        let Some(partials) = &mut self.partials[view] else {
            return Ok(());
        };
        let shown = &mut self.views[view];
        if let Some(end) = window_end {
            for batch in partials.merge(engine, window_end).await? {
                shown.window(end, &batch)?;
            }
        } else if !partials.merged {
            shown.rows.clear();
            for batch in partials.merge(engine, None).await? {
                shown.change(&batch)?;
            }
            partials.merged = true;
        }
        Ok(())
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
