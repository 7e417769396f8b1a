//! `new-domain`: samples of six producers become domains that load, compile, and run; what is wrong is said; nothing is overwritten.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, new_null_array};
use serde_json::{Value, json};
use userflow_lake::{Commit, FileWriter, Guard, Table, WriteSettings};
use userflow_models::bronze;
use userflow_models::decode::Decoder;
use userflow_models::domain::Domain;
use userflow_models::features;
use userflow_models::project::Window;

use crate::world::World;
use userflow_tests::shapes::{EVENTS, FLAT, Fact, SHAPES, Shape, facts};

const DATE: &str = "2026-11-01";

/// A world that has only what is made in it.
fn empty() -> World {
    let world = World::bare();
    std::fs::remove_dir_all(world.models()).unwrap();
    world
}

fn sample(world: &World, text: &str) -> String {
    let path = world.models().with_file_name("sample.jsonl");
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

/// Makes the domain `name` of a sample; the summary.
fn made(world: &World, name: &str, text: &str, more: &[&str]) -> Value {
    let path = sample(world, text);
    world.ok(&[&["new-domain", name, "--from", &path], more].concat())
}

/// Exit code and standard error of a sample that is refused.
fn refused(world: &World, text: &str, more: &[&str]) -> String {
    let path = sample(world, text);
    let (code, _, stderr) = world.jobs(&[&["new-domain", "made", "--from", &path], more].concat());
    assert_eq!(code, 2, "{stderr}");
    assert!(!world.models().join("made").exists());
    let left = std::fs::read_dir(world.models()).map_or(0, Iterator::count);
    assert_eq!(left, 0, "what was staged is removed");
    stderr
}

/// The pointers of the roles: type, time, user, session, event id.
fn roles(summary: &Value) -> Vec<&str> {
    let roles = summary["roles"].as_array().unwrap().iter();
    roles
        .take(5)
        .map(|role| role["field"].as_str().unwrap())
        .collect()
}

fn columns(summary: &Value) -> BTreeMap<&str, &str> {
    let columns = summary["columns"].as_array().unwrap().iter();
    columns
        .map(|column| {
            (
                column["name"].as_str().unwrap(),
                column["type"].as_str().unwrap(),
            )
        })
        .collect()
}

/// A bigint, which `show` prints as a number or as its digits.
fn whole(cell: &Value) -> i64 {
    cell.as_i64()
        .unwrap_or_else(|| cell.as_str().unwrap().parse().unwrap())
}

/// Decodes every line by the contract and appends the rows to bronze, as an ingester would.
fn land(world: &World, name: &str, text: &str) {
    let domain = Domain::load(&world.models(), name).unwrap();
    let mut decoder = Decoder::new(&domain.contract);
    for (index, line) in text.lines().enumerate() {
        let decoded = decoder.decode(line.as_bytes(), -1);
        decoded.unwrap_or_else(|rejection| panic!("{name}, line {}: {rejection}", index + 1));
    }
    let events = decoder.finish();
    let table = world.table(&format!("bronze.{name}_events"));
    let schema = Table::file_schema(&bronze::events(&domain.contract).schema);
    let rows = events.num_rows();
    let columns = schema.fields().iter().map(|field| -> ArrayRef {
        match field.name().as_str() {
            "_topic_id" => Arc::new(StringArray::from(vec!["t"; rows])),
            "_partition" => Arc::new(Int32Array::from(vec![0; rows])),
            "_offset" => Arc::new(Int64Array::from_iter_values(0..rows as i64)),
            name => match events.column_by_name(name) {
                Some(column) => Arc::clone(column),
                None => new_null_array(field.data_type(), rows),
            },
        }
    });
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap();
    let mut writer = FileWriter::new(&schema, &WriteSettings::default()).unwrap();
    writer.write(&batch).unwrap();
    let date = DATE.parse::<Window>().unwrap().days();
    let file = world
        .block_on(table.put(writer.finish().unwrap(), date))
        .unwrap();
    let base = world.snapshot(&format!("bronze.{name}_events")).version();
    let commit = Commit {
        base,
        adds: vec![file],
        data_change: true,
        operation: "WRITE",
        ..Commit::default()
    };
    world
        .block_on(table.commit(&commit, &Guard::Txns(Default::default())))
        .unwrap();
}

/// Events of each user, in all and of each type, by a plain loop.
fn expected(shape: &Shape, facts: &[Fact]) -> BTreeMap<String, [i64; 5]> {
    let mut users: BTreeMap<String, [i64; 5]> = BTreeMap::new();
    for fact in facts {
        let counts = users.entry((shape.user)(fact.user)).or_default();
        counts[0] += 1;
        counts[1 + fact.kind] += 1;
    }
    users
}

#[test]
fn each_shape_becomes_a_domain_that_runs() {
    for shape in &SHAPES {
        let world = empty();
        let facts = facts(11);
        let text = shape.lines(&facts);
        let summary = made(&world, shape.name, &text, &[]);
        assert_eq!(summary["events"], EVENTS, "{}", shape.name);
        let wanted = [&shape.needed[..], &shape.optional[..]].concat();
        assert_eq!(roles(&summary), wanted, "{}", shape.name);
        let found = columns(&summary);
        for (column, kind) in shape.columns {
            assert_eq!(
                found.get(column),
                Some(kind),
                "{}: {column} in {found:?}",
                shape.name
            );
        }

        let domain = Domain::load(&world.models(), shape.name).unwrap();
        let views = features::load(&domain).unwrap();
        assert_eq!(views.len(), 3, "{}", shape.name);
        assert_eq!(
            domain.contract.session().is_some(),
            shape.optional[0] != "none"
        );
        assert_eq!(
            domain.contract.event_id().is_some(),
            shape.optional[1] != "none"
        );
        // The first cases hold: the decoder, the streaming engine and the SQL models agree with them.
        let (code, stdout, stderr) = world.jobs(&["test"]);
        assert_eq!(code, 0, "{}: {stdout} {stderr}", shape.name);
        world.ok(&["list"]);
        world.ok(&["init"]);
        world.ok(&["compile"]);

        // One event twice: it is told where events have an id, and only there.
        let twice = format!("{text}\n{}", (shape.write)(&facts[0]));
        land(&world, shape.name, &twice);
        let gold = format!("gold.{}_user_daily", shape.name);
        world.ok(&["run", &format!("+{gold}"), "--date", DATE]);
        let mut counted = expected(shape, &facts);
        if shape.optional[1] == "none" {
            let counts = counted.get_mut(&(shape.user)(facts[0].user)).unwrap();
            counts[0] += 1;
            counts[1 + facts[0].kind] += 1;
        }
        assert_eq!(shown(&world, shape, &gold), counted, "{}", shape.name);
        let (code, stdout, stderr) = world.jobs(&["check", "--date", DATE]);
        assert_eq!(code, 0, "{}: {stdout} {stderr}", shape.name);
    }
}

/// The rows of gold: events of each user, in all and of each type.
fn shown(world: &World, shape: &Shape, gold: &str) -> BTreeMap<String, [i64; 5]> {
    let shown = world.ok(&["show", gold, "--date", DATE, "--limit", "1000"]);
    let names: Vec<&str> = shown["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    let domain = Domain::load(&world.models(), shape.name).unwrap();
    let place = |name: &str| names.iter().position(|column| *column == name).unwrap();
    // The yml says which column counts which type.
    let yml = std::fs::read_to_string(
        domain
            .dir
            .join(format!("gold/{}_user_daily.yml", shape.name)),
    )
    .unwrap();
    let counter = |event_type: &str| {
        let (before, _) = yml
            .split_once(&format!("\"of them {event_type}\""))
            .unwrap();
        let (_, name) = before.rsplit_once("- name: ").unwrap();
        place(name.lines().next().unwrap())
    };
    let counters = shape.types.map(counter);
    let user = place(domain.contract.key());
    let rows = shown["rows"].as_array().unwrap().iter();
    rows.map(|row| {
        let number = |at: usize| whole(&row[at]);
        let counts = [
            place("events"),
            counters[0],
            counters[1],
            counters[2],
            counters[3],
        ];
        (row[user].as_str().unwrap().to_owned(), counts.map(number))
    })
    .collect()
}

#[test]
fn what_exists_is_never_overwritten() {
    let world = empty();
    let text = FLAT.lines(&facts(1));
    made(&world, "made", &text, &[]);
    let contract = world.models().join("made/contract.json");
    std::fs::write(&contract, "mine").unwrap();
    let path = sample(&world, &text);
    for more in [&[][..], &["--dry-run"]] {
        let (code, _, stderr) =
            world.jobs(&[&["new-domain", "made", "--from", &path], more].concat());
        assert_eq!(code, 2, "{stderr}");
        assert!(stderr.contains("models/made exists already"), "{stderr}");
    }
    assert_eq!(std::fs::read_to_string(&contract).unwrap(), "mine");
    assert_eq!(std::fs::read_dir(world.models()).unwrap().count(), 1);
}

#[test]
fn a_dry_run_says_the_files_and_writes_none() {
    let world = empty();
    let text = FLAT.lines(&facts(1));
    let dry = made(&world, "made", &text, &["--dry-run"]);
    assert!(!world.models().exists());
    let wet = made(&world, "made", &text, &[]);
    assert_eq!(dry["files"], wet["files"]);
    for file in wet["files"].as_array().unwrap() {
        assert!(
            std::path::Path::new(file.as_str().unwrap()).is_file(),
            "{file}"
        );
    }
}

#[test]
fn flags_name_what_was_guessed_wrong() {
    let world = empty();
    let text = FLAT.lines(&facts(2));
    let flags = ["--user", "/item", "--type", "/channel"];
    let summary = made(&world, "made", &text, &flags);
    assert_eq!(
        roles(&summary),
        ["/channel", "/ts", "/item", "none", "none"]
    );
    let world = empty();
    let text = SHAPES[2].lines(&facts(2));
    let summary = made(
        &world,
        "made",
        &text,
        &["--session", "none", "--id", "none"],
    );
    assert_eq!(roles(&summary)[3..], ["none", "none"]);
    let world = empty();
    for (flags, said) in [
        (["--user", "/nobody"], "the sample has no such field"),
        (["--time", "/action"], "not every value of it is a time"),
        (["--type", "/price"], "not all texts"),
    ] {
        let error = refused(&world, &FLAT.lines(&facts(2)), &flags);
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn lines_that_cannot_be_accepted_are_named() {
    let world = empty();
    let good: Vec<Value> = facts(3).iter().map(FLAT.write).collect();
    let text = |lines: &[Value]| {
        lines
            .iter()
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    let without = |line: usize, field: &str| {
        let mut lines = good.clone();
        lines[line - 1].as_object_mut().unwrap().remove(field);
        text(&lines)
    };
    let error = refused(&world, &without(17, "customer"), &[]);
    assert!(
        error.contains("/customer is the best field for who did it") && error.contains("line 17"),
        "{error}"
    );
    let error = refused(&world, &without(4, "ts"), &[]);
    assert!(
        error.contains("line 4: no /ts") && error.contains("--time"),
        "{error}"
    );
    let error = refused(&world, &format!("{}not json\n", text(&good)), &[]);
    assert!(
        error.contains(&format!("line {}: no JSON", EVENTS + 1)),
        "{error}"
    );
    let bare: Vec<Value> = (0..30)
        .map(|number| json!({"at": "2026-11-01T00:00:00Z", "n": number}))
        .collect();
    let error = refused(&world, &text(&bare), &[]);
    assert!(
        error.contains("no field says who did it") && error.contains("--user /POINTER"),
        "{error}"
    );
    // A year that no table takes, in a field that nobody can replace.
    let mut late = good.clone();
    late[9]["ts"] = json!("2999-01-01 00:00:00");
    let error = refused(&world, &text(&late), &[]);
    assert!(
        error.contains("line 10: out_of_range in event_time"),
        "{error}"
    );
}

#[test]
fn what_the_decoder_cannot_read_in_every_line_is_no_reason_to_refuse_the_sample() {
    let world = empty();
    let lines: Vec<String> = facts(4)
        .iter()
        .enumerate()
        .map(|(index, fact)| {
            let mut line = (FLAT.write)(fact);
            let years = if index % 7 == 0 { 9999 } else { 2027 };
            line["expires_on"] = json!(format!("{years}-12-31"));
            line["expires_at"] = json!(format!("{years}-12-31T00:00:00Z"));
            line["mixed"] = if index % 2 == 0 {
                json!(1)
            } else {
                json!("one")
            };
            line["either"] = if index % 2 == 0 {
                json!(true)
            } else {
                json!({"a": 1})
            };
            line["large"] = json!(u64::MAX - index as u64);
            line.to_string()
        })
        .collect();
    let text = lines.join("\n");
    let summary = made(&world, "made", &text, &[]);
    let found = columns(&summary);
    assert_eq!(found["expires_on"], "string");
    assert_eq!(found["expires_at"], "string");
    assert_eq!(found["mixed"], "id");
    assert_eq!(found["large"], "decimal(38,0)");
    assert_eq!(summary["kept_in_extra"], json!(["/either"]));
    world.ok(&["init"]);
    land(&world, "made", &text);
    world.ok(&["run", "+gold.made_user_daily", "--date", DATE]);
}

#[test]
fn a_zone_is_told_by_another_time_of_the_same_events() {
    for (later_hours, zone, sure) in [(9, "+09:00", "sure"), (0, "UTC", "sure")] {
        let world = empty();
        let lines: Vec<String> = facts(5)
            .iter()
            .map(|fact| {
                let mut line = (FLAT.write)(&Fact {
                    at_ms: fact.at_ms + later_hours * 3_600_000,
                    id: String::new(),
                    ..*fact
                });
                line["received"] = json!((fact.at_ms + 1_500) / 1000);
                line.to_string()
            })
            .collect();
        let summary = made(&world, "made", &lines.join("\n"), &["--time", "/ts"]);
        let role = &summary["roles"][5];
        assert_eq!(
            (&role["field"], &role["sure"]),
            (&json!(zone), &json!(sure))
        );
        let contract = std::fs::read_to_string(world.models().join("made/contract.json")).unwrap();
        assert!(
            contract.contains(&format!("\"default_zone\": \"{zone}\"")),
            "{contract}"
        );
    }
}

#[test]
fn envelopes_are_settings_of_the_contract() {
    let facts = facts(6);
    let events: Vec<String> = facts
        .iter()
        .map(|fact| (FLAT.write)(fact).to_string())
        .collect();
    let connect = events
        .iter()
        .map(|event| format!("{{\"schema\":null,\"payload\":{event}}}"));
    let batches = events
        .chunks(3)
        .map(|events| format!("[{}]", events.join(",")));
    for (word, lines) in [
        ("kafka-connect", connect.collect::<Vec<_>>()),
        ("array", batches.collect()),
    ] {
        let world = empty();
        let text = lines.join("\n");
        let summary = made(&world, "made", &text, &[]);
        assert_eq!(roles(&summary)[..3], FLAT.needed);
        assert_eq!(summary["events"], EVENTS);
        let contract: Value = serde_json::from_slice(
            &std::fs::read(world.models().join("made/contract.json")).unwrap(),
        )
        .unwrap();
        assert_eq!(contract["x-envelope"], json!([word]));
        world.ok(&["init"]);
        land(&world, "made", &text);
        world.ok(&["run", "+gold.made_user_daily", "--date", DATE]);
        let shown = world.ok(&[
            "show",
            "gold.made_user_daily",
            "--date",
            DATE,
            "--columns",
            "events",
            "--limit",
            "100",
        ]);
        let rows = shown["rows"].as_array().unwrap().iter();
        let events: i64 = rows.map(|row| whole(&row[0])).sum();
        assert_eq!(events, EVENTS as i64);
    }
}
