//! `test` and `try` on the shipped domains: their cases hold, a broken rule fails the case that shows it, and so does a wrong expectation.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Output;

use tempfile::TempDir;

/// The models folder of the repository.
fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models")
}

/// A copy of a shipped domain that may be broken.
pub(crate) struct Copy(TempDir);

impl Copy {
    pub(crate) fn of(domain: &str) -> Self {
        let copy = Self(tempfile::tempdir().unwrap());
        let mut folders = vec![PathBuf::from(domain)];
        while let Some(folder) = folders.pop() {
            std::fs::create_dir_all(copy.0.path().join(&folder)).unwrap();
            for entry in std::fs::read_dir(shipped().join(&folder)).unwrap() {
                let entry = entry.unwrap();
                let path = folder.join(entry.file_name());
                if entry.file_type().unwrap().is_dir() {
                    folders.push(path);
                } else {
                    std::fs::copy(entry.path(), copy.0.path().join(path)).unwrap();
                }
            }
        }
        copy
    }

    pub(crate) fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.0.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no `{from}`");
        std::fs::write(path, text.replacen(from, to, 1)).unwrap();
    }

    pub(crate) fn put(&self, file: &str, text: &str) {
        std::fs::write(self.0.path().join(file), text).unwrap();
    }

    pub(crate) fn command(&self, args: &[&str]) -> Output {
        run(self.0.path(), args)
    }
}

fn run(models: &Path, args: &[&str]) -> Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_userflow-jobs"));
    command.args(args).arg("--models").arg(models);
    command.output().unwrap()
}

