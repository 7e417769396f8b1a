//! `test` on messages that are several events, and on events that are spread over Kafka partitions.

use crate::cases::{Copy, out};

const FILE: &str = "webtoon/tests/lists.yml";
const CASES: &str = r#"description: Messages that are lists
date: 2026-11-01
event: {user_id: ann, session_id: s1, webtoon_id: wt_001, episode_id: ep_1}
cases:
  - case: A list is one message and several events
    steps:
      - message: [10:00:00 enter, 10:00:05 scroll: {scroll_ratio: 0.5}]
      - 10:00:09 scroll: {scroll_ratio: 0.25}
      - expect:
          webtoon_session: {event_count: 3, max_scroll_ratio: 0.5, last_event_at: 10:00:09}
          bronze.webtoon_events:
            - {event_id: e1, _offset: 0, _index: 0, event_type: enter}
            - {event_id: e2, _offset: 0, _index: 1, event_type: scroll}
            - {event_id: e3, _offset: 1, _index: null}
          silver.webtoon_sessions: {event_count: 3}
  - case: A list that is sent again is repeats only
    skew:
      webtoon_session: this domain's SQL knows a row by partition and offset, which the events of a list have in common
    steps:
      - message:
          - 10:00:00 enter
          - 10:00:05 scroll: {scroll_ratio: 0.5}
      - 10:01:00 again: e2
      - expect:
          webtoon_session: {event_count: 2}
  - case: One broken event refuses its list
    steps:
      - message: [10:00:00 enter, "10:00:05 scroll, without user_id"]
      - expect:
          quarantine: missing_field in user_id
          webtoon_session: []
  - case: A list is in a partition and comes when it comes
    steps:
      - message, partition 1, arrives 10:30:00: [10:00:00 enter, 10:20:00 enter: {session_id: s2}]
      - 10:00:30 scroll: {scroll_ratio: 0.5}
      - expect:
          webtoon_session:
            - {session_id: s1, event_count: 2}
            - {session_id: s2, event_count: 1}
          bronze.webtoon_events:
            - {event_id: e1, _partition: 1, _kafka_time: 10:30:00}
            - {event_id: e2, _partition: 1, _kafka_time: 10:30:00}
            - {event_id: e3, _partition: 0, _offset: 0, _index: null}
"#;

/// The webtoon domain with producers that send lists.
fn with_lists(cases: &str) -> Copy {
    let copy = Copy::of("webtoon");
    copy.edit(
        "webtoon/contract.json",
        "\"x-domain\"",
        "\"x-envelope\": \"array\", \"x-domain\"",
    );
    copy.put(FILE, cases);
    copy
}

#[test]
fn every_event_of_a_list_is_played() {
    let done = with_lists(CASES).command(&["test", "webtoon/lists"]);
    assert_eq!(done.status.code(), Some(0), "{}", out(&done));
    // The rows that a list led to are told with the list.
    let wrong = CASES.replace("{event_count: 3, max", "{event_count: 4, max");
    let done = with_lists(&wrong).command(&["test", "webtoon/lists"]);
    let said = out(&done);
    assert_eq!(done.status.code(), Some(3), "{said}");
    for words in [
        "3 passed, 1 failed",
        "message: [\"10:00:00 enter\",{\"10:00:05 scroll\":",
    ] {
        assert!(said.contains(words), "no {words} in {said}");
    }
}

#[test]
fn mistakes_in_messages_are_said_with_their_line_and_the_fix() {
    for (from, to, line, words) in [
        (
            "message, partition 1",
            "message, partition one",
            34,
            "no number of a partition",
        ),
        (
            "message, partition 1",
            "message, without user_id",
            34,
            "stand at the event",
        ),
        (
            "[10:00:00 enter, 10:20",
            "[10:00:00 enter, 10:00 again: e1, 10:20",
            34,
            "a list has new events",
        ),
        (
            "[10:00:00 enter, 10:20",
            "[\"10:00:00 enter, partition 2\", 10:20",
            34,
            "comes as a whole",
        ),
        (
            "- message: [10:00:00 enter, 10",
            "- message: [enter, 10",
            7,
            "`enter` is no step",
        ),
    ] {
        assert!(CASES.contains(from));
        let done = with_lists(&CASES.replacen(from, to, 1)).command(&["test", "webtoon/lists"]);
        let said = out(&done);
        assert_eq!(done.status.code(), Some(2), "{to}: {said}");
        for words in [words, &format!("lists.yml:{line}: ")] {
            assert!(said.contains(words), "no {words} in {said}");
        }
    }
}

/// What is local to a partition must be in one, as the view says.
#[test]
fn an_entity_that_its_view_calls_local_is_not_in_two_partitions() {
    let copy = Copy::of("ecommerce");
    copy.edit(
        "ecommerce/tests/live.yml",
        "- 10:08:00 view, in short,",
        "- 10:08:00 view, in short, partition 1,",
    );
    let done = copy.command(&["test", "ecommerce/live"]);
    let said = out(&done);
    assert_eq!(done.status.code(), Some(2), "{said}");
    for words in [
        " has `partition_local: true`",
        "U000001 in the partitions 0 and 1",
        "live.yml:",
    ] {
        assert!(said.contains(words), "no {words} in {said}");
    }
}

/// Rules of views that merge, broken one by one.
#[test]
fn a_broken_rule_of_a_merged_view_fails_a_shipped_case() {
    for (file, from, to) in [
        (
            "webtoon_user_1h",
            "{count: {}}",
            "{count: {when: {event_type: enter}}}",
        ),
        (
            "webtoon_episode_1h",
            "{distinct_count: user_id}",
            "{count: {}}",
        ),
        (
            "webtoon_user_lifetime",
            "until: {event_type: exit}",
            "until: {event_type: enter}",
        ),
        (
            "webtoon_user_recent",
            "{last: event_type}",
            "{last: platform}",
        ),
        (
            "webtoon_session",
            "{max: scroll_ratio, round: 2}",
            "{last: scroll_ratio}",
        ),
    ] {
        let copy = Copy::of("webtoon");
        copy.edit(&format!("webtoon/features/{file}.yml"), from, to);
        let done = copy.command(&["test", "webtoon/partitions"]);
        let said = out(&done);
        assert_eq!(done.status.code(), Some(3), "{file}: {said}");
        assert!(said.contains(file), "{said}");
    }
}
