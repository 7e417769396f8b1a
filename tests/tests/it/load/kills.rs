//! Killed at any moment, and on a disk without room: no line is lost or doubled.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use userflow_tests::figure::figure;
use userflow_tests::lake::{identities, snapshot};
use userflow_tests::process::{must, start};
use userflow_tests::seed::seed;

use super::ledger::{every_version_is_consistent, holds_every_line_once};
use super::{EVENTS, QUARANTINE, history, in_pieces, load, summary};

const KILLS: u32 = 24;

#[test]
fn kill_9_at_any_moment_loses_and_repeats_nothing() -> Result<()> {
    let seed = seed()?;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let mut files: Vec<PathBuf> = Vec::new();
    let next = |files: &mut Vec<PathBuf>| -> Result<()> {
        let number = u64::try_from(files.len())?;
        let file = folder.path().join(format!("{number}.jsonl"));
        history(&file, 1_500, seed % 1_000_000 + number)?;
        files.push(file);
        Ok(())
    };
    next(&mut files)?;
    let log = folder.path().join("load.log");
    let (mut kills, mut names) = (0, 0);
    while kills < KILLS {
        let mut command = in_pieces(&lake);
        command.args(["--threads", if random.random() { "1" } else { "2" }]);
        // Names change between the runs, and the order with them.
        for file in &files {
            let renamed = random.random_bool(0.3);
            let name = folder.path().join(format!("renamed.{names}.log"));
            match renamed {
                true => {
                    std::fs::copy(file, &name)?;
                    command.arg(name);
                    names += 1;
                }
                false => drop(command.arg(file)),
            }
        }
        let mut running = start(&mut command, &log)?;
        std::thread::sleep(Duration::from_millis(random.random_range(1..400)));
        if let Some(status) = running.ended()? {
            ensure!(status.success(), "{}", std::fs::read_to_string(&log)?);
            // It was done: there is more to land.
            next(&mut files)?;
            next(&mut files)?;
            continue;
        }
        running.kill()?;
        kills += 1;
        // Whatever is there is there once.
        if random.random_bool(0.3) && snapshot(&lake, EVENTS)?.is_some() {
            let mut rows = identities(&lake, EVENTS)?;
            rows.extend(identities(&lake, QUARANTINE)?);
            rows.sort();
            // Under which name a line was read is no part of its identity here.
            let place = |row: &(Option<String>, i32, i64)| {
                let id = row.0.clone().unwrap_or_default();
                (id.split(' ').next().map(str::to_owned), row.2)
            };
            let mut places: Vec<_> = rows.iter().map(place).collect();
            places.sort();
            let all = places.len();
            places.dedup();
            // Between its two commits a process leaves lines in quarantine only, never in both.
            ensure!(
                places.len() == all,
                "{} lines are there twice",
                all - places.len()
            );
        }
    }
    must(load(&lake).args(&files))?;
    holds_every_line_once(&lake, &files)?;
    let versions = every_version_is_consistent(&lake, &files)?;
    ensure!(
        versions > 10,
        "only {versions} versions: the kills met no commits"
    );
    let done = summary(load(&lake).args(&files))?;
    ensure!(done["commits"] == 0, "{done}");
    figure(&format!(
        "row 2, load: {kills} kills at random, {versions} versions checked, 0 lost, 0 doubled"
    ));
    Ok(())
}