pub(crate) fn out(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

#[test]
fn the_cases_of_the_shipped_domains_hold() {
    let done = run(&shipped(), &["test", "--output", "json"]);
    assert_eq!(done.status.code(), Some(0), "{}", out(&done));
    let report: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(report["failed"], 0);
    let cases = report["cases"].as_array().unwrap();
    assert_eq!(report["passed"], cases.len());
    assert!(cases.iter().any(|case| case["domain"] == "webtoon"));
}

/// What is broken, from what into what, and a case that shows the rule.
const BROKEN: [(&str, &str, &str, &str); 25] = [
    (
        "features/webtoon_session.yml",
        "session: 10m",
        "session: 9m",
        "A reading that is abandoned",
    ),
    (
        "features/webtoon_session.yml",
        "at_least: 0.95",
        "at_least: 0.94",
        "Complete needs a complete event",
    ),
    (
        "features/webtoon_session.yml",
        ", round: 2}",
        "}",
        "Complete needs a complete event",
    ),
    (
        "features/webtoon_session.yml",
        "[complete, exit]",
        "[complete]",
        "An exit before the end is an exit",
    ),
    (
        "features/webtoon_session.yml",
        "keep: 2h",
        "keep: 1h",
        "A session that was completed can be opened again",
    ),
    (
        "features/webtoon_session.yml",
        "{first: platform, default: UNKNOWN}",
        "{first: platform}",
        "What a reading lacks is UNKNOWN",
    ),
    (
        "features/webtoon_session.yml",
        "{first: device, default: UNKNOWN}",
        "{last: device, default: UNKNOWN}",
        "What a reading lacks is UNKNOWN",
    ),
    (
        "features/webtoon_user_1h.yml",
        "sliding: 1h",
        "sliding: 30m",
        "A window ends with what happened in its hour",
    ),
    (
        "features/webtoon_user_1h.yml",
        "[webtoon_id, episode_id]",
        "episode_id",
        "The last hour of a user",
    ),
    (
        "features/webtoon_user_1h.yml",
        "sessions: {distinct_count: session_id}",
        "sessions: {count: {}}",
        "The last hour of a user",
    ),
    (
        "features/webtoon_user_lifetime.yml",
        "until: {event_type: exit}",
        "until: {event_type: enter}",
        "A streak is what was completed",
    ),
    (
        "features/webtoon_user_recent.yml",
        "n: 50}",
        "n: 2}",
        "The recent episodes of a user",
    ),
    (
        "features/webtoon_episode_1h.yml",
        "{distinct_count: user_id}",
        "{distinct_count: session_id}",
        "An episode of one webtoon",
    ),
    (
        "silver/webtoon_sessions.sql",
        "events.event_time desc",
        "events.event_time asc",
        "Of two messages with one event id",
    ),
    (
        "silver/webtoon_sessions.sql",
        "max_scroll_ratio >= 0.95",
        "max_scroll_ratio > 0.95",
        "Complete needs a complete event",
    ),
    (
        "silver/webtoon_sessions.sql",
        "when seen_complete and max_scroll_ratio",
        "when max_scroll_ratio",
        "Complete needs a complete event",
    ),
    (
        "silver/webtoon_sessions.sql",
        "interval '600' second",
        "interval '660' second",
        "A reading that is abandoned",
    ),
    (
        "silver/webtoon_sessions.sql",
        "coalesce(sum(dropped), 0) as duplicate_count",
        "cast(0 as bigint) as duplicate_count",
        "The same event sent again",
    ),
    (
        "silver/webtoon_sessions.sql",
        "        + interval '{{ var(\"margin_seconds\") }}' second\n),",
        "),",
        "A session over midnight is whole",
    ),
    (
        "silver/webtoon_sessions.sql",
        "arg_min(device, event_order)",
        "arg_max(device, event_order)",
        "What a reading lacks is UNKNOWN",
    ),
    (
        "gold/webtoon_user_daily.sql",
        "duration_ms <= 10000",
        "duration_ms < 10000",
        "A user's day counts readings",
    ),
    (
        "gold/webtoon_episode_daily.sql",
        "scroll_hundredths >= 20 and",
        "scroll_hundredths > 20 and",
        "A bucket of the scroll depth",
    ),
    (
        "gold/webtoon_user_7d.sql",
        "interval '6' day",
        "interval '7' day",
        "Seven days end with the date",
    ),
    (
        "gold/webtoon_country_daily.sql",
        "cast(event_date + interval '1' day as date)",
        "event_date",
        "Returning readers of a country",
    ),
    (
        "contract.json",
        "\"maximum\": 1,",
        "\"maximum\": 2,",
        "A missing field, a wrong type",
    ),
];

#[test]
fn every_broken_rule_fails_the_case_that_shows_it() {
    let mut wrong = Vec::new();
    for (file, from, to, case) in BROKEN {
        let copy = Copy::of("webtoon");
        let whole = copy.command(&["test", case]);
        assert_eq!(whole.status.code(), Some(0), "{case}: {}", out(&whole));
        copy.edit(&format!("webtoon/{file}"), from, to);
        let broken = copy.command(&["test", case]);
        if broken.status.code() != Some(3) || !out(&broken).contains("FAILED") {
            wrong.push(format!("{file}: {from} -> {to}: {}", out(&broken)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// A rule that is broken on one side only is found by every case in which the two sides differ, whatever the case expects.
#[test]
fn a_view_and_its_batch_table_that_differ_fail_a_case_that_expects_nothing() {
    let copy = Copy::of("webtoon");
    let case = "description: None\ncases:\n  - case: Nothing is expected\n    steps:\n      - 10:00:00 complete: {scroll_ratio: 0.95}\n";
    let file = copy.0.path().join("webtoon/tests/none.yml");
    std::fs::write(file, case).unwrap();
    let whole = copy.command(&["test", "webtoon/none"]);
    assert_eq!(whole.status.code(), Some(0), "{}", out(&whole));
    copy.edit(
        "webtoon/silver/webtoon_sessions.sql",
        "max_scroll_ratio >= 0.95",
        "max_scroll_ratio > 0.95",
    );
    let broken = out(&copy.command(&["test", "webtoon/none"]));
    for words in [
        "silver.webtoon_sessions and webtoon_session {",
        "session_state   TIMEOUT_EXIT              COMPLETE",
        "10:00:00 complete: {\"scroll_ratio\":0.95}",
    ] {
        assert!(broken.contains(words), "no {words} in {broken}");
    }
    // A difference that is said to be known is none; one that is said and is not there is one.
    let text = case.replace(
        "    steps:",
        "    skew: {webtoon_session: a reason}\n    steps:",
    );
    std::fs::write(copy.0.path().join("webtoon/tests/none.yml"), text).unwrap();
    let known = copy.command(&["test", "webtoon/none"]);
    assert_eq!(known.status.code(), Some(0), "{}", out(&known));
    copy.edit(
        "webtoon/silver/webtoon_sessions.sql",
        "max_scroll_ratio > 0.95",
        "max_scroll_ratio >= 0.95",
    );
    let vain = copy.command(&["test", "webtoon/none"]);
    assert!(
        vain.status.code() == Some(3) && out(&vain).contains("agree, although"),
        "{}",
        out(&vain)
    );
}

#[test]
fn a_mistake_in_a_file_of_cases_is_said_with_its_line_and_the_fix() {
    let head = "description: Mistakes\nevent: {user_id: ann}\ncases:\n  - case: One\n    steps:\n      - 10:00:00 enter\n";
    for (step, words) in [
        (
            "      - 10:00:00 enter: {user: 1}",
            "none.yml:7: `10:00:00 enter`: the contract has no column `user`: it has event_id,",
        ),
        (
            "      - 25:00:00 enter",
            "none.yml:7: `25:00:00 enter` is no step: `25:00:00` is no time",
        ),
        (
            "      - sleep: 10m",
            "none.yml:7: `sleep` is no step: write",
        ),
        (
            "      - time passes: soon",
            "none.yml:7: `time passes`: `soon` is no duration",
        ),
        (
            "      - time passes to: 09:00",
            "none.yml:7: it is 10:00:00 already",
        ),
        (
            "      - 10:01:00 again: e7",
            "none.yml:7: `10:01:00 again`: name the event that is sent again: e1 came before",
        ),
        (
            "      - 10:01:00 enter, arrives 09:00:00",
            "none.yml:7: `10:01:00 enter, arrives 09:00:00` arrives before",
        ),
        (
            "      - expect:\n          webtoon_sesion: {}",
            "none.yml:8: there is no feature view and no table `webtoon_sesion`",
        ),
        (
            "      - expect:\n          webtoon_session: {state: X}",
            "none.yml:8: webtoon_session has no column `state`: it has session_id,",
        ),
        (
            "      - expect:\n          webtoon_session on 2026-11-01: {}",
            "none.yml:8: `on` and `as of` are for tables",
        ),
        (
            "      - expect:\n          webtoon_session: 7",
            "none.yml:7: `webtoon_session`: write the row that must be there",
        ),
    ] {
        let copy = Copy::of("webtoon");
        let file = copy.0.path().join("webtoon/tests/none.yml");
        std::fs::write(file, format!("{head}{step}\n")).unwrap();
        let done = copy.command(&["test", "webtoon/none"]);
        assert_eq!(done.status.code(), Some(2), "{step}: {}", out(&done));
        assert!(
            out(&done).contains(words),
            "{step}: no {words} in {}",
            out(&done)
        );
    }
    let nobody = run(&shipped(), &["test", "no such case"]);
    assert_eq!(nobody.status.code(), Some(2), "{}", out(&nobody));
    assert!(
        out(&nobody).contains("webtoon/sessions"),
        "{}",
        out(&nobody)
    );
}

#[test]
fn what_is_refused_and_not_expected_fails_and_junit_says_what() {
    let copy = Copy::of("webtoon");
    let case = "description: One\ncases:\n  - case: A < B & \"C\"\n    steps:\n      - 10:00:00 enter: {scroll_ratio: 2}\n  - case: Good\n    steps:\n      - 10:00:00 enter\n";
    std::fs::write(copy.0.path().join("webtoon/tests/one.yml"), case).unwrap();
    let junit = copy.0.path().join("junit.xml");
    let done = copy.command(&["test", "webtoon/one", "--junit", junit.to_str().unwrap()]);
    assert_eq!(done.status.code(), Some(3), "{}", out(&done));
    assert!(
        out(&done).contains("write `- expect: {quarantine: [out_of_range in scroll_ratio]}`"),
        "{}",
        out(&done)
    );
    let xml = std::fs::read_to_string(junit).unwrap();
    for words in [
        "<testsuite name=\"webtoon/one\" tests=\"2\" failures=\"1\"",
        "name=\"A &lt; B &amp; &quot;C&quot;\"",
        "<failure message=\"line 3: quarantine: a message was refused",
        "name=\"Good\"",
    ] {
        assert!(xml.contains(words), "no {words} in {xml}");
    }
}

#[test]
fn watch_plays_the_cases_again_when_a_file_changes() {
    let copy = Copy::of("webtoon");
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_userflow-jobs"))
        .args(["test", "webtoon/windows", "--watch", "--models"])
        .arg(copy.0.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The next sum that is printed; the process prints one for each time that it plays.
    let mut sum = || {
        let mut lines = lines.by_ref().map(Result::unwrap);
        lines.find(|line| line.contains(" failed in ")).unwrap()
    };
    assert!(sum().starts_with("5 passed, 0 failed"));
    copy.edit(
        "webtoon/features/webtoon_user_recent.yml",
        "n: 50}",
        "n: 2}",
    );
    assert!(sum().starts_with("4 passed, 1 failed"));
    copy.edit(
        "webtoon/features/webtoon_user_recent.yml",
        "n: 2}",
        "n: 50}",
    );
    assert!(sum().starts_with("5 passed, 0 failed"));
    child.kill().unwrap();
    child.wait().unwrap();
}
