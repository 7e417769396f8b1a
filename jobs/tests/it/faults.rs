//! Conflicts with other writers, and death at any instant.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use userflow_lake::{Commit, FileWriter, Guard, NewFile, Table, WriteSettings};

use crate::world::{World, content_of, figure};

/// Adds one more file to the first day of silver, again and again, until told to stop: whoever computes that partition loses.
fn disturb(world: &World, mut stop: impl FnMut(Duration) -> bool) {
    let table = world.table("silver.visits");
    // Slower than a listing of the log, faster than any run: every run meets at least one of these commits.
    let pace = Duration::from_millis(2);
    let started = Instant::now();
    let mut base = world.snapshot("silver.visits").version();
    while !stop(started.elapsed()) {
        let adds = vec![foreign_file(world, &table)];
        let commit = Commit {
            base,
            adds,
            data_change: true,
            operation: "WRITE",
            ..Commit::default()
        };
        base = world
            .block_on(table.commit(&commit, &Guard::Txns(Default::default())))
            .unwrap();
        std::thread::sleep(pace);
    }
}

fn foreign_file(world: &World, table: &Table) -> NewFile {
    let schema = Table::file_schema(&world.snapshot_schema());
    let columns = schema
        .fields()
        .iter()
        .map(|field| arrow::array::new_null_array(field.data_type(), 1));
    let batch = arrow::array::RecordBatch::try_new(schema.clone(), columns.collect()).unwrap();
    let mut writer = FileWriter::new(&schema, &WriteSettings::default()).unwrap();
    writer.write(&batch).unwrap();
    world
        .block_on(table.put(writer.finish().unwrap(), 20_758))
        .unwrap()
}

impl World {
    fn snapshot_schema(&self) -> arrow::datatypes::SchemaRef {
        let project = userflow_models::project::Project::load(&self.models()).unwrap();
        project.model("silver.visits").unwrap().schema()
    }
}

#[test]
fn a_lost_conflict_is_computed_again_until_it_wins() {
    let world = World::with_events();
    let mut child = world
        .command(&[
            "run",
            "silver.visits",
            "--date",
            "2026-11-01",
            "--output",
            "json",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It is disturbed until it says that it lost, however long it takes to get there.
    let lost = Arc::new(AtomicBool::new(false));
    let says = BufReader::new(child.stderr.take().unwrap());
    let listener = std::thread::spawn({
        let lost = Arc::clone(&lost);
        move || {
            let lines = says.lines().map_while(Result::ok);
            let heard = lines.inspect(|line| {
                lost.fetch_or(line.contains("lost a conflict"), Ordering::Relaxed);
            });
            heard.collect::<Vec<String>>().join("\n")
        }
    });
    disturb(&world, |elapsed| {
        assert!(elapsed < Duration::from_secs(60), "it never lost");
        lost.load(Ordering::Relaxed)
    });
    let output = child.wait_with_output().unwrap();
    let stderr = listener.join().unwrap();
    assert!(output.status.success(), "{stderr}");
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        summary["runs"][0]["attempts"].as_u64().unwrap() > 1,
        "{summary}"
    );
    // It replaced the whole partition, what the other writer had put there included.
    let rows = &world.content("silver.visits")["2026-11-01"];
    assert_eq!(
        rows,
        &[
            "v1 ann 2 12 2026-11-01T08:00:00Z",
            "v2 bob 2 3 2026-11-01T23:59:00Z"
        ]
    );
}

#[test]
fn who_never_wins_gives_up_with_exit_code_4() {
    let world = World::with_events();
    let mut child = world
        .command(&["run", "silver.visits", "--date", "2026-11-01"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    disturb(&world, |elapsed| {
        assert!(
            elapsed < Duration::from_secs(60),
            "it neither won nor gave up"
        );
        child.try_wait().unwrap().is_some()
    });
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    assert!(stderr.contains("gave up after 5 attempts"), "{stderr}");
}

#[test]
fn windows_of_other_dates_do_not_conflict() {
    let world = World::with_events();
    let children: Vec<_> = ["2026-11-01", "2026-11-02", "2026-11-03"]
        .map(|date| {
            world
                .command(&["run", "silver.visits", "--date", date])
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        })
        .into_iter()
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let counts: Vec<usize> = world
        .content("silver.visits")
        .values()
        .map(Vec::len)
        .collect();
    assert_eq!(counts, [2, 1, 1]);
}

#[test]
fn sigkill_at_any_instant_leaves_the_old_or_the_new_version() {
    let world = World::with_events();
    let run = ["run", "silver.visits", "--date", "2026-11-01"];
    world.ok(&run);
    let (mut killed, mut finished) = (0, 0);
    let ids: Vec<String> = (0..30).map(|round| format!("k{round:02}")).collect();
    for (round, id) in ids.iter().enumerate() {
        let old = world.content("silver.visits")["2026-11-01"].clone();
        world.events(&[(id, "zoe", 1, "2026-11-01T10:00:00Z")]);
        // Every event so far, whether or not a run got to it.
        let new = visits(&ids[..=round]);

        let mut child = world
            .command(&run)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_millis(4 * round as u64);
        while Instant::now() < deadline && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        if child.wait().unwrap().success() {
            finished += 1;
        } else {
            killed += 1;
        }

        let now = world.content("silver.visits")["2026-11-01"].clone();
        assert!(
            now == old || now == new,
            "round {round}: neither the old nor the new version\n{now:?}"
        );
        if round % 3 == 0 {
            world.ok(&run);
            assert_eq!(
                world.content("silver.visits")["2026-11-01"],
                new,
                "round {round}: the next run repairs it"
            );
        }
    }
    assert!(
        killed > 5,
        "{killed} killed, {finished} finished: nothing was interrupted"
    );
    figure(&format!(
        "row 19, run: {} rounds killed at random, {killed} before their end, 0 partitions neither old nor new",
        ids.len()
    ));
    // Every version that was ever committed is one of these results, whole.
    for version in 1..=world.snapshot("silver.visits").version() {
        let snapshot = world
            .block_on(world.table("silver.visits").snapshot_at(version))
            .unwrap()
            .unwrap();
        let rows = content_of(&world.lake_dir(), &snapshot)["2026-11-01"].clone();
        assert_eq!(rows, visits(&ids[..rows.len() - 2]), "version {version}");
    }
}

/// The rows of the first day when these visits of zoe have been added.
fn visits(ids: &[String]) -> Vec<String> {
    let mut rows: Vec<String> = ids
        .iter()
        .map(|id| format!("{id} zoe 1 1 2026-11-01T10:00:00Z"))
        .collect();
    rows.extend([
        "v1 ann 2 12 2026-11-01T08:00:00Z".to_owned(),
        "v2 bob 2 3 2026-11-01T23:59:00Z".to_owned(),
    ]);
    rows.sort();
    rows
}
