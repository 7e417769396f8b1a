//! Killed at any moment, told to stop, with little memory: no line is lost or doubled. On a disk without room: `full_disk.rs`.

use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use userflow_tests::figure::figure;
use userflow_tests::lake::{identities, snapshot};
use userflow_tests::process::{must, must_with_peak, start, wait_for};
use userflow_tests::seed::seed;

use super::ledger::{every_version_is_consistent, holds_every_line_once};
use super::{EVENTS, QUARANTINE, event, history, in_pieces, load, summary};

const KILLS: u32 = 24;
const PATIENCE: Duration = Duration::from_secs(120);

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
    // A kill that comes before any commit shows nothing, and on a busy machine that takes a while.
    let mut longest = 400;
    let version = || -> Result<i64> { Ok(snapshot(&lake, EVENTS)?.map_or(0, |now| now.version())) };
    let mut seen = 0;
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
        std::thread::sleep(Duration::from_millis(random.random_range(1..longest)));
        if let Some(status) = running.ended()? {
            ensure!(status.success(), "{}", std::fs::read_to_string(&log)?);
            // It was done: there is more to land.
            next(&mut files)?;
            next(&mut files)?;
            continue;
        }
        running.kill()?;
        kills += 1;
        match version()? {
            same if same == seen => longest = (longest * 3 / 2).min(10_000),
            moved => seen = moved,
        }
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

#[test]
fn one_that_is_told_to_stop_commits_what_it_holds_and_the_next_goes_on() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let file = folder.path().join("a.jsonl");
    history(&file, 8_000, 3)?;
    let log = folder.path().join("load.log");
    let running = start(in_pieces(&lake).args(["--threads", "1"]).arg(&file), &log)?;
    let first = lake.join(EVENTS.replace('.', "/"));
    let first = first.join(format!("_delta_log/{:020}.json", 1));
    wait_for("a commit", PATIENCE, || Ok(first.exists().then_some(())))?;
    running.signal("TERM")?;
    let status = running.wait(PATIENCE)?;
    let said = std::fs::read_to_string(&log)?;
    ensure!(status.code() == Some(1), "{status}: {said}");
    ensure!(said.contains("\"state\":\"stopped\""), "{said}");
    ensure!(said.contains("run it again"), "{said}");
    let landed = identities(&lake, EVENTS)?.len();
    let done = summary(load(&lake).arg(&file))?;
    let input = &done["inputs"][0];
    ensure!(input["state"] == "landed", "{done}");
    ensure!(input["resumed_at"].as_i64() > Some(1), "{done}");
    let rows = input["rows"].as_u64().context("no rows")?;
    ensure!(
        rows > 0 && landed > 0,
        "{landed} and {rows}: it was not stopped half way"
    );
    holds_every_line_once(&lake, &[file])
}

#[test]
fn memory_is_bounded_whatever_the_file_is() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    // Lines of a thousand dates, each of 30 KB, most of them refused; and a line of 15 MB.
    let file = folder.path().join("a.jsonl");
    let mut out = BufWriter::new(std::fs::File::create(&file)?);
    let padding = "x".repeat(30_000);
    for n in 0..8_000_i64 {
        let day = chrono::NaiveDate::from_epoch_days(i32::try_from(12_000 + n % 1_000)?);
        let time = format!("{}T12:00:00Z", day.context("no date")?);
        let line = event(&n.to_string(), &time).replace('}', &format!(",\"p\":\"{padding}\"}}"));
        match n % 4 {
            0 => writeln!(out, "{line}")?,
            _ => writeln!(out, "{}", line.replace("enter", "teleport"))?,
        }
    }
    writeln!(out, "{}", "x".repeat(15 << 20))?;
    out.into_inner()?.sync_all()?;
    let mut command = load(&lake);
    command
        .args(["--threads", "1", "--memory-limit", "16MB"])
        .arg(&file);
    let (_, peak) = must_with_peak(&mut command)?;
    // The limit, what the help says comes on top, and four times the longest line.
    let most = (16 + 160 + 4 * 15) << 20;
    ensure!(peak < most, "{} MB", peak >> 20);
    holds_every_line_once(&lake, &[file])
}
