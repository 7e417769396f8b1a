//! What a run leaves behind: the right rows, in exactly its partition, however often it is repeated.

use userflow_lake::{Commit, Guard};

use crate::world::{World, rows};

#[test]
fn the_tables_hold_what_the_events_say() {
    let world = World::with_events();
    let summary = world.run_all();
    // v2 starts at 23:59 and is whole, in the first day.
    assert_eq!(
        world.content("silver.visits"),
        rows(&[
            (
                "2026-11-01",
                &[
                    "v1 ann 2 12 2026-11-01T08:00:00Z",
                    "v2 bob 2 3 2026-11-01T23:59:00Z"
                ]
            ),
            ("2026-11-02", &["v3 ann 1 3 2026-11-02T12:00:00Z"]),
            ("2026-11-03", &["v4 eve 1 4 2026-11-03T12:00:00Z"]),
        ])
    );
    assert_eq!(
        world.content("gold.user_daily"),
        rows(&[
            ("2026-11-01", &["ann 1 12 Ann", "bob 1 3 Bob"]),
            ("2026-11-02", &["ann 1 3 Ann"]),
            ("2026-11-03", &["eve 1 4 null"]),
        ])
    );
    assert_eq!(
        world.content("gold.user_3d"),
        rows(&[
            ("2026-11-01", &["ann 1", "bob 1"]),
            ("2026-11-02", &["ann 2", "bob 1"]),
            ("2026-11-03", &["ann 2", "bob 1", "eve 1"]),
        ])
    );
    assert_eq!(
        (&summary["status"], &summary["partitions"]),
        (&"done".into(), &9.into())
    );
    assert_eq!(summary["rows_written"], 4 + 4 + 7);
    let models: Vec<&str> = summary["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["model"].as_str().unwrap())
        .collect();
    assert_eq!(models[..3], ["silver.visits"; 3]);
    assert_eq!(models[3..6], ["gold.user_daily"; 3]);
}

#[test]
fn running_a_window_again_changes_nothing_and_touches_no_other_file() {
    let world = World::with_events();
    world.run_all();
    let (before, files) = (world.everything(), world.files("gold.user_daily"));
    let version = world.snapshot("gold.user_daily").version();
    world.ok(&["run", "gold.user_daily", "--date", "2026-11-02T13"]);
    assert_eq!(world.everything(), before);
    let now = world.files("gold.user_daily");
    assert_eq!(world.snapshot("gold.user_daily").version(), version + 1);
    assert_eq!(
        (&now["2026-11-01"], &now["2026-11-03"]),
        (&files["2026-11-01"], &files["2026-11-03"])
    );
    assert!(now["2026-11-02"].is_disjoint(&files["2026-11-02"]));
}

#[test]
fn equal_content_is_equal_bytes() {
    let (one, two) = (World::with_events(), World::with_events());
    one.run_all();
    two.run_all();
    let bytes = |world: &World| {
        let files = world.files("gold.user_daily");
        let folder = world.lake_dir().join("gold/user_daily");
        let read = |path: &String| std::fs::read(folder.join(path)).unwrap();
        files
            .into_iter()
            .map(|(date, paths)| (date, paths.iter().map(read).collect::<Vec<_>>()))
            .collect::<Vec<_>>()
    };
    assert_eq!(bytes(&one), bytes(&two));
}

#[test]
fn an_empty_input_empties_the_partition() {
    let world = World::with_events();
    world.run_all();
    let bronze = world.snapshot("bronze.demo_events");
    let removes = bronze.files_of(20_760..20_761);
    assert_eq!(removes.len(), 1, "2026-11-03 has one file");
    let commit = Commit {
        base: bronze.version(),
        removes,
        data_change: true,
        operation: "DELETE",
        ..Commit::default()
    };
    world
        .block_on(bronze.table().commit(&commit, &Guard::Everything))
        .unwrap();
    world.ok(&["run", "+gold.user_daily", "--date", "2026-11-03"]);
    for table in ["silver.visits", "gold.user_daily"] {
        let dates: Vec<String> = world.content(table).into_keys().collect();
        assert_eq!(dates, ["2026-11-01", "2026-11-02"], "{table}");
    }
}

#[test]
fn a_dry_run_computes_and_writes_nothing() {
    let world = World::with_events();
    let summary = world.ok(&["run", "silver.visits", "--date", "2026-11-01", "--dry-run"]);
    assert_eq!(
        (&summary["rows_written"], &summary["partitions"]),
        (&2.into(), &0.into())
    );
    assert_eq!(world.snapshot("silver.visits").version(), 0);
    assert!(world.files("silver.visits").is_empty());
}

/// A day of so many visits of one event each.
fn with_visits(count: usize) -> World {
    let world = World::new();
    let ids: Vec<String> = (0..count).map(|visit| format!("{visit:032}")).collect();
    let events: Vec<_> = ids
        .iter()
        .map(|id| (id.as_str(), id.as_str(), 1, "2026-11-01T08:00:00Z"))
        .collect();
    world.events(&events);
    world
}

#[test]
fn a_result_that_does_not_fit_in_memory_spills() {
    let world = with_visits(400_000);
    for limit in ["64MB", "4MB"] {
        let visits = ["run", "silver.visits", "--date", "2026-11-01"];
        let limits = ["--memory-limit", limit, "--threads", "2"];
        let report = world.ok(&[&visits[..], &limits].concat());
        assert_eq!(report["rows_written"], 400_000, "{limit}");
    }
}

#[test]
fn where_memory_is_short_one_thread_computes() {
    let world = with_visits(400_000);
    world.ok(&["run", "silver.visits", "--date", "2026-11-01"]);
    let users = ["run", "gold.user_daily", "--date", "2026-11-01"];
    // A join holds 40 MB of visits, and half of the limit is for operators: the rest is not enough for those of eight threads.
    let run =
        |limit| world.jobs(&[&users[..], &["--memory-limit", limit, "--threads", "8"]].concat());
    let (code, stdout, stderr) = run("96MB");
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    assert!(stderr.contains("again with one thread"), "{stderr}");
    let written = world.content("gold.user_daily");
    assert_eq!(written["2026-11-01"].len(), 400_000);
    // One thread that copies texts does with what was too little for it with views.
    let (code, stdout, stderr) = run("64MB");
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    let before = world.files("gold.user_daily");
    let (code, _, stderr) = run("32MB");
    assert_eq!(code, 1);
    assert!(
        stderr.contains("raise --memory-limit, or lower --threads"),
        "{stderr}"
    );
    assert_eq!(world.files("gold.user_daily"), before);
}
