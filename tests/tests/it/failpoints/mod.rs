//! Death at each named point of a commit: every point of `userflow_lake::failpoint` that ingest, load, sessionize and replay pass, the first time that it is
//! reached and once more somewhere further. Then an ordinary process goes on, and an oracle that knows nothing of points judges.
//!
//! The points of the jobs are walked by `jobs/tests/it/failpoints.rs`.

mod ingest;
mod load;
mod replay;
mod sessionize;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use userflow_lake::failpoint::POINTS;
use userflow_tests::process::{binary, died_at, dying_at, start};
use userflow_tests::seed::seed;

const PATIENCE: Duration = Duration::from_secs(120);

/// One death to die.
struct Death {
    point: &'static str,
    /// The how many-th time that the point is reached.
    times: u32,
}

/// The points of some parts in an order of the seed, each twice: at once, and later.
fn walk(parts: &[&str], random: &mut ChaCha8Rng) -> Vec<Death> {
    let of_parts = POINTS.into_iter().filter(|point| {
        let (part, _) = point.split_once('.').expect("a point is PART.NAME");
        parts.contains(&part)
    });
    let mut deaths: Vec<Death> = of_parts
        .flat_map(|point| {
            let later = random.random_range(2..=5);
            [1, later].map(|times| Death { point, times })
        })
        .collect();
    deaths.shuffle(random);
    deaths
}

/// Dies, or, if the point is not reached so often before the work is done, ends well. The first time must be reached: `live` goes on until
/// it is.
fn die(death: &Death, live: &Command, until_done: &Command, log: &Path) -> Result<bool> {
    let command = if death.times == 1 { live } else { until_done };
    let mut command = dying_at(command, death.point, death.times);
    let before = std::fs::read(log).unwrap_or_default().len();
    let status = start(&mut command, log)?
        .wait(PATIENCE)
        .with_context(|| format!("{}: it was not reached", death.point));
    let said = String::from_utf8(std::fs::read(log)?.split_off(before))?;
    let died = died_at(death.point, status?, &said)?;
    ensure!(
        died || death.times > 1,
        "{} was not reached: a point that is never reached proves nothing\n{said}",
        death.point
    );
    Ok(died)
}

fn seeded() -> Result<(u64, ChaCha8Rng)> {
    let seed = seed()?;
    Ok((seed, ChaCha8Rng::seed_from_u64(seed)))
}

#[test]
fn the_product_has_no_fail_points() -> Result<()> {
    for name in ["userflow-ingester", "userflow-jobs"] {
        let command = binary(name);
        let product = std::fs::read(command.get_program())?;
        let testing = std::fs::read(dying_at(&command, POINTS[0], 1).get_program())?;
        let word = b"USERFLOW_TEST_FAILPOINT";
        let has = |bytes: &[u8]| bytes.windows(word.len()).any(|found| found == word);
        ensure!(
            has(&testing),
            "{name}: the word that is searched for is not where it has to be"
        );
        ensure!(!has(&product), "{name} was built with fail points");
    }
    Ok(())
}
