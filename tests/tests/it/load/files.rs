//! Every kind of file: what lands of it, what is refused, and what is said.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use serde_json::{Value, json};
use userflow_tests::lake::{column, identities, read_file, snapshot};
use userflow_tests::process::{must, root};

use super::ledger::{content, holds_every_line_once};
use super::{EVENTS, QUARANTINE, ended_with, event, history, input, load, plain, said, summary};

fn compressed(program: &str, file: &Path, to: &Path) -> Result<()> {
    let mut command = Command::new(program);
    command
        .arg("-c")
        .arg(file)
        .stdout(std::fs::File::create(to)?);
    must(&mut command).map(drop)
}

/// The offsets of a table's rows with a text column of theirs, sorted.
fn texts(lake: &Path, table: &str, name: &str) -> Result<Vec<(i64, String)>> {
    let mut found = Vec::new();
    for file in snapshot(lake, table)?.context("no table")?.files() {
        for batch in read_file(lake, table, file)? {
            let offsets = column(&batch, "_offset")?.as_primitive::<Int64Type>();
            let texts = column(&batch, name)?;
            for row in 0..batch.num_rows() {
                let text = match texts.as_string_opt::<i32>() {
                    Some(texts) => texts.value(row).to_owned(),
                    None => String::from_utf8_lossy(texts.as_binary::<i32>().value(row)).into(),
                };
                found.push((offsets.value(row), text));
            }
        }
    }
    found.sort();
    Ok(found)
}

#[test]
fn a_content_lands_once_whatever_it_is_called_and_however_it_is_compressed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (lake, exports) = (folder.path().join("lake"), folder.path().join("exports"));
    std::fs::create_dir_all(exports.join("old"))?;
    let first = exports.join("a.jsonl");
    history(&first, 200, 1)?;
    let (same, zipped) = (exports.join("b.jsonl"), exports.join("old/c.jsonl.gz"));
    std::fs::copy(&first, &same)?;
    compressed("gzip", &first, &zipped)?;
    std::fs::write(exports.join("README.txt"), "no events")?;

    let done = summary(load(&lake).arg(&exports))?;
    ensure!(input(&done, &first)?["state"] == "landed", "{done}");
    let as_first = json!({"same_as": first});
    for other in [&same, &zipped] {
        ensure!(input(&done, other)?["state"] == as_first, "{done}");
        ensure!(input(&done, other)?["rows"] == 0, "{done}");
    }
    ensure!(done["inputs_passed_over"] == 1, "{done}");
    ensure!(
        input(&done, &first)?["content"] == content(&first)?,
        "{done}"
    );
    let files = [first.clone()];
    holds_every_line_once(&lake, &files)?;

    // Again, and under a name and in a form that nobody has seen.
    let packed = folder.path().join("packed.zst");
    compressed("zstd", &first, &packed)?;
    let again = summary(load(&lake).arg(&exports).arg(&packed))?;
    ensure!(
        again["commits"] == 0 && again["rows_written"] == 0,
        "{again}"
    );
    ensure!(
        input(&again, &first)?["state"] == "landed_before",
        "{again}"
    );
    let only = summary(load(&lake).arg(&packed))?;
    ensure!(input(&only, &packed)?["state"] == "landed_before", "{only}");
    holds_every_line_once(&lake, &files)?;

    // Where a row came from can be read off it, in both tables.
    let name = format!("{} {}", content(&first)?, first.display());
    for table in [EVENTS, QUARANTINE] {
        let ids: BTreeSet<_> = (identities(&lake, table)?.into_iter())
            .map(|row| row.0)
            .collect();
        ensure!(
            ids == BTreeSet::from([Some(name.clone())]),
            "{table}: {ids:?}"
        );
    }
    let topics = texts(&lake, QUARANTINE, "_topic")?;
    let named = |(_, topic): &(i64, String)| *topic == *first.to_string_lossy();
    ensure!(!topics.is_empty() && topics.iter().all(named), "{topics:?}");
    Ok(())
}

