//! `training-set`: for each label the features of its entity as they stood at the label's time.
//!
//! ```text
//! labels ─▶ entities and times, in the order of time ─┐
//! bronze ─▶ crate::history, a Kafka partition at a time ┴▶ answers, in the order of time ─▶ join ─▶ labels' columns and order, features
//! ```
//!
//! Bounded memory: what is held are the labels' entities, times and the newest row of each entity that some label asks for. Labels and
//! answers themselves lie in files of the spill folder, and the query engine joins them.
//!
//! Not here: what the rows are (`engine/`), how bronze is read in order ([`crate::history`]).

mod answers;
mod args;
mod asked;
mod join;
mod labels;

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use futures::TryStreamExt;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use tokio::task::JoinSet;
use userflow_engine::{Dimension, Plan};
use userflow_models::contract::Contract;
use userflow_models::features::{self, FeatureView};
use userflow_process::exit::WrongSetup;

pub use args::{HELP, TrainingSetArgs};

use crate::config::Output;
use crate::history::{Arrivals, AsOf, Bronze, Player, Source, Wanted};
use crate::print;
use crate::stream::{dimension, whole};
use crate::workspace::Workspace;
use answers::Answers;
use asked::Asked;
use labels::Labels;

/// What all partitions are played with.
struct Game {
    contract: Arc<Contract>,
    bronze: Bronze,
    plan: Arc<Plan>,
    dimensions: Vec<Arc<Dimension>>,
    wanted: Arc<Vec<Wanted>>,
    labels: Labels,
    as_of: AsOf,
    since: Option<String>,
    with_versions: bool,
    folder: tempfile::TempDir,
    progress: ProgressBar,
}

/// Makes the training set and says what is in it.
pub async fn run(workspace: &Workspace, args: &TrainingSetArgs) -> Result<()> {
    let started = Instant::now();
    let domain = workspace.domains.one(&args.domain)?;
    let contract = Arc::new(domain.contract.clone());
    let views = features::load(domain)?;
    let asked = Asked::new(&views, &args.features, args.full_feature_names)?;
    let output = join::Format::of(&args.into)?;

    let chosen: Vec<FeatureView> = asked.views.iter().map(|view| whole(&view.view)).collect();
    let lateness = Player::settings(args.as_of).lateness;
    let plan = Arc::new(Plan::new(&contract, &chosen, lateness).map_err(WrongSetup)?);
    let declared = features::dimensions(domain)?;
    let dimensions = plan.joins().map(|join| dimension(join, &declared, &[]));
    let dimensions = dimensions.collect::<Result<Vec<_>>>()?;

    let folder = tempfile::Builder::new()
        .prefix("userflow-training-set-")
        .tempdir_in(workspace.engine.spill_dir())
        .context("make a folder for labels and answers in the spill folder")?;
    let mut wanted: Vec<Wanted> = asked
        .views
        .iter()
        .enumerate()
        .map(|(number, view)| Wanted::new(number, &chosen[number], &view.features))
        .collect();
    let labels = Labels::read(workspace, args, &asked, &mut wanted, folder.path()).await?;
    let bronze = Bronze::open(workspace, &contract).await?;
    let sources = bronze.sources(args.since.as_deref()).await?;
    let (events, count) = (sources.values().sum(), sources.len());
    let game = Arc::new(Game {
        contract,
        bronze,
        plan,
        dimensions,
        wanted: Arc::new(wanted),
        labels,
        as_of: args.as_of,
        since: args.since.clone(),
        with_versions: args.with_versions,
        folder,
        progress: progress(workspace.output, events)?,
    });
    let answered = game
        .play_all(sources.into_keys().collect(), workspace.engine.threads())
        .await?;
    game.progress.finish_and_clear();
    let found = join::write(workspace, &game, &asked, &answered, &args.into, output).await?;

    let (table, version) = game.bronze.version();
    let seconds = started.elapsed().as_secs_f64();
    match workspace.output {
        Output::Json => print::json(&json!({
            "command": "training-set",
            "as_of": args.as_of.to_string(),
            "labels": game.labels.len(),
            "found": found.iter().map(|(view, found)| (view.clone(), json!(found))).collect::<serde_json::Map<_, _>>(),
            "table": table,
            "version": version,
            "events": events,
            "kafka_partitions": count,
            "into": args.into.display().to_string(),
            "seconds": seconds,
        })),
        _ => {
            let found = found.iter().map(|(view, found)| {
                format!("\n  {view}: {found} labels have a row that is not older than its ttl")
            });
            print::text(&format!(
                "{} labels, {} events of {count} Kafka partitions of {table} version {version}, as of {}, {seconds:.1} s: {}{}",
                game.labels.len(),
                events,
                args.as_of,
                args.into.display(),
                found.collect::<String>()
            ))
        }
    }
}

impl Game {
    /// Plays the partitions, so many at a time, and says which files the answers are in: by view, by partition.
    async fn play_all(
        self: &Arc<Self>,
        sources: Vec<Source>,
        at_once: usize,
    ) -> Result<Vec<Vec<std::path::PathBuf>>> {
        let mut files = vec![Vec::new(); self.wanted.len()];
        let mut running = JoinSet::new();
        let mut sources = sources.into_iter().enumerate();
        loop {
            while running.len() < at_once.max(1)
                && let Some((number, source)) = sources.next()
            {
                let game = Arc::clone(self);
                running.spawn(async move { game.play(number, &source).await });
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
    async fn play(&self, number: usize, source: &Source) -> Result<Vec<std::path::PathBuf>> {
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

/// A bar where people look, nothing elsewhere.
fn progress(output: Output, events: u64) -> Result<ProgressBar> {
    let bar = ProgressBar::new(events);
    if output == Output::Json {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let style = "{bar:30} {human_pos} of {human_len} events, {per_sec}, {eta} to go";
    bar.set_style(ProgressStyle::with_template(style)?);
    Ok(bar)
}
