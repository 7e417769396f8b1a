//! The Kafka partitions of bronze, each played by an engine of its own, which is asked at the time of every label.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use futures::TryStreamExt;
use indicatif::ProgressBar;
use tokio::task::JoinSet;
use userflow_engine::{Dimension, Plan};
use userflow_models::contract::Contract;

use super::answers::Answers;
use super::labels::Labels;
use crate::history::{Arrivals, AsOf, Bronze, Player, Source, Wanted};

/// What all partitions are played with.
pub(super) struct PointInTime {
    pub(super) contract: Arc<Contract>,
    pub(super) bronze: Bronze,
    pub(super) plan: Arc<Plan>,
    pub(super) dimensions: Vec<Arc<Dimension>>,
    pub(super) wanted: Arc<Vec<Wanted>>,
    pub(super) labels: Labels,
    pub(super) as_of: AsOf,
    pub(super) since: Option<String>,
    pub(super) folder: tempfile::TempDir,
    pub(super) progress: ProgressBar,
}

impl PointInTime {
    /// Plays the partitions, so many at a time, and says which files the answers are in: by view, by partition.
    pub(super) async fn play_all(
        self: &Arc<Self>,
        sources: Vec<Source>,
        at_once: usize,
    ) -> Result<Vec<Vec<PathBuf>>> {
        let mut files = vec![Vec::new(); self.wanted.len()];
        let mut running = JoinSet::new();
        let mut sources = sources.into_iter().enumerate();
        loop {
            while running.len() < at_once.max(1)
                && let Some((number, source)) = sources.next()
            {
                let asking = Arc::clone(self);
                running.spawn(async move { asking.play(number, &source).await });
            }
            let Some(done) = running.join_next().await else {
                return Ok(files);
            };
            let written = done.context("a partition's task ended by a panic")??;
            for (view, file) in written.into_iter().enumerate() {
                files[view].push(file);
            }
        }
    }

    /// Plays a partition; at the time of each label it is asked.
    async fn play(&self, number: usize, source: &Source) -> Result<Vec<PathBuf>> {
        let (plan, wanted) = (Arc::clone(&self.plan), Arc::clone(&self.wanted));
        let event_time = (self.contract.columns().iter())
            .position(|column| column.name == self.contract.event_time())
            .expect("the event time is a column of its contract");
        let mut player = Player::new(
            plan,
            self.dimensions.clone(),
            wanted,
            event_time,
            self.as_of,
        )?;
        let mut answers = Answers::create(self.folder.path(), number, &self.wanted)?;
        let mut next = 0;
        let mut arrivals = Arrivals::default();
        let until = self.labels.newest();
        let mut rows = (self.bronze)
            .events(source, self.as_of, self.since.as_deref(), until)
            .await?;
        'events: while let Some(batch) = rows.try_next().await? {
            let events = self.bronze.decoded(&batch)?;
            self.progress.inc(events.offsets.len() as u64);
            let columns = player.joined(&events.batch);
            let times = match self.as_of {
                AsOf::EventTime => Some(events.times(event_time)?),
                AsOf::Known => None,
            };
            for row in 0..events.offsets.len() {
                let said = events.said[row];
                let came = arrivals.next(said);
                let moment = times.as_ref().map_or(came, |times| times[row]);
                // A label sees what was there at its very time, too.
                next = self
                    .labels
                    .ask_before(next, moment, &mut player, &mut answers)?;
                if next == self.labels.len() {
                    break 'events;
                }
                player.event(&columns, row, events.offsets[row], said, came);
            }
        }
        self.labels
            .ask_before(next, i64::MAX, &mut player, &mut answers)?;
        answers.finish()
    }
}
