//! `sessionize`: the rows are those of an undisturbed run.

use anyhow::{Context, Result, ensure};
use userflow_tests::broker::create_topic;
use userflow_tests::figure::figure;
use userflow_tests::process::must;

use super::{die, seeded, walk};
use crate::online::{Store, ends_undisturbed, simulate, undisturbed};

/// Days before the first death: then there are more checkpoints than are kept.
const QUIET_DAYS: u32 = 5;
const SESSIONS: u32 = 40;

#[test]
fn death_at_any_point_of_sessionize_leaves_the_rows_of_an_undisturbed_run() -> Result<()> {
    let (seed, mut random) = seeded()?;
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("sessionize.log");
    let topic = create_topic("online.failpoints", 4)?;
    let store = Store::create(folder.path(), "failpoints")?;
    let command = || {
        let mut command = store.sessionize(&topic);
        // Under its name the next one gets the partitions at once.
        command.args(["--instance-id", "walker"]);
        command.args(["--checkpoint-interval", "0.05", "--flush-interval", "0.05"]);
        command
    };
    let mut day = 0;
    let mut next_day = || -> Result<()> {
        day += 1;
        must(&mut simulate(
            &topic,
            day,
            SESSIONS,
            seed % 1_000 + u64::from(day),
        ))
        .map(drop)
    };
    for _ in 0..QUIET_DAYS {
        next_day()?;
        must(command().arg("--until-caught-up"))?;
    }

    let deaths = walk(&["sessionize"], &mut random);
    let mut died = 0;
    for death in &deaths {
        next_day()?;
        let mut until_done = command();
        until_done.arg("--until-caught-up");
        died += u32::from(die(death, &command(), &until_done, &log)?);
        if death.times == 1 {
            must(command().arg("--until-caught-up"))
                .with_context(|| format!("after {}:{}", death.point, death.times))?;
        }
    }
    ensure!(
        day < 30,
        "November has no day {day}: play several deaths on one day"
    );
    let calm = undisturbed(folder.path(), &topic)?;
    ends_undisturbed(&store, &calm, &topic, day)?;
    let rows: usize = calm.contents()?.values().map(Vec::len).sum();
    figure(&format!(
        "row 1, sessionize: {} rounds, {died} deaths at named points, {rows} rows compared, 0 lost, 0 doubled",
        deaths.len()
    ));
    Ok(())
}
