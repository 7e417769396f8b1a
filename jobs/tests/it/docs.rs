//! `docs`: what stands in the pages, that nothing from outside becomes markup, that every link leads somewhere, and that the folder
//! is a function of its inputs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::database::Database;
use crate::init_online;
use crate::world::World;

/// Would be run by a browser, and by a template engine, if either took it for more than text.
const EVIL: &str =
    "<script>alert(1)</script><img src=x onerror=alert(2)> {{ 6101 * 6703 }} & \\\"quoted\\\"";
const OPS: &str = "CREATE SCHEMA ops;
CREATE TABLE ops.job_runs (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, run_id text NOT NULL, command text NOT NULL,
  model text NOT NULL, window_date date NOT NULL, started_at timestamptz NOT NULL, seconds double precision NOT NULL,
  inputs text[] NOT NULL, version_written bigint, rows_read bigint NOT NULL, rows_written bigint NOT NULL,
  asked_by text NOT NULL, outcome text NOT NULL, message text);
CREATE TABLE ops.quality_log (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, run_id text NOT NULL,
  checked_at timestamptz NOT NULL, model text NOT NULL, window_date date NOT NULL, test text NOT NULL, severity text NOT NULL,
  threshold double precision NOT NULL, total bigint NOT NULL, failed bigint NOT NULL, pass_rate double precision NOT NULL,
  status text NOT NULL, sample text[] NOT NULL);";

/// Every table of the world and its two feature views.
const NAMES: [&str; 8] = [
    "bronze.demo_events",
    "bronze.demo_quarantine",
    "gold.user_3d",
    "gold.user_daily",
    "online.demo_user",
    "online.demo_visit",
    "seeds.people",
    "silver.visits",
];

type Pages = BTreeMap<String, String>;

fn into(world: &World, folder: &str) -> PathBuf {
    world.models().with_file_name(folder)
}

fn docs(world: &World, folder: &str, more: &[&str]) -> (serde_json::Value, Pages) {
    let into = into(world, folder);
    let result = world.ok(&[&["docs", "--into", &into.to_string_lossy()][..], more].concat());
    (result, pages(&into))
}

fn pages(folder: &Path) -> Pages {
    let mut pages = Pages::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "html") {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            pages.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
    pages
}

/// What stands between `before` and the next quotation mark, everywhere.
fn attributes<'a>(page: &'a str, before: &str) -> Vec<&'a str> {
    let starts = page.match_indices(before).map(|(at, _)| at + before.len());
    starts
        .map(|start| page[start..].split('"').next().unwrap())
        .collect()
}

/// The page without its style, script and tags.
fn words(page: &str) -> String {
    let body = page.split("<body>").nth(1).unwrap();
    let texts = body
        .split('<')
        .filter_map(|part| Some(part.split_once('>')?.1));
    texts
        .collect::<Vec<_>>()
        .join(" ")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

fn has(page: &str, parts: &[&str]) {
    for part in parts {
        assert!(page.contains(part), "{part:?} is not in\n{page}");
    }
}

/// A world with tables, rows, feature views and silver that was computed.
fn world() -> World {
    let world = init_online::world();
    world.ok(&["init"]);
    world.events(&[
        ("v1", "ann", 5, "2026-11-01T08:00:00Z"),
        ("v2", "bob", 1, "2026-11-01T09:00:00Z"),
        ("v3", "ann", 3, "2026-11-03T12:00:00Z"),
    ]);
    world.ok(&[
        "run",
        "silver.visits",
        "--from",
        "2026-11-01",
        "--to",
        "2026-11-04",
    ]);
    world
}

#[test]
fn every_table_and_view_has_its_page_and_its_box_in_the_lineage() {
    let world = world();
    let (result, pages) = docs(&world, "site", &[]);
    let files: BTreeSet<String> = NAMES.iter().map(|name| format!("{name}.html")).collect();
    let expected: BTreeSet<String> = files
        .iter()
        .cloned()
        .chain(["index.html".to_owned()])
        .collect();
    assert_eq!(pages.keys().cloned().collect::<BTreeSet<_>>(), expected);
    assert_eq!(result["pages"].as_array().unwrap().len(), 9);
    let index = &pages["index.html"];
    let boxes: BTreeSet<&str> = attributes(index, "data-name=\"").into_iter().collect();
    let all: BTreeSet<&str> = NAMES.into_iter().chain(["demo.events"]).collect();
    assert_eq!(boxes, all, "with the topic");
    // A line per reading: two tables and two views read the topic, silver the events, gold silver and a seed, gold gold.
    assert_eq!(index.matches("<path class=\"line").count(), 4 + 1 + 2 + 1);

    let visits = words(&pages["silver.visits.html"]);
    has(
        &visits,
        &[
            "one row per visit, in the date of its first event",
            "One row per visit_id",
            "visit_id key string the visit unique not_null",
            "event_date partition date date of the first event",
            "2 hours on both sides",
            "Rows 3 Dates 2 2026-11-01 to 2026-11-03 Files 2",
            "Reads bronze.demo_events Read by gold.user_daily",
            "select * from delta.silver.visits where event_date = date &#x27;2026-11-03&#x27; limit 20",
            "models&#x2f;demo&#x2f;silver&#x2f;visits.sql , as it is in the file",
            "min(event_time)",
        ],
    );
    has(
        &pages["silver.visits.html"],
        &["aria-label=\"Rows by date, 2026-11-01 to 2026-11-03: 1 to 2\""],
    );
    has(
        &words(&pages["gold.user_daily.html"]),
        &["Reads silver.visits , seeds.people", "Dates 0 empty"],
    );
    has(
        &words(&pages["gold.user_3d.html"]),
        &["Reads before its window 2 days"],
    );
    let events = words(&pages["bronze.demo_events.html"]);
    has(
        &events,
        &[
            "One row per _topic_id , _partition , _offset",
            "look, buy",
            "at least 0",
            "the topic demo.events",
        ],
    );
    let view = words(&pages["online.demo_user.html"]);
    has(
        &view,
        &[
            "Window the last 1 hour, moving every 10 minutes",
            "looks bigint number of events where event_type is look",
            "rate double precision order &#x2f; looks ; 0 when the latter is 0",
            "PostgreSQL name online.demo_user",
            "window_end timestamptz",
            "Merged when read from online.demo_user__partials",
        ],
    );
    has(
        &words(&pages["seeds.people.html"]),
        &[
            "models&#x2f;demo&#x2f;seeds&#x2f;people.csv",
            "ref(&#x27;people&#x27;)",
        ],
    );
}

#[test]
fn every_link_leads_to_a_page_and_a_place_on_it() {
    let (_, pages) = docs(&world(), "site", &[]);
    let mut followed = 0;
    for (name, page) in &pages {
        let ids: Vec<&str> = attributes(page, " id=\"");
        assert_eq!(
            ids.iter().collect::<BTreeSet<_>>().len(),
            ids.len(),
            "{name} has an id twice"
        );
        for link in attributes(page, "href=\"") {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                page
            } else {
                pages.get(file).unwrap_or_else(|| panic!("{name}: {link}"))
            };
            assert!(
                anchor.is_empty() || target.contains(&format!(" id=\"{anchor}\"")),
                "{name}: {link}"
            );
            followed += 1;
        }
        // Nothing is loaded from anywhere else.
        for outside in ["src=\"", "url(", "@import", "<link", "http://", "https://"] {
            assert!(!page.contains(outside), "{name} has {outside}");
        }
    }
    assert!(followed > 100, "{followed}");
}

