//! `userflow-jobs replay`: what waited in quarantine is in bronze once, whenever the job died.

use anyhow::{Context, Result, ensure};
use userflow_tests::broker::{Sender, create_topic, watermarks};
use userflow_tests::figure::figure;
use userflow_tests::lake::{offsets, replayed_offsets};
use userflow_tests::process::must;

use super::{die, seeded, walk};
use crate::exactly_once::{KAFKA_TIME_MS, ingest, simulated};
use crate::ledger::{accounts_for_every_offset, every_version_is_consistent};
use crate::replay::{narrow_models, replay};

const EVENTS: &str = "bronze.webtoon_events";
/// Messages before each death; the narrow contract refuses about half of them.
const PORTION: usize = 400;

#[test]
fn death_at_any_point_of_a_replay_loses_and_repeats_nothing() -> Result<()> {
    let (seed, mut random) = seeded()?;
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let log = folder.path().join("replay.log");
    let narrow = narrow_models(folder.path())?;
    let topic = create_topic("failpoints.replay", 2)?;
    let messages = simulated(folder.path(), 500, 0.05, seed % 1_000)?;
    let sender = Sender::new(&topic)?;
    let mut sent = 0;
    // Sends a portion, of which the narrow contract puts a part into quarantine.
    let mut refused = || -> Result<()> {
        for n in sent..sent + PORTION {
            let message = &messages[n % messages.len()];
            sender.send(i32::try_from(n % 2)?, Some(message), KAFKA_TIME_MS)?;
        }
        sent += PORTION;
        sender.flush()?;
        let mut refusing = ingest(&topic, &lake);
        refusing.args(["--instance-id", "walker", "--threads", "1"]);
        must(
            refusing
                .arg("--until-caught-up")
                .arg("--models")
                .arg(&narrow),
        )
        .map(drop)
    };

    let mut deaths = walk(&["lake", "replay"], &mut random);
    // Nothing is vacuumed here, and a checkpoint of the log is due at every hundredth version only.
    deaths.retain(|death| {
        !["lake.vacuum", "lake.checkpoint"]
            .iter()
            .any(|other| death.point.starts_with(other))
    });
    let mut died = 0;
    for death in &deaths {
        refused()?;
        let landed = replayed_offsets(&lake, EVENTS)?;
        died += u32::from(die(death, &replay(&lake), &replay(&lake), &log)?);
        accounts_for_every_offset(&lake, "webtoon", &watermarks(&topic)?)
            .with_context(|| format!("after {}:{}", death.point, death.times))?;
        must(&mut replay(&lake))?;
        ensure!(
            replayed_offsets(&lake, EVENTS)? != landed,
            "{}:{}: nothing waited for the replay",
            death.point,
            death.times
        );
    }
    accounts_for_every_offset(&lake, "webtoon", &watermarks(&topic)?)?;
    let versions = every_version_is_consistent(&lake, "webtoon")?;
    // A lake that never knew the narrow contract has the same messages.
    let fresh = folder.path().join("fresh");
    must(ingest(&topic, &fresh).arg("--until-caught-up"))?;
    ensure!(
        offsets(&lake, EVENTS)? == offsets(&fresh, EVENTS)?,
        "bronze differs from a lake of today's contract"
    );
    figure(&format!(
        "row 1, replay: {} rounds, {died} deaths at named points, {sent} messages, {versions} versions checked, 0 lost, 0 doubled",
        deaths.len()
    ));
    Ok(())
}
