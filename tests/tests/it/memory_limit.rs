//! `--memory-limit` bounds the memory of `ingest` by bytes, whatever the messages are like: the process stays within the limit and what the
//! flag's help says comes on top. Each input here is the worst of its kind for one part that holds bytes.

use std::path::Path;

use anyhow::{Result, ensure};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use userflow_tests::broker::{Sender, create_topic, create_topic_for, watermarks};
use userflow_tests::lake::snapshot;
use userflow_tests::process::must_with_peak;

use crate::exactly_once::{KAFKA_TIME_MS, ingest};
use crate::ledger::accounts_for_every_offset;

const MB: u64 = 1 << 20;
/// What the help of `--memory-limit` says that the process needs beside it.
const BESIDE: u64 = 160 * MB;
const DAY_MS: i64 = 86_400_000;

/// An event that happens at this time.
fn event(id: &str, at_ms: i64, more: &str) -> String {
    let time = chrono::DateTime::from_timestamp_millis(at_ms).map(|time| time.to_rfc3339());
    format!(
        r#"{{"event_id":"{id}","event_type":"enter","user_id":42,"session_id":"s-{id}","webtoon_id":"w1","episode_id":"ep_1","utimestamptz":"{}"{more}}}"#,
        time.unwrap_or_default()
    )
}

/// Ingests all of a topic within the limit; the files that bronze and quarantine have then.
///
/// A message that is larger than the parts of the limit is held a few times while it becomes a row: `largest` is the largest message.
#[expect(
    clippy::print_stdout,
    reason = "the peak is part of a failed test's output"
)]
fn ingests_within(topic: &str, lake: &Path, limit_mb: u64, largest: u64) -> Result<(usize, usize)> {
    let (_, peak) = must_with_peak(
        ingest(topic, lake)
            .arg("--until-caught-up")
            .args(["--memory-limit", &format!("{limit_mb}MB")])
            .args(["--flush-interval", "3600"]),
    )?;
    println!("limit {limit_mb} MB, peak {} MB", peak / MB);
    accounts_for_every_offset(lake, "webtoon", &watermarks(topic)?)?;
    ensure!(
        peak <= limit_mb * MB + BESIDE + 4 * largest,
        "{} MB at a limit of {limit_mb} MB",
        peak / MB
    );
    let files =
        |table| Ok::<_, anyhow::Error>(snapshot(lake, table)?.map_or(0, |s| s.files().len()));
    Ok((
        files("bronze.webtoon_events")?,
        files("bronze.webtoon_quarantine")?,
    ))
}

/// Bytes that no compression makes less of, and that are no UTF-8.
fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut noise = vec![0; bytes];
    ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut noise);
    noise
}

#[test]
fn events_and_garbage_of_a_thousand_dates() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let topic = create_topic("dates", 2)?;
    let sender = Sender::new(&topic)?;
    let dates = 1_000;
    for n in 0..4 * dates {
        // Kafka's time goes with the event's, so that neither table has few dates.
        let at = KAFKA_TIME_MS - n % dates * DAY_MS;
        let message = event(&n.to_string(), at, "");
        sender.send(i32::try_from(n / dates % 2)?, Some(message.as_bytes()), at)?;
        if n % 4 == 0 {
            sender.send(0, Some(b"garbage"), at)?;
        }
    }
    sender.flush()?;
    let (events, quarantined) = ingests_within(&topic, &lake, 64, 0)?;
    // A file a date and worker at most, not one for every batch of rows.
    ensure!((1_000..=2_000).contains(&events), "{events} files");
    ensure!((250..=500).contains(&quarantined), "{quarantined} files");
    Ok(())
}

#[test]
fn refused_messages_of_a_megabyte() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let topic = create_topic("refused", 1)?;
    let sender = Sender::new(&topic)?;
    for n in 0..250 {
        sender.send(0, Some(&noise(990_000, n)), KAFKA_TIME_MS)?;
    }
    sender.flush()?;
    ingests_within(&topic, &lake, 64, 0).map(drop)
}

#[test]
fn accepted_messages_with_as_much_as_the_contract_allows() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let topic = create_topic("large", 2)?;
    let sender = Sender::new(&topic)?;
    for n in 0..2_500 {
        use std::fmt::Write;
        let mut text = String::new();
        for byte in noise(31_000, n) {
            write!(text, "{byte:02x}")?;
        }
        let message = event(
            &n.to_string(),
            KAFKA_TIME_MS,
            &format!(r#","more":"{text}""#),
        );
        sender.send(
            i32::from(n % 2 == 0),
            Some(message.as_bytes()),
            KAFKA_TIME_MS,
        )?;
    }
    sender.flush()?;
    ingests_within(&topic, &lake, 64, 0).map(drop)
}

#[test]
fn messages_of_nothing_in_many_partitions() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let topic = create_topic("nothing", 40)?;
    let sender = Sender::new(&topic)?;
    for n in 0..300_000 {
        sender.send(n % 40, None, KAFKA_TIME_MS)?;
    }
    sender.flush()?;
    ingests_within(&topic, &lake, 64, 0).map(drop)
}

#[test]
fn one_message_of_twenty_megabytes_between_others() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let topic = create_topic_for("huge", 1, 25_000_000)?;
    let sender = Sender::new(&topic)?;
    for n in 0..10 {
        let message = event(&n.to_string(), KAFKA_TIME_MS, "");
        sender.send(0, Some(message.as_bytes()), KAFKA_TIME_MS)?;
        if n == 5 {
            sender.send(0, Some(&noise(20_000_000, 1)), KAFKA_TIME_MS)?;
        }
    }
    sender.flush()?;
    ingests_within(&topic, &lake, 64, 20_000_000).map(drop)
}