#[test]
fn what_comes_from_outside_is_never_markup() {
    let world = world();
    world.edit(
        "demo/silver/visits.yml",
        "one row per visit, in the date of its first event",
        &format!("\"{EVIL}\""),
    );
    world.edit(
        "demo/silver/visits.yml",
        "description: the visitor",
        &format!("description: \"{EVIL}\""),
    );
    world.edit(
        "demo/silver/visits.sql",
        "with events",
        "-- <script>alert(3)</script>\nwith events",
    );
    world.edit(
        "demo/features/demo_user.yml",
        "description: What a user's visits were",
        &format!("description: \"{EVIL}\""),
    );
    let database = Database::new();
    database.execute(OPS);
    let evil = EVIL.replace('\\', "");
    let verdict = "INSERT INTO ops.quality_log (run_id, checked_at, model, window_date, test, severity, threshold, total, failed, \
                   pass_rate, status, sample) VALUES ('r', now(), 'silver.visits', '2026-11-01', $1, $1, 0.99, 100, 2, 0.98, $1, ARRAY[$1])";
    database.query(sqlx::query(verdict).bind(&evil));
    let run = "INSERT INTO ops.job_runs (run_id, command, model, window_date, started_at, seconds, inputs, version_written, rows_read, \
               rows_written, asked_by, outcome, message) VALUES ('r', $1, 'silver.visits', '2026-11-01', now(), 1, ARRAY[$1], 1, 1, 1, $1, $1, $1)";
    database.query(sqlx::query(run).bind(&evil));
    let (_, pages) = docs(&world, "site", &["--postgres-url", &database.url()]);
    for (name, page) in &pages {
        let scripts = usize::from(name == "index.html");
        assert_eq!(page.matches("<script").count(), scripts, "{name}");
        assert!(
            !page.contains("<img") && !page.contains("<script>alert"),
            "{name}"
        );
        assert!(
            !page.contains("40895003"),
            "{name}: a text was taken for a template"
        );
    }
    // And it is shown: description, column, SQL; test, its plot and its sample; command, input, who asked, outcome, message.
    let shown = pages["silver.visits.html"]
        .matches("&lt;script&gt;alert(")
        .count();
    assert_eq!(shown, 3 + 3 + 5);
    has(
        &words(&pages["silver.visits.html"]),
        &["alert(3)", "{{ 6101 * 6703 }} &amp; &quot;quoted&quot;"],
    );
    has(&words(&pages["index.html"]), &["&lt;script&gt;alert(1)"]);
}

