//! Online tables that somebody changed by hand: said at start and by `init`, with the way out, and told in the same words when it happens
//! while the process runs.

use std::time::Duration;

use anyhow::{Result, ensure};
use userflow_tests::broker::{Sender, create_topic};
use userflow_tests::process::{binary, must, start, wait_for};

use super::events::{event, now_ms, send};
use super::{PATIENCE, Store};

/// The table with the rows of `webtoon_session`.
const TABLE: &str = "online.webtoon_session_id__user_id__webtoon_id__episode_id__rows";

/// What was done to a table, and a word that must be said of it.
const CHANGES: [(&str, &str); 7] = [
    (
        r#"DROP COLUMN "webtoon_session.browser""#,
        "column webtoon_session.browser (text) is missing",
    ),
    (
        "ADD COLUMN extra int NOT NULL DEFAULT 0; ALTER TABLE TABLE ALTER COLUMN extra DROP DEFAULT",
        "column extra is not one of ours",
    ),
    (
        r#"ALTER COLUMN "webtoon_session.event_count" TYPE int"#,
        "column webtoon_session.event_count is integer, not bigint",
    ),
    (
        r#"ALTER COLUMN "webtoon_session.country" TYPE varchar(1) USING left("webtoon_session.country", 1)"#,
        "column webtoon_session.country is character varying(1), not text",
    ),
    (
        r#"RENAME COLUMN "webtoon_session.browser" TO agent"#,
        "column webtoon_session.browser (text) is missing",
    ),
    (
        "DROP CONSTRAINT webtoon_session_id__user_id__webtoon_id__episode_id__rows_pkey",
        "the primary key (session_id, user_id, webtoon_id, episode_id, _partition) is missing",
    ),
    (
        r#"ALTER COLUMN "webtoon_session.dwell_time_ms" SET NOT NULL"#,
        "column webtoon_session.dwell_time_ms must not be null",
    ),
];

#[test]
fn a_table_changed_by_hand_is_told_with_the_way_out() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let topic = create_topic("online.byhand", 1)?;
    let store = Store::create(folder.path(), "byhand")?;
    let sender = Sender::new(&topic)?;
    let mut first = event("first", "enter", now_ms());
    first["dwell_time_ms"] = 1.into();
    send(&sender, &first, now_ms())?;
    store.catch_up(&topic)?;
    let init = |more: &[&str]| {
        let mut command = binary("userflow-jobs");
        command
            .args(["init", "--domain", "webtoon", "--lake"])
            .arg(folder.path().join("byhand.lake"))
            .args(["--postgres-url", store.database.url()])
            .args(more);
        command
    };
    for (change, word) in CHANGES {
        // The SQL views would be in the way of some of them, as of a person who then drops them.
        store.database.execute(&format!(
            "DROP VIEW IF EXISTS online.webtoon_session__partials CASCADE; ALTER TABLE {TABLE} {}",
            change.replace("TABLE TABLE", &format!("TABLE {TABLE}"))
        ))?;
        for output in [
            init(&[]).output()?,
            init(&["--dry-run"]).output()?,
            store.sessionize(&topic).arg("--until-caught-up").output()?,
        ] {
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(
                output.status.code() == Some(2),
                "{change}: {}: {said}",
                output.status
            );
            ensure!(said.contains(word), "{change}: {said}");
            ensure!(
                said.contains("userflow-jobs init --recreate webtoon_session"),
                "{change}: {said}"
            );
        }
        must(&mut init(&["--recreate", "webtoon_session"]))?;
    }
    // The way out leads out: the session is there again.
    store.catch_up(&topic)?;
    ensure!(store.session("first")?.is_some());
    // A merging view that is gone is made again, without a row lost.
    store.database.execute("DROP VIEW online.webtoon_session")?;
    let done = must(init(&["--output", "json"]).stderr(std::process::Stdio::null()))?;
    let done = String::from_utf8_lossy(&done.stdout);
    ensure!(done.contains("repaired"), "{done}");
    ensure!(store.session("first")?.is_some());
    Ok(())
}

#[test]
fn a_change_while_the_process_runs_ends_it_in_our_words() -> Result<()> {
    for (number, change) in [
        r#"DROP COLUMN "webtoon_session.browser" CASCADE"#,
        "ADD COLUMN extra int NOT NULL DEFAULT 0; ALTER TABLE TABLE ALTER COLUMN extra DROP DEFAULT",
    ]
    .into_iter()
    .enumerate()
    {
        let folder = tempfile::tempdir()?;
        let label = format!("under_way_{number}");
        let topic = create_topic(&format!("online.{label}"), 1)?;
        let store = Store::create(folder.path(), &label)?;
        let log = folder.path().join("sessionize.log");
        let mut running = start(&mut store.sessionize(&topic), &log)?;
        let sender = Sender::new(&topic)?;
        send(&sender, &event("first", "enter", now_ms()), now_ms())?;
        wait_for("the first session", PATIENCE, || store.session("first"))?;
        store.database.execute(&format!(
            "ALTER TABLE {TABLE} {}",
            change.replace("TABLE TABLE", &format!("TABLE {TABLE}"))
        ))?;
        send(&sender, &event("second", "enter", now_ms()), now_ms())?;
        let status = wait_for("its end", Duration::from_secs(30), || running.ended())?;
        let said = std::fs::read_to_string(&log)?;
        ensure!(status.code() == Some(2), "{change}: {status}: {said}");
        ensure!(
            said.contains("is not as `userflow-jobs init` made it")
                && said.contains("--recreate webtoon_session"),
            "{change}: {said}"
        );
        let aside = store
            .database
            .number("SELECT count(*) FROM ops.rows_set_aside")?;
        ensure!(
            aside == 0,
            "a good row was set aside for a table that was changed"
        );
    }
    Ok(())
}
