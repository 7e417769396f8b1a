//! The operations log in a real PostgreSQL, and Slack played by a small server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use crate::database::Database;
use crate::world::World;

const DATE: &str = "2026-11-01";

/// A world whose gold blocks negative amounts, and a database that `init` prepared.
fn prepared() -> (World, Database) {
    let (world, database) = (World::with_events(), Database::new());
    world.guard_amount("1");
    world.ok(&["init", "--postgres-url", &database.url()]);
    (world, database)
}

fn bad_event(world: &World) {
    world.events(&[("bad", "eve", -100, "2026-11-01T12:00:00Z")]);
    world.ok(&["run", "silver.visits", "--date", DATE]);
}

#[test]
fn init_makes_the_tables_once_and_others_ask_for_it() {
    let (world, database) = (World::with_events(), Database::new());
    let url = database.url();
    for args in [
        &[
            "run",
            "silver.visits",
            "--date",
            DATE,
            "--postgres-url",
            &url,
        ][..],
        &[
            "check",
            "silver.visits",
            "--date",
            DATE,
            "--postgres-url",
            &url,
        ],
        &["check", "--trend", "--postgres-url", &url],
    ] {
        let (code, _, stderr) = world.jobs(args);
        assert!(
            code == 2 && stderr.contains("run `userflow-jobs init --postgres-url URL`"),
            "{stderr}"
        );
    }
    assert!(
        world.content("silver.visits").is_empty(),
        "it was refused before it did anything"
    );

    let dry = world.ok(&["init", "--postgres-url", &url, "--dry-run"]);
    assert_eq!(dry["ops"], serde_json::json!([1, 2, 3]));
    assert_eq!(
        database.value("to_regclass('ops.job_runs') IS NULL", "(VALUES (1)) AS one"),
        "true"
    );
    assert_eq!(
        world.ok(&["init", "--postgres-url", &url])["ops"],
        serde_json::json!([1, 2, 3])
    );
    assert_eq!(
        world.ok(&["init", "--postgres-url", &url])["ops"],
        serde_json::json!([])
    );
    assert_eq!(database.value("count(*)", "ops.job_runs"), "0");
}

