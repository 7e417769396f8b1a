//! `load`: every line of the files is in bronze or quarantine once, at the end and at every version.

use std::path::PathBuf;

use anyhow::{Context, Result};
use rand::Rng;
use rand::seq::SliceRandom;
use userflow_tests::figure::figure;
use userflow_tests::process::must;

use super::ingest::until_one_before_a_checkpoint;
use super::{die, seeded, walk};
use crate::load::ledger::{every_version_is_consistent, holds_every_line_once};
use crate::load::{history, in_pieces, load};

/// The points of the commit that `load` shares with `ingest`.
const SHARED: [&str; 3] = [
    "ingest.encoded",
    "ingest.file-finished",
    "ingest.quarantined",
];

#[test]
fn death_at_any_point_of_a_load_loses_and_repeats_nothing() -> Result<()> {
    let (seed, mut random) = seeded()?;
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let log = folder.path().join("load.log");
    let mut files: Vec<PathBuf> = Vec::new();
    let next = |files: &mut Vec<PathBuf>| -> Result<()> {
        let number = u64::try_from(files.len())?;
        let file = folder.path().join(format!("{number}.jsonl"));
        history(&file, 150, seed % 1_000_000 + number)?;
        files.push(file);
        Ok(())
    };
    next(&mut files)?;
    must(load(&lake).args(&files))?;

    let mut deaths = walk(&["load", "lake"], &mut random);
    // A job's: nothing is vacuumed here.
    deaths.retain(|death| !death.point.starts_with("lake.vacuum"));
    let shared = walk(&["ingest"], &mut random);
    deaths.extend(
        shared
            .into_iter()
            .filter(|death| SHARED.contains(&death.point)),
    );
    deaths.shuffle(&mut random);
    let mut died = 0;
    for death in &deaths {
        next(&mut files)?;
        if death.point.starts_with("lake.checkpoint") {
            until_one_before_a_checkpoint(&lake)?;
        }
        let newest = &files[files.len() - 1];
        let mut dying = in_pieces(&lake);
        dying.args(["--threads", "1"]).arg(newest);
        died += usize::from(die(death, &dying, &dying, &log)?);
        if random.random_bool(0.5) {
            must(load(&lake).args(&files))?;
            holds_every_line_once(&lake, &files)
                .with_context(|| format!("after {}:{}", death.point, death.times))?;
        }
    }
    must(load(&lake).args(&files))?;
    holds_every_line_once(&lake, &files)?;
    let versions = every_version_is_consistent(&lake, &files)?;
    figure(&format!(
        "row 1, load: {} rounds, {died} deaths at named points, {} files, {versions} versions checked, 0 lost, 0 doubled",
        deaths.len(),
        files.len()
    ));
    Ok(())
}
