//! Windows whose rows come and go without an event of their own: sessions without an id, and the window that moves with every event.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use userflow_tests::broker::{Sender, create_topic};
use userflow_tests::process::{binary, must};

use super::events::{event, now_ms, rfc3339, scrolled, send};
use super::{Store, summary};

const VISIT: &str = "feature_view: webtoon_visit
description: A visit of a reader
entity: user_id
partition_local: true
window: {session: 10m, keep: 1h, start: began}
features:
  events: {count: {}}
";

const NOW: &str = "feature_view: webtoon_now
description: What a reader does now
entity: user_id
window: {sliding: 10m}
features:
  events: {count: {}}
  mean: {avg: scroll_ratio}
";

const MINUTE: i64 = 60_000;

/// A store with these views beside the domain's own, and what reads its topic.
struct Windows {
    store: Store,
    models: std::path::PathBuf,
    topic: String,
}

impl Windows {
    fn create(folder: &Path) -> Result<Self> {
        let models = folder.join("models");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
        fs::create_dir(&models)?;
        let copied = ["webtoon", "dbt_project.yml"].map(|name| source.join(name));
        must(Command::new("cp").arg("-r").args(copied).arg(&models))?;
        for (name, text) in [("visit", VISIT), ("now", NOW)] {
            fs::write(
                models.join(format!("webtoon/features/webtoon_{name}.yml")),
                text,
            )?;
        }
        let store = Store::create(folder, "windows")?;
        must(
            binary("userflow-jobs")
                .args(["init", "--domain", "webtoon", "--lake"])
                .arg(folder.join("windows.lake"))
                .args(["--postgres-url", store.database.url(), "--models"])
                .arg(&models),
        )?;
        Ok(Self {
            store,
            models,
            topic: create_topic("online.windows", 1)?,
        })
    }

    fn catch_up(&self, more: &[&str]) -> Result<()> {
        let mut command = self.store.sessionize(&self.topic);
        command.arg("--models").arg(&self.models);
        summary(command.arg("--until-caught-up").args(more))?;
        Ok(())
    }

    /// The visits: minute of the start, events, whether it has ended.
    fn visits(&self, start: i64) -> Result<Vec<(i64, i64, bool)>> {
        self.store.database.rows(&format!(
            "SELECT ((extract(epoch FROM began) * 1000 - {start}) / {MINUTE})::bigint, events, is_final FROM online.webtoon_visit ORDER BY 1"
        ))
    }

    fn visits_kept(&self) -> Result<i64> {
        (self.store.database).number("SELECT count(*) FROM online.webtoon_user_id__began__local")
    }

    fn now(&self) -> Result<Vec<(i64, Option<f64>)>> {
        (self.store.database).rows("SELECT events, mean FROM online.webtoon_now")
    }
}

#[test]
fn late_events_move_and_merge_sessions_without_an_id_and_windows_empty_by_themselves() -> Result<()>
{
    let folder = tempfile::tempdir()?;
    let windows = Windows::create(folder.path())?;
    let sender = Sender::new(&windows.topic)?;
    let start = now_ms() / 1_000 * 1_000 - 180 * MINUTE;
    let at = |minute: i64| start + minute * MINUTE;
    let happens = |event: serde_json::Value| send(&sender, &event, now_ms());

    happens(event("s", "enter", at(0)))?;
    happens(scrolled("s", "scroll", at(15), 0.75))?;
    windows.catch_up(&[])?;
    ensure!(windows.visits(start)? == [(0, 1, true), (15, 1, false)]);
    ensure!(windows.now()? == [(1, Some(0.75))]);

    // Seven and eight minutes from both.
    happens(scrolled("s", "scroll", at(7), 0.25))?;
    windows.catch_up(&[])?;
    ensure!(windows.visits(start)? == [(0, 3, false)]);
    ensure!(windows.visits_kept()? == 2);
    ensure!(windows.now()? == [(2, Some(0.5))], "the first has left");

    // Exactly the gap before the first.
    happens(event("s", "enter", at(-10)))?;
    windows.catch_up(&[])?;
    ensure!(windows.visits(start)? == [(-10, 4, false)]);
    ensure!(windows.visits_kept()? == 3);

    // The partition is read again from its start, into a store that has all this.
    let elsewhere = folder.path().join("elsewhere");
    let windows = Windows {
        store: (windows.store.in_another_group()).with_checkpoints(&elsewhere.to_string_lossy()),
        ..windows
    };
    windows.catch_up(&[])?;
    ensure!(windows.visits(start)? == [(-10, 4, false)]);
    ensure!(windows.visits_kept()? == 3);
    ensure!(windows.now()? == [(2, Some(0.5))]);

    // Nothing comes any more: events leave, and the session ends.
    windows.catch_up(&["--advance-to", &rfc3339(at(17))])?;
    ensure!(windows.now()? == [(1, Some(0.75))]);
    ensure!(windows.visits(start)? == [(-10, 4, false)]);
    windows.catch_up(&["--advance-to", &rfc3339(at(26))])?;
    ensure!(windows.now()? == [(0, None)]);
    ensure!(windows.visits(start)? == [(-10, 4, true)]);
    Ok(())
}