#[test]
fn ends_of_lines_marks_and_blank_lines_are_no_part_of_a_message() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let file = folder.path().join("mixed.jsonl");
    let long = format!(r#"{{"x":"{}"}}"#, "y".repeat(70_000));
    let text = [
        format!("\u{feff}{}\r\n", plain("bom")),
        "\n \t\r\n".to_owned(),
        format!("{}\n", plain("lf")),
        format!("{long}\n"),
        "{\"broken\"\r\n".to_owned(),
        plain("last"),
    ];
    std::fs::write(&file, text.concat())?;
    let done = summary(load(&lake).arg(&file))?;
    ensure!(
        done["rows_written"] == 3 && done["blank_lines"] == 2,
        "{done}"
    );
    let reasons = json!({"too_large": 1, "invalid_json": 1});
    ensure!(done["quarantined_by_reason"] == reasons, "{done}");
    ensure!(done["dates"] == json!(["2024-02-29"]), "{done}");
    let rows = texts(&lake, EVENTS, "event_id")?;
    let expected = [(1, "bom"), (4, "lf"), (7, "last")];
    ensure!(
        rows == expected.map(|(at, id)| (at, id.to_owned())),
        "{rows:?}"
    );
    // Byte for byte, without what ends the line.
    let raw = texts(&lake, QUARANTINE, "raw")?;
    ensure!(raw == [(5, long), (6, "{\"broken\"".to_owned())], "{raw:?}");
    holds_every_line_once(&lake, &[file])
}

#[test]
fn an_empty_file_and_one_of_blank_lines_are_done_at_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("empty.jsonl"), "")?;
    std::fs::write(at("blank.jsonl"), "\n\n  \n")?;
    let both = [at("blank.jsonl"), at("empty.jsonl")];
    let done = summary(load(&lake).args(&both))?;
    ensure!(
        done["lines_read"] == 3 && done["blank_lines"] == 3,
        "{done}"
    );
    ensure!(done["lines_accepted"] == 0, "{done}");
    ensure!(input(&done, &both[0])?["state"] == "landed", "{done}");
    ensure!(input(&done, &both[1])?["state"] == "empty", "{done}");
    let again = summary(load(&lake).args(&both))?;
    ensure!(
        input(&again, &both[0])?["state"] == "landed_before",
        "{again}"
    );
    holds_every_line_once(&lake, &both)
}

#[test]
fn of_a_damaged_file_nothing_lands_and_the_others_do() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let at = |name: &str| folder.path().join(name);
    let (good, other) = (at("good.jsonl"), at("other.jsonl"));
    history(&good, 50, 1)?;
    history(&other, 50, 2)?;
    compressed("gzip", &other, &at("cut.jsonl.gz"))?;
    let whole = std::fs::read(at("cut.jsonl.gz"))?;
    std::fs::write(at("cut.jsonl.gz"), &whole[..whole.len() / 2])?;
    let mut long = b"{}\n".to_vec();
    long.resize(20 << 20, b'x');
    std::fs::write(at("long.jsonl"), long)?;
    std::fs::write(at("utf16.jsonl"), b"\xff\xfe{\0}\0\n\0")?;
    let bad = [at("cut.jsonl.gz"), at("long.jsonl"), at("utf16.jsonl")];
    let output = load(&lake).args(&bad).arg(&good).output()?;
    let log = ended_with(&output, 1)?;
    let done = said(&output)?;
    for (file, words) in bad
        .iter()
        .zip(["cut off", "line 2 has more than", "UTF-16"])
    {
        let why = input(&done, file)?["state"]["failed"].to_string();
        ensure!(why.contains(words) && why.contains("Nothing"), "{done}");
        ensure!(log.contains(&*file.to_string_lossy()), "{log}");
    }
    ensure!(input(&done, &good)?["state"] == "landed", "{done}");
    holds_every_line_once(&lake, std::slice::from_ref(&good))?;

    // Mended, it lands.
    std::fs::write(at("cut.jsonl.gz"), whole)?;
    summary(load(&lake).arg(&bad[0]).arg(&good))?;
    holds_every_line_once(&lake, &[good, other])
}

