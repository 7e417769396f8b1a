//! A broken model, contract or flag gives one clear message that names the file and line or the flag, and exit code 2.

use crate::world::World;

/// Runs the arguments, which must exit 2 with all words on standard error and nothing on standard output.
fn refused(world: &World, args: &[&str], words: &[&str]) {
    let (code, stdout, stderr) = world.jobs(args);
    assert_eq!(code, 2, "{args:?}\n{stdout}\n{stderr}");
    for word in words {
        assert!(stderr.contains(word), "{args:?}: {word}\n{stderr}");
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
}

const RUN: [&str; 4] = ["run", "+gold.*", "--date", "2026-11-01"];

#[test]
fn broken_sql_is_named_by_file_and_line() {
    for (from, to, words) in [
        (
            "select event_date, visits.user_id",
            "selec event_date",
            &["user_daily.sql:1"][..],
        ),
        (
            "sum(amount) as amount",
            "sum(amuont) as amount",
            &["user_daily.sql:1", "amuont"],
        ),
        (
            "left join {{ ref('people') }}",
            "left join {{ ref('poeple') }}",
            &["user_daily.sql:3", "close to it: people"],
        ),
        (
            "where event_date",
            "where {% if true %} event_date",
            &["user_daily.sql:4", "`{%` is not allowed"],
        ),
        (
            "min(name) as name",
            "min(name) as nom",
            &[
                "user_daily.sql",
                "does not return name",
                "returns nom",
                "user_daily.yml",
            ],
        ),
        (
            "count(*) as visits",
            "'many' as visits",
            &[
                "user_daily.sql",
                "column visits is Utf8",
                "user_daily.yml declares bigint",
            ],
        ),
        (
            "count(*) as visits",
            "count(now()) as visits",
            &["user_daily.sql", "now"],
        ),
        (
            "count(*) as visits",
            "count(random()) as visits",
            &["user_daily.sql", "random"],
        ),
    ] {
        let world = World::with_events();
        world.run_all();
        world.edit("demo/gold/user_daily.sql", from, to);
        refused(&world, &RUN, words);
    }
}

#[test]
fn a_broken_yml_is_named_by_file_and_line() {
    for (from, to, words) in [
        (
            "data_type: bigint",
            "data_type: bigger",
            &["user_daily.yml:8", "unknown data_type `bigger`"][..],
        ),
        (
            "{name: user_id, data_type: string,",
            "{name: user_id,",
            &["user_daily.yml:7", "data_type"],
        ),
        (
            "    columns:",
            "    colums:",
            &["user_daily.yml:5", "colums"],
        ),
        (
            "description: one row",
            "config: {meta: {lookbak: 1d}}\n    description: one row",
            &["user_daily.yml:4", "lookbak"],
        ),
        (
            "- name: user_daily",
            "- name: user_dialy",
            &["user_daily.yml:3", "user_dialy"],
        ),
    ] {
        let world = World::new();
        world.edit("demo/gold/user_daily.yml", from, to);
        refused(&world, &RUN, words);
    }
}

#[test]
fn a_broken_contract_is_named_by_file_and_field() {
    let world = World::new();
    world.edit(
        "demo/contract.json",
        "\"x-event-time\": \"event_time\"",
        "\"x-event-time\": \"event_tiem\"",
    );
    refused(
        &world,
        &["init"],
        &["contract.json", "x-event-time", "event_tiem"],
    );
    refused(
        &World::new(),
        &["init", "--domain", "dmeo"],
        &["dmeo", "demo"],
    );
}

#[test]
fn reading_more_than_is_declared_is_refused() {
    let world = World::with_events();
    world.run_all();
    world.edit(
        "demo/gold/user_3d.sql",
        "'lookback': '2d'",
        "'lookback': '1d'",
    );
    refused(
        &world,
        &["run", "gold.user_3d", "--date", "2026-11-03"],
        &["user_3d.sql", "lookback of 1 days", "event_date=2026-11-01"],
    );
    world.edit(
        "demo/silver/visits.sql",
        "where event_date >=",
        "where cast(event_date as varchar) || random >=",
    );
    let unpruned = "where event_time >= cast('2026-11-01' as timestamp) and event_date is not null and event_date >= date '2000-01-01' and event_date >";
    world.edit(
        "demo/silver/visits.sql",
        "where cast(event_date as varchar) || random >",
        unpruned,
    );
    world.edit(
        "demo/silver/visits.sql",
        "event_date <= cast",
        "event_time <= cast",
    );
    refused(
        &world,
        &["run", "silver.visits", "--date", "2026-11-01"],
        &["visits.sql", "margin of 7200 s", "bare column event_date"],
    );
}

#[test]
fn a_row_of_another_date_is_refused() {
    let world = World::with_events();
    world.edit(
        "demo/silver/visits.sql",
        "where event_date =",
        "where event_date <>",
    );
    refused(
        &world,
        &["run", "silver.visits", "--date", "2026-11-02"],
        &["visits.sql", "2026-11-02", "event_date 2026-11-0"],
    );
    assert!(world.files("silver.visits").is_empty());
}

#[test]
fn wrong_flags_are_named() {
    let world = World::with_events();
    for (args, words) in [
        (
            &["run", "gold.user_dialy", "--date", "2026-11-01"][..],
            &["gold.user_dialy", "gold.user_daily"][..],
        ),
        (&["run", "gold.*"], &["--date T"]),
        (
            &["run", "gold.*", "--date", "2026-11-31"],
            &["`2026-11-31`", "2026-11-01T05"],
        ),
        (
            &[
                "run",
                "gold.*",
                "--from",
                "2026-11-02",
                "--to",
                "2026-11-01",
            ],
            &["--to is exclusive"],
        ),
        (&["run", "gold.*", "--from", "2026-11-02"], &["--to"]),
        (
            &[
                "run",
                "gold.*",
                "--date",
                "2026-11-01",
                "--memory-limit",
                "lots",
            ],
            &["--memory-limit", "lots"],
        ),
        (
            &["backfill", "gold.*", "--date", "2026-11-01", "--jobs", "0"],
            &["--jobs", "0"],
        ),
        (&["show", "user_daily"], &["user_daily", "layer.table"]),
        (&["show", "gold.absent"], &["gold.absent", "init"]),
        (
            &["show", "silver.visits", "--where", "amuont > 1"],
            &["amuont"],
        ),
        (
            &["maintain", "gold.absent"],
            &["gold.absent", "gold.user_daily"],
        ),
        (&["plan", "--lake", "ftp://host/lake"], &["ftp"]),
        (&["plan", "--models", "/nowhere"], &["/nowhere"]),
        (&["fly"], &["fly"]),
    ] {
        refused(&world, args, words);
    }
}

#[test]
fn a_run_before_init_says_so() {
    refused(
        &World::bare(),
        &RUN,
        &["silver.visits", "userflow-jobs init"],
    );
}

#[test]
fn a_broken_seed_is_named_by_file_and_line() {
    let world = World::with_events();
    world.put("demo/seeds/people.csv", "user_id,name,age\nann,Ann,3\n");
    refused(&world, &RUN, &["people.csv:1", "age"]);
}
