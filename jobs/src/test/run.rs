//! The command: reads the files, plays the cases beside one another, reports; once, or whenever a file changes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use tokio::task::JoinSet;
use userflow_models::domain::{self, Domain};
use userflow_models::project::Project;
use userflow_process::exit::Stopped;

use super::args::TestArgs;
use super::bench::Bench;
use super::junit;
use super::play::play;
use super::report::{Played, Report};
use super::select::{self, Named};
use super::watch;
use crate::config::{Common, Output};
use crate::engine::Engine;
use crate::print;

/// Plays what was asked for and reports it. Ends well only if everything holds; with `--watch` it never ends by itself.
pub async fn run(settings: &Common, args: &TestArgs) -> Result<()> {
    let folder = &settings.models.models;
    let mut files = watch::files(folder);
    loop {
        let done = once(settings, args).await;
        if !args.watch {
            return done;
        }
        if let Err(error) = done {
            tracing::error!("{error:#}");
        }
        files = watch::change(folder, &files).await;
        print::text("")?;
    }
}

async fn once(settings: &Common, args: &TestArgs) -> Result<()> {
    let report = play_all(settings, &args.select).await?;
    if let Some(file) = &args.junit {
        junit::write(&report, file)?;
    }
    match settings.output {
        Output::Json => print::json(&report)?,
        Output::Text | Output::Csv => print::text(&report.told())?,
    }
    match report.failed {
        0 => Ok(()),
        failed => {
            let all = failed + report.passed;
            Err(Stopped(format!("{failed} of {all} cases failed")).into())
        }
    }
}

/// Plays the cases that the words name; all without words.
pub async fn play_all(settings: &Common, words: &[String]) -> Result<Report> {
    let started = Instant::now();
    let benches = benches(settings, words)?;
    let of_bench = |bench: &'_ Arc<Bench>| {
        let bench = Arc::clone(bench);
        (0..bench.cases.len()).map(move |case| (Arc::clone(&bench), case))
    };
    let all: Vec<(Arc<Bench>, usize)> = benches.iter().flat_map(of_bench).collect();
    let named: Vec<Named<'_>> = all
        .iter()
        .map(|(bench, case)| Named {
            domain: &bench.domain.name,
            case: &bench.cases[*case],
        })
        .collect();
    select::check(words, &named)?;
    let mut playing = JoinSet::new();
    for ((bench, case), named) in all.iter().zip(&named) {
        if words.is_empty() || words.iter().any(|word| named.is(word)) {
            let (bench, case, place) = (Arc::clone(bench), *case, playing.len());
            playing.spawn(async move { (place, one(&bench, case).await) });
        }
    }
    let mut played = Vec::new();
    while let Some(done) = playing.join_next().await {
        let (place, result) = done.context("play a case")?;
        played.push((place, result?));
    }
    played.sort_by_key(|(place, _)| *place);
    let played = played.into_iter().map(|(_, case)| case).collect();
    Ok(Report::new(played, started.elapsed().as_secs_f64()))
}

async fn one(bench: &Bench, case: usize) -> Result<Played> {
    let started = Instant::now();
    let case = &bench.cases[case];
    let failures = play(bench, case).await?;
    Ok(Played {
        domain: bench.domain.name.clone(),
        group: case.group(),
        file: case.file.display().to_string(),
        line: case.line,
        name: case.name.clone(),
        failures,
        seconds: started.elapsed().as_secs_f64(),
    })
}

/// What the words need: the domains that they name, or all.
pub(super) fn benches(settings: &Common, words: &[String]) -> Result<Vec<Arc<Bench>>> {
    let folder = &settings.models.models;
    let project = Arc::new(Project::load(folder)?);
    let engine = Arc::new(Engine::without_lake(settings)?);
    let known = domain::known(folder)?;
    // Who names domains only does not wait for the contracts of others.
    let asked: BTreeSet<&str> = words
        .iter()
        .filter_map(|word| word.split('/').next())
        .collect();
    let only_domains = !asked.is_empty()
        && asked
            .iter()
            .all(|word| known.iter().any(|name| name == word));
    let mut benches = Vec::new();
    for name in &known {
        if !only_domains || asked.contains(name.as_str()) {
            let domain = Domain::load(folder, name)?;
            benches.push(Arc::new(Bench::open(domain, &project, &engine)?));
        }
    }
    Ok(benches)
}