#[test]
fn a_file_that_is_written_to_meanwhile_is_told_and_no_line_lands_twice_or_damaged() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let file = folder.path().join("growing.jsonl");
    let before = folder.path().join("before.jsonl");
    history(&file, 3_000, 5)?;
    std::fs::copy(&file, &before)?;
    // Slow by many commits; a line is added as soon as the first of them is there.
    let mut command = super::in_pieces(&lake);
    command
        .arg(&file)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn()?;
    let log = lake.join(EVENTS.replace('.', "/")).join("_delta_log");
    let first = log.join(format!("{:020}.json", 1));
    userflow_tests::process::wait_for("a commit", std::time::Duration::from_secs(60), || {
        Ok(first.exists().then_some(()))
    })?;
    let mut open = std::fs::OpenOptions::new().append(true).open(&file)?;
    writeln!(open, "{}", plain("new"))?;
    let output = child.wait_with_output()?;
    ended_with(&output, 1)?;
    let done = said(&output)?;
    let why = input(&done, &file)?["state"]["failed"].to_string();
    ensure!(why.contains("was written to while it was read"), "{done}");
    holds_every_line_once(&lake, &[before])
}

#[test]
fn the_clock_of_history_is_the_readers_and_its_start_is_the_year_2000() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let file = folder.path().join("times.jsonl");
    let ahead = |minutes: i64| {
        let time = chrono::Utc::now() + chrono::TimeDelta::minutes(minutes);
        time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
    };
    let lines = [
        event("old", "2000-01-01T00:00:00Z"),
        event("seconds for milliseconds", "1970-01-21T00:00:00Z"),
        event("too old", "1999-12-31T23:59:59.999Z"),
        event("now", &ahead(0)),
        // The contract's max_future is an hour.
        event("soon", &ahead(30)),
        event("too far ahead", &ahead(120)),
    ];
    std::fs::write(&file, lines.join("\n"))?;
    let done = summary(load(&lake).arg(&file))?;
    ensure!(
        done["quarantined_by_reason"] == json!({"clock_skew": 3}),
        "{done}"
    );
    let rows = texts(&lake, EVENTS, "event_id")?;
    let rows: Vec<&str> = rows.iter().map(|(_, id)| &**id).collect();
    ensure!(rows == ["old", "now", "soon"], "{rows:?}");
    // A refused line is kept under the date of the row before it.
    let mut dates = BTreeSet::new();
    for file in snapshot(&lake, QUARANTINE)?
        .context("no quarantine")?
        .files()
    {
        dates.insert(file.partition);
        for batch in read_file(&lake, QUARANTINE, file)? {
            let times = column(&batch, "_kafka_time")?;
            ensure!(times.null_count() == batch.num_rows(), "Kafka never had it");
        }
    }
    let today = i32::try_from(chrono::Utc::now().timestamp() / 86_400)?;
    let first = dates.first().copied().flatten();
    ensure!(first == Some(10_957), "2000-01-01, not {first:?}");
    let last = dates.last().copied().flatten().context("no date")?;
    ensure!((today - 1..=today + 1).contains(&last), "today, not {last}");
    holds_every_line_once(&lake, &[file])
}

