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
mod point_in_time;

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use userflow_engine::Plan;
use userflow_models::domain::Domain;
use userflow_models::features::{self, FeatureView};
use userflow_models::services;
use userflow_process::exit::WrongSetup;

pub use args::{HELP, TrainingSetArgs};

use crate::config::Output;
use crate::history::{Bronze, Player, Wanted};
use crate::print;
use crate::stream::{dimension, whole};
use crate::workspace::Workspace;
use asked::Asked;
use labels::Labels;
use point_in_time::PointInTime;

/// Makes the training set and says what is in it.
pub async fn run(workspace: &Workspace, args: &TrainingSetArgs) -> Result<()> {
    let started = Instant::now();
    let domain = workspace.domains.one(&args.domain)?;
    let contract = Arc::new(domain.contract.clone());
    let views = features::load(domain)?;
    let names = names(domain, args)?;
    let asked = Asked::new(&views, &names, args.full_feature_names)?;
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
    let asking = Arc::new(PointInTime {
        contract,
        bronze,
        plan,
        dimensions,
        wanted: Arc::new(wanted),
        labels,
        as_of: args.as_of,
        since: args.since.clone(),
        folder,
        progress: progress(workspace.output, events)?,
    });
    let answered = asking
        .play_all(sources.into_keys().collect(), workspace.engine.threads())
        .await?;
    asking.progress.finish_and_clear();
    let made = join::Made {
        labels: &asking.labels,
        asked: &asked,
        answered: &answered,
        with_versions: args.with_versions,
        into: &args.into,
    };
    let found = join::write(workspace, &made, output).await?;

    let (table, version) = asking.bronze.version();
    let seconds = started.elapsed().as_secs_f64();
    match workspace.output {
        Output::Json => print::json(&json!({
            "command": "training-set",
            "as_of": args.as_of.to_string(),
            "labels": asking.labels.len(),
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
                asking.labels.len(),
                events,
                args.as_of,
                args.into.display(),
                found.collect::<String>()
            ))
        }
    }
}

/// The features that are asked for, as `view:feature`.
fn names(domain: &Domain, args: &TrainingSetArgs) -> Result<Vec<String>> {
    let Some(name) = &args.service else {
        return Ok(args.features.clone());
    };
    let services = services::load(domain)?;
    let Some(service) = services.iter().find(|service| service.name == *name) else {
        let known: Vec<&str> = services
            .iter()
            .map(|service| service.name.as_str())
            .collect();
        let known = match known.is_empty() {
            true => format!(
                "it has none: services are files of {}/services",
                domain.dir.display()
            ),
            false => format!("it has {}", known.join(", ")),
        };
        let message = format!(
            "--service {name}: {} has no such feature service; {known}",
            args.domain
        );
        return Err(WrongSetup(message).into());
    };
    let features = service.features.iter();
    Ok(features
        .map(|of| format!("{}:{}", of.view, of.feature))
        .collect())
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
