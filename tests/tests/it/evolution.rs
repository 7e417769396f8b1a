//! A contract gains a column while events are ingested: old and new ingesters run beside each other, in either order, and `init` adds
//! columns under a running one. Nothing is lost, old and new rows can be read, and nobody stops for the other.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use arrow::array::{Array, AsArray};
use userflow_tests::broker::{Sender, create_topic, watermarks};
use userflow_tests::lake::{column, offsets, read_file, snapshot};
use userflow_tests::process::{Running, binary, must, root, start, wait_for};

use crate::exactly_once::{KAFKA_TIME_MS, ingest};
use crate::ledger::{accounts_for_every_offset, every_version_is_consistent};

const PARTITIONS: i32 = 2;
const EVENTS: &str = "bronze.webtoon_events";
const PATIENCE: Duration = Duration::from_secs(90);

/// The models with columns that the contract does not have yet, each of a field of its name.
fn models(folder: &Path, columns: &[&str]) -> Result<PathBuf> {
    let models = folder.join(format!("models-{}", columns.len()));
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .arg(root().join("models"))
        .arg(&models)
        .status()?;
    ensure!(copied.success(), "copy the models");
    let file = models.join("webtoon/contract.json");
    let mut contract: serde_json::Value = serde_json::from_slice(&std::fs::read(&file)?)?;
    for name in columns {
        contract["properties"][name] = serde_json::json!({
            "description": "new", "type": ["string", "null"],
            "x-column": {"name": name, "type": "string"},
        });
    }
    std::fs::write(&file, contract.to_string())?;
    Ok(models)
}

struct World {
    folder: tempfile::TempDir,
    lake: PathBuf,
    topic: String,
    sender: Sender,
    sent: i64,
}

impl World {
    fn new(label: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let topic = create_topic(label, PARTITIONS)?;
        Ok(Self {
            lake: folder.path().join("lake"),
            sender: Sender::new(&topic)?,
            folder,
            topic,
            sent: 0,
        })
    }

    /// Sends good and bad messages to every partition, each good one with both new fields.
    fn send(&mut self) -> Result<()> {
        for n in 0..40 {
            let id = self.sent + n;
            let event = format!(
                r#"{{"event_id":"e{id}","event_type":"enter","user_id":42,"session_id":"s1","webtoon_id":"w1","episode_id":"ep_1","utimestamptz":"2026-11-03T11:59:00Z","mood":"m{id}","weather":"w{id}"}}"#
            );
            let message = if n % 20 < 2 { "bad" } else { &event };
            let partition = i32::try_from(n)? % PARTITIONS;
            self.sender
                .send(partition, Some(message.as_bytes()), KAFKA_TIME_MS)?;
        }
        self.sent += 40;
        self.sender.flush()
    }

    fn command(&self, models: &Path) -> std::process::Command {
        let mut command = ingest(&self.topic, &self.lake);
        command.arg("--models").arg(models);
        command.args(["--threads", "1", "--flush-interval", "0.05"]);
        command
    }

    fn start(&self, models: &Path, name: &str) -> Result<Running> {
        start(
            &mut self.command(models),
            &self.folder.path().join(format!("{name}.log")),
        )
    }

    /// The partitions that an ingester was given last, with its positions, as its log has them.
    fn assigned(&self, name: &str) -> Result<Option<String>> {
        let log = std::fs::read_to_string(self.folder.path().join(format!("{name}.log")))?;
        Ok(log
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .filter_map(|line| Some(line.get("positions")?.as_str()?.to_owned()))
            .next_back())
    }

    /// Waits until everything sent so far is in the lake.
    fn landed(&self) -> Result<()> {
        wait_for("all messages in the lake", PATIENCE, || {
            let tables =
                [EVENTS, "bronze.webtoon_quarantine"].map(|table| offsets(&self.lake, table));
            let mut rows = 0;
            for table in tables {
                rows += table?.values().map(Vec::len).sum::<usize>();
            }
            Ok((i64::try_from(rows)? >= self.sent).then_some(()))
        })
    }