#[test]
fn runs_and_quality_are_shown_where_the_logs_have_them() {
    let world = world();
    let database = Database::new();
    let url = database.url();
    let (_, before) = docs(&world, "site", &["--postgres-url", &url]);
    assert!(
        !before["silver.visits.html"].contains("id=\"quality\""),
        "the database has no logs"
    );
    database.execute(OPS);
    let verdicts = [
        ("2026-11-01", "not_null(user_id)", 0, 1.0, "pass"),
        ("2026-11-02", "not_null(user_id)", 11, 0.989, "block"),
        ("2026-11-03", "not_null(user_id)", 50, 0.95, "block"),
        // Judged again, and mended.
        ("2026-11-03", "not_null(user_id)", 0, 1.0, "pass"),
        ("2026-11-03", "rows", 7, 0.993, "warn"),
    ];
    for (window, test, failed, rate, status) in verdicts {
        let severity = if test == "rows" { "warn" } else { "error" };
        database.execute(&format!(
            "INSERT INTO ops.quality_log (run_id, checked_at, model, window_date, test, severity, threshold, total, failed, pass_rate, \
             status, sample) VALUES ('r', '{window}', 'silver.visits', '{window}', '{test}', '{severity}', 0.99, 1000, {failed}, {rate}, '{status}', \
             CASE WHEN {failed} > 0 THEN ARRAY['{{\"row\": {failed}}}'] ELSE '{{}}' END)"
        ));
    }
    for run in 1..=12 {
        database.execute(&format!(
            "INSERT INTO ops.job_runs (run_id, command, model, window_date, started_at, seconds, inputs, version_written, rows_read, \
             rows_written, asked_by, outcome, message) VALUES ('r{run}', 'run', 'silver.visits', '2026-11-01'::date + {run}, \
             '2026-11-20T10:00:00Z', 1.5, ARRAY['bronze.demo_events@{run}'], {run}, 1234567, 12, 'ann@desk', 'done', NULL)"
        ));
    }
    let (_, pages) = docs(&world, "site", &["--postgres-url", &url]);
    let page = &pages["silver.visits.html"];
    has(
        page,
        &[
            "aria-label=\"not_null(user_id): pass rate of 3 windows, 2026-11-01 to 2026-11-03, lowest 98.90 %, last 100 %; blocked on 2026-11-02\"",
            "<title>2026-11-02: 98.90 %, 11 of 1,000 failed, blocked</title>",
        ],
    );
    let text = words(page);
    has(
        &text,
        &[
            "rows warn warns below 99 % 2026-11-03 99.30 % 7 of 1,000",
            "not_null(user_id) pass blocks below 99 % 2026-11-03 100 % 0 of 1,000",
            "1 failing row of 2026-11-02 {&quot;row&quot;: 11}",
            "Runs the last 10",
            "2026-11-13 done run from bronze.demo_events@12 2026-11-20 10:00 UTC 1.5 1,234,567 read, 12 written 12 ann@desk",
        ],
    );
    assert!(!text.contains("bronze.demo_events@2 "), "only the last ten");
    has(
        &words(&pages["index.html"]),
        &["last windows: 1 pass, 1 warn, 0 blocked"],
    );
    assert!(!pages["gold.user_daily.html"].contains("id=\"quality\""));
}

#[test]
fn the_same_inputs_give_the_same_bytes_and_a_new_model_appears() {
    let world = world();
    let (_, first) = docs(&world, "site", &[]);
    let (_, second) = docs(&world, "other", &[]);
    assert_eq!(first, second);
    let (again, _) = docs(&world, "site", &[]);
    assert_eq!(again["written"], serde_json::json!([]));

    world.put(
        "demo/gold/late.sql",
        "select event_date, visit_id from {{ ref('visits') }}",
    );
    world.put(
        "demo/gold/late.yml",
        "version: 2\nmodels:\n  - name: late\n    description: one row per visit\n    columns:\n      - {name: event_date, data_type: date}\n      - {name: visit_id, data_type: string}\n",
    );
    let (dry, same) = docs(&world, "site", &["--dry-run"]);
    assert_eq!(same, first, "a dry run writes nothing");
    let (done, third) = docs(&world, "site", &[]);
    assert_eq!(dry["written"], done["written"]);
    has(&third["index.html"], &["data-name=\"gold.late\""]);
    has(
        &words(&third["silver.visits.html"]),
        &["Read by gold.late , gold.user_daily"],
    );
    has(
        &words(&third["gold.late.html"]),
        &["Not in this lake yet", "One row per not declared"],
    );

    std::fs::remove_file(world.models().join("demo/gold/late.sql")).unwrap();
    std::fs::remove_file(world.models().join("demo/gold/late.yml")).unwrap();
    let (gone, fourth) = docs(&world, "site", &[]);
    assert_eq!(gone["removed"], serde_json::json!(["gold.late.html"]));
    assert_eq!(fourth, first);
}

#[test]
fn a_folder_with_other_files_is_refused() {
    let world = World::bare();
    let folder = into(&world, "papers");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("thesis.txt"), "years of work").unwrap();
    let (code, _, stderr) = world.jobs(&["docs", "--into", &folder.to_string_lossy()]);
    assert_eq!(code, 2, "{stderr}");
    has(&stderr, &["--into", "thesis.txt"]);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
}
