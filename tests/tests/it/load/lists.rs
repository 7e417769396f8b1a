//! Lines that hold a list of events: one line, several rows, and still each once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use userflow_tests::figure::figure;
use userflow_tests::lake::{column, identities, read_file, snapshot};
use userflow_tests::process::{binary, must, root, start};
use userflow_tests::seed::seed;

use super::{EVENTS, QUARANTINE, in_pieces, input, load, plain, summary};

const KILLS: u32 = 12;
/// Lines of a file; it is landed in pieces of some hundred.
const LINES: i64 = 6_000;

/// A row: the line that it is of, its place in the line's list (none if the line is one event), and its id.
type Row = (i64, Option<i64>, String);

/// The shipped domain with a contract that takes lists.
fn models(folder: &Path) -> Result<PathBuf> {
    let models = folder.join("models");
    std::fs::create_dir_all(models.join("webtoon"))?;
    let text = std::fs::read_to_string(root().join("models/webtoon/contract.json"))?;
    let mut contract: serde_json::Value = serde_json::from_str(&text)?;
    contract["x-envelope"] = json!("array");
    std::fs::write(models.join("webtoon/contract.json"), contract.to_string())?;
    Ok(models)
}

/// Writes lines of one event and of lists of up to seven. Some lists have an event without a user: none of its events counts.
/// Returns the rows that they must become, and the lines that must be refused.
fn write(
    file: &Path,
    name: usize,
    random: &mut ChaCha8Rng,
) -> Result<(BTreeSet<Row>, BTreeSet<i64>)> {
    let (mut text, mut rows, mut refused) = (String::new(), BTreeSet::new(), BTreeSet::new());
    for line in 1..=LINES {
        let id = |at: i64| format!("{name}-{line}-{at}");
        match random.random_range(0..10) {
            0 => {
                text.push_str(&plain(&id(0)));
                rows.insert((line, None, id(0)));
            }
            1 => {
                let broken = plain(&id(1)).replace("\"user_id\":1,", "");
                text.push_str(&format!("[{},{broken}]", plain(&id(0))));
                refused.insert(line);
            }
            _ => {
                let events: Vec<String> = (0..random.random_range(1..=7))
                    .map(|at| {
                        rows.insert((line, Some(at), id(at)));
                        plain(&id(at))
                    })
                    .collect();
                text.push_str(&format!("[{}]", events.join(",")));
            }
        }
        text.push('\n');
    }
    std::fs::write(file, text)?;
    Ok((rows, refused))
}

/// The rows of bronze by the name of their file, each once.
fn stored(lake: &Path) -> Result<BTreeMap<String, BTreeSet<Row>>> {
    let mut found: BTreeMap<String, BTreeSet<Row>> = BTreeMap::new();
    for file in snapshot(lake, EVENTS)?.context("no bronze")?.files() {
        for batch in read_file(lake, EVENTS, file)? {
            let files = column(&batch, "_topic_id")?.as_string::<i32>();
            let lines = column(&batch, "_offset")?.as_primitive::<Int64Type>();
            let places = column(&batch, "_index")?.as_primitive::<Int64Type>();
            let ids = column(&batch, "event_id")?.as_string::<i32>();
            for row in 0..batch.num_rows() {
                let (_, file) = files.value(row).split_once(' ').context("no name")?;
                let place = places.is_valid(row).then(|| places.value(row));
                let of = (lines.value(row), place, ids.value(row).to_owned());
                let new = found.entry(file.to_owned()).or_default().insert(of);
                ensure!(new, "{file} line {} is there twice", lines.value(row));
            }
        }
    }
    Ok(found)
}

