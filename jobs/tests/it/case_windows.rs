//! `test` on windows whose rows come and go without an event of their own: sessions without an id, and the window that moves with every
//! event.

use std::path::Path;
use std::process::Command;

const VISIT: &str = "feature_view: webtoon_visit
description: A visit of a reader
entity: user_id
partition_local: true
window: {session: 10m, keep: 1h, start: began}
features:
  events: {count: {}}
";

const NOW: &str = "feature_view: webtoon_now
description: What a reader does now
entity: user_id
window: {sliding: 10m}
features:
  events: {count: {}}
  mean: {avg: scroll_ratio}
";

const CASES: &str = "description: Windows of a reader
date: 2026-11-01
event: {user_id: ann, session_id: s1, webtoon_id: wt_001, episode_id: ep_1}
cases:
  - case: A late event makes two visits one, and an earlier one moves its start
    steps:
      - 10:00:00 enter
      - 10:15:00 scroll: {scroll_ratio: 0.75}
      - expect:
          webtoon_visit: [{began: 2026-11-01 10:00:00, events: 1, is_final: true}, {began: 2026-11-01 10:15:00, events: 1, is_final: false}]
      - 10:07:00 scroll: {scroll_ratio: 0.25}
      - expect:
          webtoon_visit: [{began: 2026-11-01 10:00:00, events: 3, is_final: false}]
      - 09:50:00 enter
      - expect:
          webtoon_visit: [{began: 2026-11-01 09:50:00, events: 4, is_final: false}]
  - case: Events leave the last ten minutes one by one, although nothing comes
    steps:
      - 10:00:00 scroll: {scroll_ratio: 0.25}
      - 10:04:00 scroll: {scroll_ratio: 0.75}
      - expect:
          webtoon_now: {events: 2, mean: 0.5}
      - time passes to: 10:11
      - expect:
          webtoon_now: {events: 1, mean: 0.75}
      - time passes to: 10:15
      - expect:
          webtoon_now: {events: 0, mean: null}
";

#[test]
fn cases_see_rows_that_come_and_go_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/webtoon");
    let mut copy = Command::new("cp");
    let copied = copy.arg("-r").arg(shipped).arg(folder.path()).status();
    assert!(copied.unwrap().success());
    let domain = folder.path().join("webtoon");
    for (file, text) in [
        ("features/webtoon_visit.yml", VISIT),
        ("features/webtoon_now.yml", NOW),
        ("tests/windows.yml", CASES),
    ] {
        std::fs::write(domain.join(file), text).unwrap();
    }
    let run = |expected: i32| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_userflow-jobs"));
        command.args(["test", "webtoon/windows", "--models"]);
        let done = command.arg(folder.path()).output().unwrap();
        let said = [done.stdout, done.stderr].map(|out| String::from_utf8_lossy(&out).into_owned());
        let said = said.concat();
        assert_eq!(done.status.code(), Some(expected), "{said}");
        said
    };
    run(0);
    // A gap that is a second too short keeps the visits apart.
    let short = VISIT.replace("session: 10m", "session: 419s");
    std::fs::write(domain.join("features/webtoon_visit.yml"), short).unwrap();
    let said = run(3);
    assert!(
        said.contains("webtoon_visit") && said.contains("1 passed, 1 failed"),
        "{said}"
    );
}