#[test]
fn every_window_and_every_test_is_a_row() {
    let (world, database) = prepared();
    let url = database.url();
    let log = ["--postgres-url", &url, "--asked-by", "ann@desk"];
    bad_event(&world);
    let silver = world.snapshot("silver.visits").version();
    let summary = world.blocked(&[&["run", "+gold.user_daily", "--date", DATE][..], &log].concat());
    let run = [
        "command",
        "model",
        "window_date",
        "inputs",
        "version_written",
        "rows_read",
        "rows_written",
        "asked_by",
        "outcome",
        "message",
    ];
    let silver_now = world.snapshot("silver.visits").version();
    assert_eq!(silver_now, silver + 1);
    let bronze = world.snapshot("bronze.demo_events").version();
    assert_eq!(
        database.rows(&run, "ops.job_runs"),
        [
            format!(
                "run gold.user_daily 2026-11-01 {{silver.visits@{silver_now}}} null 3 0 ann@desk blocked rows: 1 of 3; accepted_range(amount): 1 of 3"
            ),
            format!(
                "run silver.visits 2026-11-01 {{bronze.demo_events@{bronze}}} {silver_now} 6 3 ann@desk done null"
            ),
        ]
    );
    assert_eq!(
        database.value("count(DISTINCT run_id)", "ops.job_runs"),
        "1"
    );
    assert_eq!(
        database.value(
            "bool_and(started_at BETWEEN now() - interval '5 min' AND now() AND seconds > 0)",
            "ops.job_runs"
        ),
        "true"
    );
    let columns = [
        "model",
        "window_date",
        "test",
        "severity",
        "threshold",
        "total",
        "failed",
        "status",
        "cardinality(sample)",
    ];
    assert_eq!(
        database.rows(&columns, "ops.quality_log"),
        [
            "gold.user_daily 2026-11-01 accepted_range(amount) error 1 3 1 block 1",
            "gold.user_daily 2026-11-01 rows error 1 3 1 block 1",
            "silver.visits 2026-11-01 not_null(visit_id) error 0.99 3 0 pass 0",
            "silver.visits 2026-11-01 rows error 0.99 3 0 pass 0",
            "silver.visits 2026-11-01 unique(visit_id) error 0.99 3 0 pass 0",
        ]
    );
    let sample = database.value(
        "sample[1]",
        "ops.quality_log WHERE test = 'rows' AND status = 'block'",
    );
    let sample: Value = serde_json::from_str(&sample).unwrap();
    assert_eq!(sample["amount"], -100);
    assert_eq!(summary["quality"]["results"].as_array().unwrap().len(), 5);

    // A window that is up to date, one that fails, one that is not run, and a table that is only judged.
    world.ok(&[&["backfill", "silver.visits", "--date", DATE][..], &log].concat());
    let (code, ..) =
        world.jobs(&[&["check", "gold.user_daily", "--date", DATE][..], &log].concat());
    assert_eq!(code, 0);
    world.put("demo/gold/user_3d.sql", "select event_date, user_id, 1 / (events - events) as visits from {{ ref('visits') }} where event_date = cast(cast('{{ var(\"window_start\") }}' as timestamp) as date)");
    let (code, _, stderr) = world.jobs(
        &[
            &["run", "gold.user_3d", "--from", DATE, "--to", "2026-11-03"][..],
            &log,
        ]
        .concat(),
    );
    assert_eq!(code, 1, "{stderr}");
    assert_eq!(
        database.rows(
            &["command", "model", "window_date", "outcome"],
            "ops.job_runs WHERE id > 2"
        ),
        [
            "backfill silver.visits 2026-11-01 skipped",
            "check gold.user_daily 2026-11-01 done",
            "run gold.user_3d 2026-11-01 failed",
            "run gold.user_3d 2026-11-02 not run",
        ]
    );
    assert_eq!(
        database.value(
            "message LIKE 'run gold.user_3d for 2026-11-01: %'",
            "ops.job_runs WHERE outcome = 'failed'"
        ),
        "true"
    );

    let trend = world.ok(&["check", "--trend", "--limit", "2", "--postgres-url", &url]);
    let runs = trend["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2);
    assert_eq!(
        (&runs[0]["model"], &runs[0]["blocked"]),
        (&"gold.user_daily".into(), &0.into())
    );
    assert_eq!(
        runs[1]["notable"],
        serde_json::json!(["rows: 1 of 3", "accepted_range(amount): 1 of 3"])
    );
    let (_, text, _) = world.jobs(&["check", "silver.*", "--trend", "--postgres-url", &url]);
    assert!(
        text.contains("silver.visits") && !text.contains("gold."),
        "{text}"
    );
}

#[test]
fn a_run_whose_error_quotes_a_nul_is_logged() {
    let (world, database) = prepared();
    let url = database.url();
    world.events(&[("odd", "a\0\u{1}b", 1, "2026-11-01T12:00:00Z")]);
    world.edit(
        "demo/silver/visits.sql",
        "min(user_id) as user_id",
        "cast(cast(min(case when visit_id = 'odd' then user_id end) as bigint) as varchar) as user_id",
    );
    let run = [
        "run",
        "+gold.user_daily",
        "--date",
        DATE,
        "--postgres-url",
        &url,
    ];
    let (code, _, stderr) = world.jobs(&run);
    assert!(
        code == 1 && !stderr.contains("NOT IN THE OPERATIONS LOG"),
        "{stderr}"
    );
    assert_eq!(
        database.rows(&["model", "outcome"], "ops.job_runs"),
        ["gold.user_daily not run", "silver.visits failed"]
    );
    let quoted = r"position('a\u0000' in message) > 0";
    assert_eq!(
        database.value(quoted, "ops.job_runs WHERE outcome = 'failed'"),
        "true"
    );
}

#[test]
fn a_window_that_the_log_refuses_is_said_and_keeps_no_other_waiting() {
    let (world, database) = prepared();
    let url = database.url();
    database.execute("ALTER TABLE ops.job_runs ADD CHECK (model <> 'silver.visits')");
    let run = [
        "run",
        "+gold.user_daily",
        "--date",
        DATE,
        "--postgres-url",
        &url,
    ];
    let (code, _, stderr) = world.jobs(&run);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(
        database.rows(&["model", "outcome"], "ops.job_runs"),
        ["gold.user_daily done"]
    );
    let version = world.snapshot("silver.visits").version();
    let said = format!(
        "NOT IN THE OPERATIONS LOG: silver.visits of {DATE} is done and published as version {version}"
    );
    assert!(stderr.contains(&said), "{stderr}");
    // What was not published is not said to be.
    world.edit(
        "demo/silver/visits.sql",
        "min(user_id) as user_id",
        "cast(1 / (count(*) - count(*)) as varchar) as user_id",
    );
    let (code, _, stderr) = world.jobs(&run);
    assert_eq!(code, 1, "{stderr}");
    let said = format!("silver.visits of {DATE} is failed and not published");
    assert!(stderr.contains(&said), "{stderr}");
}

#[test]
fn a_database_that_is_away_does_not_keep_a_window_from_being_published() {
    let world = World::with_events();
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("postgres://u:secret@127.0.0.1:{port}/d");
    let (code, _, stderr) = world.jobs(&[
        "run",
        "silver.visits",
        "--date",
        DATE,
        "--postgres-url",
        &url,
    ]);
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stderr.contains("THE OPERATIONS LOG IS AWAY")
            && stderr.contains("NOT IN THE OPERATIONS LOG"),
        "{stderr}"
    );
    assert!(!stderr.contains("secret"), "{stderr}");
    assert_eq!(world.content("silver.visits")[DATE].len(), 2);
}

