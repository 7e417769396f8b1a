//! What each knob does, counted from the messages alone, and the summary against that count.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{MIXED, Sent, event_time, play};

/// Messages that are sent for the first time.
fn first_sendings(sent: &[Sent]) -> Vec<&Sent> {
    let mut seen = HashSet::new();
    sent.iter().filter(|one| seen.insert(&one.bytes)).collect()
}

#[test]
fn the_summary_agrees_with_a_recount() {
    let (sent, truth) = play(&MIXED.replace("--garbage 0.03", "--garbage 0"));
    let events: Vec<_> = first_sendings(&sent)
        .iter()
        .map(|one| one.json().unwrap())
        .collect();
    let mut types: BTreeMap<String, u64> = BTreeMap::new();
    let mut dates: BTreeMap<String, u64> = BTreeMap::new();
    let mut sessions: HashMap<String, Vec<(i64, String)>> = HashMap::new();
    for event in &events {
        let (kind, at) = (event["event_type"].as_str().unwrap(), event_time(event));
        *types.entry(kind.to_owned()).or_default() += 1;
        *dates
            .entry(event["utimestamptz"].as_str().unwrap()[..10].to_owned())
            .or_default() += 1;
        sessions
            .entry(event["session_id"].to_string())
            .or_default()
            .push((at, kind.to_owned()));
    }
    let mut outcomes: BTreeMap<String, u64> = BTreeMap::new();
    let mut starts: BTreeMap<String, u64> = BTreeMap::new();
    let mut over_midnight = 0;
    for events in sessions.values_mut() {
        events.sort();
        let (first, last) = (&events[0], &events[events.len() - 1]);
        let outcome = if last.1 == "complete" || last.1 == "exit" {
            &last.1
        } else {
            "abandoned"
        };
        *outcomes.entry(outcome.to_owned()).or_default() += 1;
        let date = chrono::DateTime::from_timestamp_millis(first.0)
            .unwrap()
            .format("%F")
            .to_string();
        *starts.entry(date).or_default() += 1;
        over_midnight += u64::from(first.0 / 86_400_000 != last.0 / 86_400_000);
    }
    assert_eq!(truth.messages as usize, sent.len());
    assert_eq!(
        truth.bytes as usize,
        sent.iter().map(|one| one.bytes.len()).sum::<usize>()
    );
    assert_eq!(truth.events as usize, events.len());
    assert_eq!(truth.duplicates as usize, sent.len() - events.len());
    assert_eq!(truth.events_by_type, types);
    assert_eq!(truth.events_by_date, dates);
    assert_eq!(truth.sessions as usize, sessions.len());
    assert_eq!(truth.sessions_by_outcome, outcomes);
    assert_eq!(truth.sessions_by_date, starts);
    assert_eq!(truth.sessions_over_midnight, over_midnight);
    assert_eq!(
        truth.users as usize,
        sent.iter()
            .map(|one| &one.key)
            .collect::<HashSet<_>>()
            .len()
    );
    let ids: HashSet<String> = events
        .iter()
        .map(|event| event["event_id"].to_string())
        .collect();
    assert_eq!(
        ids.len(),
        events.len(),
        "every event has an identifier of its own"
    );
}

/// `count` of `total` is near the rate: within five standard deviations of a fair draw, and a bias that the knob admits.
fn near(count: u64, total: u64, rate: f64, bias: f64) {
    let total = total as f64;
    let deviation = 5.0 * (rate * (1.0 - rate) / total).sqrt() + bias;
    let seen = count as f64 / total;
    assert!(
        (seen - rate).abs() <= deviation,
        "{seen} of {total} instead of {rate}"
    );
}

#[test]
fn each_rate_is_near_its_knob() {
    for seed in 0..8 {
        let flags = format!(
            "--seed {seed} --sessions 3000 --duplicates 0.02 --out-of-order 0.05 --late 0.03 --abandoned 0.15 --binge 0.25 --garbage 0.04"
        );
        let (_, summary) = play(&flags);
        near(summary.duplicates, summary.events, 0.02, 0.0);
        near(summary.garbage, summary.events, 0.04, 0.0);
        // A swap needs two events that are not part of another, and a swapped one is not late too.
        near(summary.out_of_order, summary.events, 0.05, 0.005);
        near(summary.late, summary.events, 0.03, 0.004);
        near(
            summary.sessions_by_outcome["abandoned"],
            summary.sessions,
            0.15,
            0.0,
        );
        near(summary.binges, summary.visits, 0.25, 0.0);
    }
}