#[test]
fn kill_9_leaves_no_list_in_part_and_none_twice() -> Result<()> {
    let seed = seed()?;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let models = models(folder.path())?;
    let with_lists = |mut command: Command, files: &[PathBuf]| {
        command.arg("--models").arg(&models).args(files);
        command
    };
    let (mut files, mut rows, mut refused) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    let log = folder.path().join("load.log");
    let mut kills = 0;
    let mut more = true;
    // A kill that comes before any commit shows nothing, and on a busy machine that takes a while.
    let (mut longest, mut met) = (300, 0);
    let mut seen = 0;
    while kills < KILLS {
        if std::mem::take(&mut more) {
            let file = folder.path().join(format!("{}.jsonl", files.len()));
            let (of_it, not) = write(&file, files.len(), &mut random)?;
            rows.insert(file.to_string_lossy().into_owned(), of_it);
            refused.insert(file.to_string_lossy().into_owned(), not);
            files.push(file);
        }
        let mut running = start(&mut with_lists(in_pieces(&lake), &files), &log)?;
        std::thread::sleep(Duration::from_millis(random.random_range(1..longest)));
        if let Some(status) = running.ended()? {
            ensure!(status.success(), "{}", std::fs::read_to_string(&log)?);
            more = true;
            continue;
        }
        running.kill()?;
        kills += 1;
        let now = snapshot(&lake, EVENTS)?.map_or(0, |now| now.version());
        match now == seen {
            true => longest = (longest * 3 / 2).min(10_000),
            false => (seen, met) = (now, met + 1),
        }
        if now > 0 {
            // A reader sees whole lists only.
            for (file, found) in stored(&lake)? {
                let lines: BTreeSet<i64> = found.iter().map(|row| row.0).collect();
                let whole = rows[&file].iter().filter(|row| lines.contains(&row.0));
                ensure!(whole.eq(&found), "{file}: a list is there in part");
            }
        }
    }
    ensure!(met > 2, "only {met} kills met a commit");
    must(&mut with_lists(load(&lake), &files))?;
    ensure!(stored(&lake)? == rows, "other rows than the files have");
    let mut quarantined: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    for (id, _, line) in identities(&lake, QUARANTINE)? {
        let id = id.context("no _topic_id")?;
        let (_, file) = id.split_once(' ').context("no name")?;
        let new = quarantined.entry(file.to_owned()).or_default().insert(line);
        ensure!(new, "{file} line {line} is in quarantine twice");
    }
    ensure!(quarantined == refused, "other lines are in quarantine");
    let again = summary(&mut with_lists(load(&lake), &files))?;
    ensure!(again["commits"] == 0, "{again}");
    let count: usize = rows.values().map(BTreeSet::len).sum();
    figure(&format!(
        "row 2, load of lists: {kills} kills at random, {count} rows of {} lines, 0 lost, 0 doubled",
        i64::try_from(files.len())? * LINES
    ));
    Ok(())
}

#[test]
fn the_summary_tells_lines_from_rows() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let models = models(folder.path())?;
    let file = folder.path().join("a.jsonl");
    let list = |ids: &[&str]| {
        let events: Vec<String> = ids.iter().map(|id| plain(id)).collect();
        format!("[{}]\n", events.join(","))
    };
    let lines = [
        list(&["a", "b", "c"]),
        plain("d") + "\n",
        "\n".to_owned(),
        "[]\n".to_owned(),
    ];
    std::fs::write(&file, lines.concat())?;
    for dry in [true, false] {
        let mut command = load(&lake);
        command.arg("--models").arg(&models).arg(&file);
        if dry {
            command.arg("--dry-run");
        }
        let said = summary(&mut command)?;
        for of in [&said, input(&said, &file)?] {
            let rows = of.get("rows_written").or(of.get("rows"));
            let accepted = of.get("lines_accepted").or(of.get("accepted"));
            ensure!(rows == Some(&json!(4)), "{said}");
            ensure!(accepted == Some(&json!(2)), "{said}");
            ensure!(of["quarantined"] == 1, "{said}");
        }
        ensure!(
            said["lines_read"] == 4 && said["blank_lines"] == 1,
            "{said}"
        );
    }
    // In words too.
    let text = |lake: &Path, more: &[&str]| -> Result<String> {
        let mut command = binary("userflow-ingester");
        command.args(["load", "--domain", "webtoon", "--lake"]);
        command.arg(lake).arg("--models").arg(&models);
        let output = must(command.arg(&file).args(more))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let said = text(&folder.path().join("other"), &["--dry-run"])?;
    let words = "of 1 file 2 lines would be 4 rows of 2024-02-29 in bronze.webtoon_events, 1 line quarantined";
    ensure!(said.contains(words), "{said}");
    let said = text(&folder.path().join("other"), &[])?;
    ensure!(
        said.starts_with("2 lines of 1 file: 4 rows of 2024-02-29 to bronze.webtoon_events in 1 file, 1 commit (version 1), ")
            && said.contains(" MB; 1 line quarantined; "),
        "{said}"
    );
    Ok(())
}