#[test]
fn a_log_that_goes_away_half_way_is_written_when_it_is_back() {
    let (world, database) = prepared();
    let url = database.url();
    // The first window meets a table that refuses it; the second and the end meet one that does not.
    database.execute(
        "CREATE FUNCTION refuse_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           IF nextval('refusals') = 1 THEN RAISE EXCEPTION 'not now'; END IF; RETURN NEW; END $$;
         CREATE SEQUENCE refusals;
         CREATE TRIGGER refuse BEFORE INSERT ON ops.job_runs FOR EACH ROW EXECUTE FUNCTION refuse_once()",
    );
    let run = [
        "run",
        "silver.visits",
        "--from",
        DATE,
        "--to",
        "2026-11-04",
        "--postgres-url",
        &url,
    ];
    let (code, _, stderr) = world.jobs(&run);
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stderr.contains("could not be written, the job goes on") && stderr.contains("not now"),
        "{stderr}"
    );
    assert_eq!(
        database.rows(&["window_date", "outcome"], "ops.job_runs"),
        ["2026-11-01 done", "2026-11-02 done", "2026-11-03 done"]
    );
    assert_eq!(database.value("count(*)", "ops.quality_log"), "9");
}

/// A webhook that answers 200 and hands over what it was sent.
fn webhook() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/services/s3cret", listener.local_addr().unwrap());
    let (send, receive) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut length, mut line) = (0, String::new());
            while stream.read_line(&mut line).unwrap() > 2 {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
            stream.get_mut().write_all(answer).unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            if send
                .send(body["text"].as_str().unwrap().to_owned())
                .is_err()
            {
                break;
            }
        }
    });
    (url, receive)
}

fn run_telling(world: &World, webhook: &str, more: &[&str]) -> (i32, String) {
    let output = world
        .command(
            &[
                &["run", "gold.user_daily", "--date", DATE, "--notify"],
                more,
            ]
            .concat(),
        )
        .env("USERFLOW_SLACK_WEBHOOK", webhook)
        .output()
        .unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn slack_hears_of_done_block_and_recovery() {
    let (world, database) = prepared();
    let database_url = database.url();
    let log = ["--postgres-url", &database_url, "--asked-by", "<ann>"];
    let (url, heard) = webhook();
    let hear = || heard.recv_timeout(Duration::from_secs(30)).unwrap();
    world.ok(&["run", "silver.visits", "--date", DATE]);

    let (code, _) = run_telling(&world, &url, &log);
    let text = hear();
    assert_eq!(code, 0);
    assert!(
        text.contains("*userflow run* :white_check_mark: done: 1 windows done"),
        "{text}"
    );
    assert!(
        text.contains("2 rows written (asked by &lt;ann&gt;)"),
        "{text}"
    );

    bad_event(&world);
    let (code, stderr) = run_telling(&world, &url, &log);
    let text = hear();
    assert_eq!(code, 3);
    assert!(
        text.contains(":no_entry: blocked by the quality gate")
            && text.contains("gold.user_daily of 2026-11-01: accepted_range(amount): 1 of 3"),
        "{text}"
    );
    assert!(!stderr.contains("s3cret"), "{stderr}");

    world.edit(
        "demo/silver/visits.sql",
        "select * from visits\nwhere",
        "select * from visits\nwhere visit_id <> 'bad' and",
    );
    world.ok(&["run", "silver.visits", "--date", DATE]);
    let (code, _) = run_telling(&world, &url, &log);
    let text = hear();
    assert_eq!(code, 0);
    assert!(
        text.contains(":arrows_counterclockwise: recovered")
            && text.contains("recovered: gold.user_daily of 2026-11-01"),
        "{text}"
    );

    // Once is enough.
    run_telling(&world, &url, &log);
    assert!(hear().contains(":white_check_mark: done"));
}

#[test]
fn slack_hears_of_a_failure() {
    let world = World::with_events();
    let (url, heard) = webhook();
    std::fs::remove_dir_all(world.lake_dir().join("silver/visits/_delta_log")).unwrap();
    let (code, stderr) = run_telling(&world, &url, &[]);
    let text = heard.recv_timeout(Duration::from_secs(30)).unwrap();
    assert_ne!(code, 0, "{stderr}");
    assert!(
        text.contains(":x: failed") && text.contains("silver.visits"),
        "{text}"
    );
}

#[test]
fn a_webhook_that_is_down_or_slow_or_wrong_fails_no_job() {
    let world = World::with_events();
    world.ok(&["run", "silver.visits", "--date", DATE]);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    for url in [
        format!("http://127.0.0.1:{port}/services/s3cret"),
        format!("http://{}/services/s3cret", silent.local_addr().unwrap()),
    ] {
        let (code, stderr) = run_telling(&world, &url, &[]);
        assert_eq!(code, 0, "{stderr}");
        assert!(
            stderr.contains("Slack was not told") && !stderr.contains("s3cret"),
            "{stderr}"
        );
    }
    for url in ["ftp://host/s3cret", "s3cret", "file:///s3cret", ""] {
        let (code, stderr) = run_telling(&world, url, &[]);
        assert_eq!(code, 2, "{stderr}");
        assert!(
            stderr.contains("USERFLOW_SLACK_WEBHOOK") && !stderr.contains("s3cret"),
            "{stderr}"
        );
    }
    let (code, _, stderr) = world.jobs(&["run", "silver.visits", "--date", DATE, "--notify"]);
    assert!(
        code == 2 && stderr.contains("USERFLOW_SLACK_WEBHOOK"),
        "{stderr}"
    );
}