#[test]
fn duplicates_are_the_same_bytes_seconds_to_minutes_later() {
    let (sent, summary) = play("--sessions 500 --duplicates 0.3");
    let mut first: HashMap<&[u8], i64> = HashMap::new();
    let mut repeats = 0;
    for one in &sent {
        if let Some(at) = first.insert(&one.bytes, one.time_ms) {
            assert!((2_000..=300_000).contains(&(one.time_ms - at)));
            repeats += 1;
        }
    }
    assert_eq!(repeats, summary.duplicates);
}

#[test]
fn out_of_order_swaps_neighbours_of_a_session() {
    let (sent, summary) = play("--sessions 800 --out-of-order 0.2");
    let mut sessions: HashMap<String, Vec<i64>> = HashMap::new();
    for one in &sent {
        let event = one.json().unwrap();
        sessions
            .entry(event["session_id"].to_string())
            .or_default()
            .push(event_time(&event));
    }
    let mut swaps = 0;
    for mut times in sessions.into_values() {
        for index in 1..times.len() {
            if times[index - 1] > times[index] {
                times.swap(index - 1, index);
                swaps += 1;
            }
        }
        assert!(times.is_sorted(), "more than a swap of neighbours");
    }
    assert_eq!(swaps, summary.out_of_order);
    assert!(swaps > 500);
}

#[test]
fn late_events_arrive_minutes_after_they_happened() {
    let (sent, summary) = play("--sessions 800 --late 0.1");
    let delays: Vec<i64> = sent
        .iter()
        .map(|one| one.time_ms - event_time(&one.json().unwrap()))
        .filter(|delay| *delay > 0)
        .collect();
    assert_eq!(delays.len() as u64, summary.late);
    assert!(
        delays
            .iter()
            .all(|delay| (120_000..=1_200_000).contains(delay))
    );
}

#[test]
fn a_knob_leaves_all_else_where_it_was() {
    let plain = play("--sessions 300 --seed 4").0;
    let (with_garbage, _) = play("--sessions 300 --seed 4 --garbage 0.2");
    let kept: HashSet<&Vec<u8>> = plain.iter().map(|one| &one.bytes).collect();
    let good: Vec<&Sent> = with_garbage
        .iter()
        .filter(|one| kept.contains(&one.bytes))
        .collect();
    assert!(good.into_iter().eq(&plain));
    let (with_repeats, _) = play("--sessions 300 --seed 4 --duplicates 0.2");
    assert!(first_sendings(&with_repeats).into_iter().eq(&plain));
}

#[test]
fn damage_takes_the_place_of_good_events_and_leaves_all_else_where_it_was() {
    const FLAGS: &str =
        "--sessions 3000 --seed 4 --duplicates 0.02 --out-of-order 0.05 --garbage 0.02";
    let (plain, none) = play(FLAGS);
    let (damaged, summary) = play(&format!("{FLAGS} --damage 0.02"));
    assert_eq!(
        (none.damaged, none.damaged_by_kind.values().sum::<u64>()),
        (0, 0)
    );
    assert_eq!(plain.len(), damaged.len());
    let mut events: HashSet<String> = HashSet::new();
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    let differing = plain.iter().zip(&damaged);
    for (good, bad) in differing.filter(|(good, bad)| good.bytes != bad.bytes) {
        assert_eq!((&good.key, good.time_ms), (&bad.key, bad.time_ms));
        let (good, bad) = (good.json().unwrap(), bad.json().unwrap());
        // A repeat of a damaged event is the same bytes again.
        if !events.insert(bad["event_id"].to_string()) {
            continue;
        }
        let changed = ["dwell_time_ms", "country", "device", "scroll_ratio"];
        let changed: Vec<&str> = changed
            .into_iter()
            .filter(|field| good[field] != bad[field])
            .collect();
        let kind = match changed[..] {
            ["dwell_time_ms"] if bad["dwell_time_ms"] == 999_999_999 => "runaway_timer",
            ["country"] if bad["country"].is_null() => "no_country",
            ["device"] if bad["device"] == "toaster" => "unknown_device",
            ["scroll_ratio"] if bad["scroll_ratio"] == 0.0 => "scroll_jumps_back",
            _ => panic!("{good}\n{bad}"),
        };
        *kinds.entry(kind).or_default() += 1;
    }
    let told: BTreeMap<&str, u64> = (summary.damaged_by_kind.iter())
        .map(|(kind, count)| (kind.as_str(), *count))
        .collect();
    assert_eq!(kinds, told);
    assert_eq!(summary.damaged, kinds.values().sum::<u64>());
    near(summary.damaged, summary.events, 0.02, 0.0);
}