    /// Every message is there once, and its new fields are in their columns or in `extra`: the number of rows with a value in a column.
    fn rows_with(&self, name: &str) -> Result<usize> {
        accounts_for_every_offset(&self.lake, "webtoon", &watermarks(&self.topic)?)?;
        every_version_is_consistent(&self.lake, "webtoon")?;
        let mut filled = 0;
        for file in snapshot(&self.lake, EVENTS)?.context("no bronze")?.files() {
            for batch in read_file(&self.lake, EVENTS, file)? {
                let ids = column(&batch, "event_id")?.as_string::<i32>();
                let extras = column(&batch, "extra")?.as_string::<i32>();
                let values = batch.column_by_name(name).map(|c| c.as_string::<i32>());
                for row in 0..batch.num_rows() {
                    let number = ids.value(row).trim_start_matches('e');
                    let wanted = format!("{}{number}", &name[..1]);
                    let value = values.filter(|values| values.is_valid(row));
                    let extra = extras.is_valid(row).then(|| extras.value(row));
                    match value {
                        Some(values) => {
                            ensure!(
                                values.value(row) == wanted,
                                "{wanted}: {}",
                                values.value(row)
                            );
                            filled += 1;
                        }
                        None => {
                            let kept: serde_json::Value =
                                serde_json::from_str(extra.context("neither column nor extra")?)?;
                            ensure!(kept[name] == wanted.as_str(), "{wanted}: {kept}");
                        }
                    }
                }
            }
        }
        Ok(filled)
    }
}

fn stop(running: Running) -> Result<()> {
    running.signal("TERM")?;
    let status = running.wait(PATIENCE)?;
    ensure!(status.success(), "{status}");
    Ok(())
}

#[test]
fn an_ingester_goes_on_when_another_or_init_adds_columns() -> Result<()> {
    let mut world = World::new("evolution")?;
    let old = models(world.folder.path(), &[])?;
    let new = models(world.folder.path(), &["mood"])?;
    let newest = models(world.folder.path(), &["mood", "weather"])?;
    world.send()?;
    let first = world.start(&old, "old")?;
    world.landed()?;
    ensure!(world.rows_with("mood")? == 0);

    // An ingester of the new contract comes beside it, and takes one of the two partitions.
    let second = world.start(&new, "new")?;
    wait_for("a partition each", PATIENCE, || {
        let (old, new) = (world.assigned("old")?, world.assigned("new")?);
        let one = |partitions: &Option<String>| {
            (partitions.as_ref()).is_some_and(|text| text.matches(':').count() == 1)
        };
        Ok((one(&old) && one(&new)).then_some(()))
    })?;
    world.send()?;
    world.landed()?;
    let filled = world.rows_with("mood")?;
    ensure!(
        filled == 18,
        "{filled} rows of the new ingester's partition"
    );

    // `init` of a contract that is newer still, under both.
    must(
        binary("userflow-jobs")
            .args(["init", "--domain", "webtoon", "--models"])
            .arg(&newest)
            .arg("--lake")
            .arg(&world.lake),
    )?;
    world.send()?;
    world.landed()?;
    ensure!(world.rows_with("mood")? == 36);
    ensure!(world.rows_with("weather")? == 0);
    stop(first)?;
    stop(second)
}

#[test]
fn an_ingester_of_an_older_contract_starts_on_a_newer_table() -> Result<()> {
    let mut world = World::new("evolution-back")?;
    let old = models(world.folder.path(), &[])?;
    let new = models(world.folder.path(), &["mood"])?;
    world.send()?;
    must(world.command(&new).arg("--until-caught-up"))?;
    ensure!(world.rows_with("mood")? == 36);
    world.send()?;
    let output = must(world.command(&old).arg("--until-caught-up"))?;
    let log = String::from_utf8_lossy(&output.stderr);
    ensure!(log.contains("WARN") && log.contains("mood"), "{log}");
    ensure!(world.rows_with("mood")? == 36);
    world.send()?;
    must(world.command(&new).arg("--until-caught-up"))?;
    ensure!(world.rows_with("mood")? == 72);
    Ok(())
}
