//! A disk without room, a file system that became read-only: the table stays readable, its positions stay true, somebody is told what is
//! wrong, and what was not landed is landed when the trouble is over.
//!
//! The limits are the kernel's: a file system of 4 MB, which the tests mount. They run as root in CI.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use userflow_tests::broker::{Sender, brokers, create_topic, watermarks};
use userflow_tests::process::{binary, must};

use crate::ledger::accounts_for_every_offset;
use crate::load::ledger::holds_every_line_once;
use crate::load::load;

/// Events of a kilobyte that hardly compresses.
const EVENTS: i64 = 20_000;
const KAFKA_TIME_MS: i64 = 1_793_534_400_000;

/// So many events that they fit into no small disk.
fn many_events() -> impl Iterator<Item = String> {
    let mut state: u64 = 1;
    (0..EVENTS).map(move |event| {
        let mut noise = String::new();
        for _ in 0..40 {
            // A linear congruential generator: the same bytes in every run.
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            noise.push_str(&format!("{state:016x}"));
        }
        format!(
            r#"{{"event_id":"e{event}","event_type":"enter","user_id":{event},"session_id":"s{event}","webtoon_id":"w","episode_id":"p","utimestamptz":"2026-11-01T11:00:00Z","noise":"{noise}"}}"#
        )
    })
}

/// A topic of one partition with these events.
fn large_topic(label: &str) -> Result<String> {
    let topic = create_topic(label, 1)?;
    let sender = Sender::new(&topic)?;
    for message in many_events() {
        sender.send(0, Some(message.as_bytes()), KAFKA_TIME_MS)?;
    }
    sender.flush()?;
    Ok(topic)
}

fn init(lake: &Path) -> Result<()> {
    must(
        binary("userflow-jobs")
            .args(["init", "--domain", "webtoon", "--lake"])
            .arg(lake),
    )
    .map(drop)
}

fn ingest(lake: &Path, topic: &str) -> Command {
    let mut command = binary("userflow-ingester");
    command
        .args(["ingest", "--domain", "webtoon", "--topic", topic])
        .args(["--brokers", &brokers(), "--until-caught-up"])
        .args(["--threads", "1", "--flush-size", "1MB", "--lake"])
        .arg(lake);
    command
}

fn all_there(lake: &Path, topic: &str) -> Result<()> {
    accounts_for_every_offset(lake, "webtoon", &watermarks(topic)?)
}

fn failed_saying(output: &Output, words: &[&str]) -> Result<()> {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(
        output.status.code() == Some(1),
        "it ended with {}: {said}",
        output.status
    );
    ensure!(
        words.iter().any(|word| said.contains(word)),
        "none of {words:?} in {said}"
    );
    Ok(())
}

/// A mounted file system, unmounted when dropped.
struct Mount(PathBuf);

impl Mount {
    /// None where only the user keeps it from being mounted: as root, a test that cannot mount fails.
    fn small(folder: &Path) -> Result<Option<Self>> {
        std::fs::create_dir_all(folder)?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
            .arg(folder)
            .output()?;
        let root = std::fs::metadata("/proc/self")?.uid() == 0;
        ensure!(
            mounted.status.success() || !root,
            "mount: {}",
            String::from_utf8_lossy(&mounted.stderr)
        );
        Ok(mounted.status.success().then(|| Self(folder.to_owned())))
    }

    fn grow(&self) -> Result<()> {
        must(
            Command::new("mount")
                .args(["-o", "remount,size=200m"])
                .arg(&self.0),
        )
        .map(drop)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: a test that failed may still have a file open in it.
        drop(Command::new("umount").arg("-l").arg(&self.0).output());
    }
}

#[test]
fn a_full_disk_costs_no_row_and_what_waits_lands_when_there_is_room() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("disk");
    let topic = large_topic("full.disk")?;
    let Some(mount) = Mount::small(&lake)? else {
        // Only root can mount. That a write which fails is asked again and then given up is tested in lake/tests/it.
        return Ok(());
    };
    init(&lake)?;
    let output = ingest(&lake, &topic).output()?;
    failed_saying(&output, &["No space left on device"])?;
    // What is there can be read, and the position is that of the rows.
    let landed = userflow_tests::lake::offsets(&lake, "bronze.webtoon_events")?;
    let found = landed.get(&0).cloned().unwrap_or_default();
    let expected: Vec<i64> = (0..i64::try_from(found.len())?).collect();
    ensure!(found == expected, "{} offsets with gaps", found.len());
    ensure!(
        i64::try_from(found.len())? < EVENTS,
        "the disk was large enough"
    );

    mount.grow()?;
    must(&mut ingest(&lake, &topic))?;
    all_there(&lake, &topic)
}

#[test]
fn a_full_disk_costs_no_line_of_a_file() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("disk");
    let file = folder.path().join("a.jsonl");
    std::fs::write(
        &file,
        many_events().map(|line| line + "\n").collect::<String>(),
    )?;
    let Some(mount) = Mount::small(&lake)? else {
        // Only root can mount, as above.
        return Ok(());
    };
    init(&lake)?;
    let load = || {
        let mut command = load(&lake);
        command
            .args(["--threads", "1", "--flush-size", "1MB"])
            .arg(&file);
        command
    };
    failed_saying(&load().output()?, &["No space left on device"])?;
    // What is there is the start of the file.
    let landed = userflow_tests::lake::offsets(&lake, "bronze.webtoon_events")?;
    let found = landed.get(&0).cloned().unwrap_or_default();
    let expected: Vec<i64> = (1..=i64::try_from(found.len())?).collect();
    ensure!(found == expected, "{} lines with gaps", found.len());
    ensure!(
        i64::try_from(found.len())? < EVENTS,
        "the disk was large enough"
    );

    mount.grow()?;
    must(&mut load())?;
    holds_every_line_once(&lake, &[file])
}

#[test]
fn a_file_system_that_became_read_only_is_said_at_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("disk");
    let topic = create_topic("read.only", 1)?;
    let sender = Sender::new(&topic)?;
    let event = r#"{"event_id":"e","event_type":"enter","user_id":1,"session_id":"s","webtoon_id":"w","episode_id":"p","utimestamptz":"2026-11-01T11:00:00Z"}"#;
    sender.send(0, Some(event.as_bytes()), KAFKA_TIME_MS)?;
    sender.flush()?;
    let Some(mount) = Mount::small(&lake)? else {
        // Only root can mount; the class of the error is tested beside the code (lake/src/retry.rs).
        return Ok(());
    };
    init(&lake)?;
    let remount = |how: &str| {
        let mut command = Command::new("mount");
        command.args(["-o", how]).arg(&mount.0);
        must(&mut command).context("remount")
    };
    remount("remount,ro")?;
    let output = ingest(&lake, &topic).output()?;
    failed_saying(&output, &["Read-only file system"])?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(
        !said.contains("asking again"),
        "waiting does not help: {said}"
    );
    remount("remount,rw")?;
    must(&mut ingest(&lake, &topic))?;
    all_there(&lake, &topic)
}