#[test]
fn a_dry_run_says_what_a_load_does_and_writes_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let file = folder.path().join("a.jsonl");
    history(&file, 300, 9)?;
    let tried = summary(load(&lake).arg("--dry-run").arg(&file))?;
    ensure!(!lake.exists(), "a dry run makes nothing");
    // Each reason with a line that can be found.
    let lines = std::fs::read(&file)?;
    let lines: Vec<&[u8]> = lines.split(|byte| *byte == b'\n').collect();
    let refused = tried["refused"].as_object().context("no reasons")?;
    ensure!(refused.len() > 4, "{tried}");
    for (reason, of_it) in refused {
        let example = &of_it["example"];
        let number = usize::try_from(example["line"].as_u64().context("no line")?)?;
        let start = String::from_utf8_lossy(lines[number - 1]);
        let shown = example["raw"].as_str().context("no text")?;
        ensure!(start.starts_with(&shown[..shown.len().min(5)]), "{example}");
        let problems = example["problems"].as_str().unwrap_or_default();
        ensure!(problems.starts_with(reason.as_str()), "{example}");
        ensure!(example["file"] == *file.to_string_lossy(), "{example}");
    }
    let done = summary(load(&lake).arg(&file))?;
    for same in [
        "lines_read",
        "lines_accepted",
        "rows_written",
        "quarantined",
        "quarantined_by_reason",
        "blank_lines",
    ] {
        ensure!(tried[same] == done[same], "{same}: {tried} {done}");
    }
    let dates = |summary: &Value| -> BTreeSet<String> {
        let dates = summary["dates"].as_array().into_iter().flatten();
        dates
            .filter_map(|date| date.as_str().map(str::to_owned))
            .collect()
    };
    ensure!(dates(&tried).is_subset(&dates(&done)), "{tried} {done}");
    // What is there already would not land again.
    let before = snapshot(&lake, EVENTS)?.context("no bronze")?.version();
    let again = summary(load(&lake).arg("--dry-run").arg(&file))?;
    ensure!(input(&again, &file)?["state"] == "landed_before", "{again}");
    ensure!(again["rows_written"] == 0, "{again}");
    ensure!(snapshot(&lake, EVENTS)?.context("no bronze")?.version() == before);
    // For people: the reason, the file and the line.
    let mut text = userflow_tests::process::binary("userflow-ingester");
    text.args(["load", "--domain", "webtoon", "--dry-run", "--lake"]);
    let text = must(text.arg(folder.path().join("other")).arg(&file))?;
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    ensure!(text.contains("dry run, nothing written"), "{text}");
    ensure!(
        text.contains("invalid_json: ") && text.contains("a.jsonl:"),
        "{text}"
    );
    Ok(())
}

#[test]
fn a_wrong_usage_is_one_clear_message() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let empty = folder.path().join("none");
    std::fs::create_dir(&empty)?;
    for (path, words) in [
        (folder.path().join("missing.jsonl"), "there is no such file"),
        (empty, "no file in this folder ends in"),
        (PathBuf::from("/dev/null"), "neither a file nor a folder"),
    ] {
        let said = ended_with(&load(&lake).arg(&path).output()?, 2)?;
        ensure!(said.contains(words), "{said}");
    }
    let said = ended_with(&load(&lake).output()?, 2)?;
    ensure!(said.contains("FILES"), "{said}");
    let readme = root().join("README.md");
    let mut unknown = userflow_tests::process::binary("userflow-ingester");
    unknown
        .args(["load", "--domain", "nosuch", "--lake"])
        .arg(&lake)
        .arg(readme);
    let said = ended_with(&unknown.output()?, 2)?;
    ensure!(
        said.contains("nosuch") && said.contains("webtoon"),
        "{said}"
    );
    ensure!(!lake.exists());
    Ok(())
}

#[test]
fn thousands_of_small_files_land_in_few_commits() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (lake, exports) = (folder.path().join("lake"), folder.path().join("exports"));
    std::fs::create_dir(&exports)?;
    let mut files = Vec::new();
    for number in 0..2_000 {
        let file = exports.join(format!("{number:05}.jsonl"));
        let lines = (0..3).map(|line| plain(&format!("{number}-{line}")) + "\n");
        std::fs::write(&file, lines.collect::<String>() + "no event\n")?;
        files.push(file);
    }
    let done = summary(load(&lake).args(["--threads", "2"]).arg(&exports))?;
    ensure!(
        done["rows_written"] == 6_000 && done["quarantined"] == 2_000,
        "{done}"
    );
    let commits = done["commits"].as_u64().context("no commits")?;
    ensure!(commits <= 8, "{commits} commits");
    let dates: BTreeSet<i32> = snapshot(&lake, EVENTS)?
        .context("no bronze")?
        .files()
        .iter()
        .filter_map(|file| file.partition)
        .collect();
    ensure!(dates.len() == 1, "{dates:?}");
    // 2,000 hashes by sha256sum take a while; a part tells.
    let batch = &identities(&lake, EVENTS)?;
    let distinct: BTreeSet<_> = batch.iter().collect();
    ensure!(batch.len() == 6_000 && distinct.len() == 6_000);
    Ok(())
}
