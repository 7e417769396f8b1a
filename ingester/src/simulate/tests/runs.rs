//! What a run without faults promises: its size, its time, its sessions, and the same bytes again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::{MIXED, event_time, play};
use crate::simulate::calendar::time_text;

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let (first, truth) = play(MIXED);
    let (again, same) = play(MIXED);
    assert!(first == again);
    assert_eq!(truth, same);
    let (other, _) = play(&MIXED.replace("--seed 7", "--seed 8"));
    assert!(first != other);
    assert!(
        first
            .iter()
            .zip(&other)
            .all(|(one, two)| one.bytes != two.bytes)
    );
}

#[test]
fn the_number_of_events_or_sessions_is_exact() {
    for events in [1, 2, 9, 10, 777] {
        let (sent, summary) = play(&format!("--events {events}"));
        assert_eq!(
            (sent.len(), summary.events, summary.messages),
            (events, events as u64, events as u64)
        );
    }
    for sessions in [1, 2, 13, 500] {
        let (sent, summary) = play(&format!("--sessions {sessions} --binge 0.9"));
        let seen: BTreeSet<String> = sent
            .iter()
            .map(|one| one.json().unwrap()["session_id"].to_string())
            .collect();
        assert_eq!((seen.len(), summary.sessions), (sessions, sessions as u64));
    }
}

#[test]
fn every_event_lies_in_the_run_and_is_sent_in_order() {
    let day = 86_400_000;
    for (flags, start, days) in [
        (
            "--sessions 3000 --binge 0.5 --start 2026-11-01",
            1_793_491_200_000,
            1,
        ),
        (
            "--sessions 3000 --binge 1 --days 2 --start 2026-03-28T13:07:00.250+09:00 --late 0.1 --duplicates 0.1",
            1_774_670_820_250,
            2,
        ),
    ] {
        let (sent, summary) = play(flags);
        let times: Vec<i64> = sent
            .iter()
            .map(|one| event_time(&one.json().unwrap()))
            .collect();
        assert!(
            times
                .iter()
                .all(|at| (start..start + days * day).contains(at))
        );
        assert!(
            sent.windows(2)
                .all(|pair| pair[0].time_ms <= pair[1].time_ms)
        );
        assert!(sent.iter().zip(&times).all(|(one, at)| one.time_ms >= *at));
        // The run is used from its first hours to its last.
        assert!(*times.iter().min().unwrap() < start + day / 24);
        assert!(*times.iter().max().unwrap() > start + days * day - day / 24);
        assert_eq!(summary.sessions_over_midnight > 0, days > 1);
    }
}

/// Events of one run by session, in the order of their time.
fn by_session(flags: &str) -> HashMap<String, Vec<Value>> {
    let mut sessions: HashMap<String, Vec<Value>> = HashMap::new();
    for one in play(flags).0 {
        let event = one.json().unwrap();
        sessions
            .entry(event["session_id"].as_str().unwrap().to_owned())
            .or_default()
            .push(event);
    }
    for events in sessions.values_mut() {
        events.sort_by_key(event_time);
    }
    sessions
}

#[test]
fn sessions_follow_the_domain_page() {
    let (mut outcomes, mut ratios_with_half) = (BTreeMap::new(), 0);
    for events in by_session("--sessions 4000 --seed 3 --abandoned 0.2").values() {
        let kinds: Vec<&str> = events
            .iter()
            .map(|event| event["event_type"].as_str().unwrap())
            .collect();
        let scrolls = kinds.iter().filter(|kind| **kind == "scroll").count();
        assert_eq!(kinds[0], "enter");
        assert!((1..=8).contains(&scrolls), "{kinds:?}");
        assert!(
            kinds[1..=scrolls].iter().all(|kind| *kind == "scroll"),
            "{kinds:?}"
        );
        let last = &events[events.len() - 1];
        let ratio = last["scroll_ratio"].as_f64().unwrap();
        let outcome = match &kinds[scrolls + 1..] {
            ["complete"] => {
                assert_eq!(last["scroll_ratio"].to_string(), "1.0");
                "complete"
            }
            ["exit"] => {
                assert!((0.6..=0.9).contains(&ratio), "{ratio}");
                "exit"
            }
            [] => "abandoned",
            more => panic!("{more:?}"),
        };
        *outcomes.entry(outcome).or_insert(0u32) += 1;

        let start = event_time(&events[0]);
        for pair in events.windows(2) {
            let gap = event_time(&pair[1]) - event_time(&pair[0]);
            let scroll_to_scroll =
                pair[0]["event_type"] == "scroll" && pair[1]["event_type"] == "scroll";
            assert!(
                (if scroll_to_scroll {
                    10_000..=60_000
                } else {
                    1_000..=60_000
                })
                .contains(&gap),
                "{gap}"
            );
            for rising in ["scroll_ratio", "scroll_event_count"] {
                let value = |event: &Value| event[rising].as_f64();
                assert!(
                    value(&pair[0]).unwrap_or(0.0) <= value(&pair[1]).unwrap(),
                    "{rising} falls"
                );
            }
        }
        for event in events {
            let dwell = event["dwell_time_ms"].as_i64();
            assert!(dwell.is_none_or(|dwell| dwell == event_time(event) - start));
            assert_eq!(
                event["experiment_name"].is_null(),
                event["experiment_group"].is_null()
            );
            ratios_with_half += u32::from(
                event["scroll_ratio"].to_string().len() == 5
                    && event["scroll_ratio"].to_string().ends_with('5'),
            );
        }
    }
    // Of 4000: 20 % abandoned, of the rest 80 % complete; five standard deviations are 126 and 152.
    assert!((674..=926).contains(&outcomes["abandoned"]), "{outcomes:?}");
    assert!(
        (2404..=2716).contains(&outcomes["complete"]),
        "{outcomes:?}"
    );
    assert!(ratios_with_half > 500, "{ratios_with_half}");
}

#[test]
fn users_keep_their_profile_and_come_again() {
    const FIXED: [&str; 6] = [
        "country",
        "platform",
        "device",
        "browser",
        "experiment_name",
        "experiment_group",
    ];
    let (sent, summary) = play("--sessions 3000 --days 3 --seed 5 --start 2026-11-01");
    let mut profiles: HashMap<String, HashMap<&str, Value>> = HashMap::new();
    let mut days: HashMap<String, BTreeMap<i64, BTreeSet<String>>> = HashMap::new();
    let mut text_ids: HashMap<String, BTreeSet<bool>> = HashMap::new();
    for one in &sent {
        let event = one.json().unwrap();
        let user = one.key.clone().unwrap();
        text_ids
            .entry(user.clone())
            .or_default()
            .insert(event["user_id"].is_string());
        assert_eq!(event["user_id"].to_string().trim_matches('"'), user);
        for name in FIXED {
            if !event[name].is_null() {
                let known = profiles
                    .entry(user.clone())
                    .or_default()
                    .entry(name)
                    .or_insert_with(|| event[name].clone());
                assert_eq!(known, &event[name], "{name} of {user} changed");
            }
        }
        let sessions = days
            .entry(user)
            .or_default()
            .entry(event_time(&event) / 86_400_000)
            .or_default();
        sessions.insert(event["session_id"].to_string());
    }
    assert_eq!(summary.users as usize, days.len());
    assert!(
        (400..=500).contains(&days.len()),
        "3000 sessions are about 500 users, some of whom stay away: {}",
        days.len()
    );
    assert!(
        days.values().filter(|days| days.len() > 1).count() > 200,
        "users come back on other days"
    );
    assert!(
        days.values()
            .flat_map(BTreeMap::values)
            .filter(|sessions| sessions.len() > 2)
            .count()
            > 200,
        "and several times a day"
    );
    assert!(
        text_ids.values().all(|forms| forms.len() == 1),
        "one form of the identifier per user"
    );
    let texts = text_ids
        .values()
        .filter(|forms| forms.contains(&true))
        .count();
    assert!(
        (30..=120).contains(&texts),
        "15 % of users have a text: {texts}"
    );
}

#[test]
fn countries_have_their_shares_and_their_hours() {
    let (sent, _) = play("--sessions 12000 --seed 11 --days 4 --binge 0");
    let mut countries: BTreeMap<String, u32> = BTreeMap::new();
    let mut local_hours = [0u32; 24];
    for one in &sent {
        let event = one.json().unwrap();
        if event["event_type"] != "enter" {
            continue;
        }
        *countries
            .entry(event["country"].as_str().unwrap().to_owned())
            .or_default() += 1;
        if let Some(local) = event["local_timestamptz"].as_str() {
            local_hours[local[11..13].parse::<usize>().unwrap()] += 1;
            let local = chrono::DateTime::parse_from_rfc3339(local).unwrap();
            assert_eq!(local.timestamp_millis(), event_time(&event));
        }
    }
    for (country, share) in [
        ("KR", 0.30),
        ("US", 0.30),
        ("JP", 0.20),
        ("TW", 0.15),
        ("FR", 0.05),
    ] {
        // 2000 users with unequal activity: a user's country weighs with all its sessions.
        let seen = f64::from(countries[country]) / 12_000.0;
        assert!((seen - share).abs() < 0.05, "{country}: {seen}");
    }
    assert!(
        local_hours[22] > 8 * local_hours[4],
        "evenings are busier than nights: {local_hours:?}"
    );
    assert!(local_hours.iter().all(|count| *count > 0));
}

#[test]
fn popularity_is_skewed_and_binges_read_on() {
    let (sent, summary) = play("--sessions 6000 --seed 2 --binge 0.3");
    let mut titles: HashMap<String, u32> = HashMap::new();
    let mut users: HashMap<String, Vec<(i64, String, u32)>> = HashMap::new();
    for one in &sent {
        let event = one.json().unwrap();
        if event["event_type"] == "enter" {
            let title = event["webtoon_id"].as_str().unwrap().to_owned();
            let episode = event["episode_id"]
                .as_str()
                .unwrap()
                .trim_start_matches("ep_")
                .parse()
                .unwrap();
            *titles.entry(title.clone()).or_default() += 1;
            users.entry(one.key.clone().unwrap()).or_default().push((
                event_time(&event),
                title,
                episode,
            ));
        }
    }
    let mut counts: Vec<u32> = titles.values().copied().collect();
    counts.sort_unstable();
    let top: u32 = counts.iter().rev().take(5).sum();
    assert!(
        titles.len() > 40 && top > 2_000,
        "5 titles of {} have {top} of 6000 sessions",
        titles.len()
    );
    let in_a_row = |visits: &Vec<(i64, String, u32)>| {
        visits
            .windows(2)
            .filter(|pair| {
                pair[1].0 - pair[0].0 < 600_000
                    && pair[1].1 == pair[0].1
                    && pair[1].2 == pair[0].2 + 1
            })
            .count() as u64
    };
    let read_on: u64 = users.values().map(in_a_row).sum();
    let expected = summary.sessions - summary.visits;
    assert!(
        summary.binges * 10 > summary.visits * 2,
        "{} of {} visits",
        summary.binges,
        summary.visits
    );
    assert!(
        read_on * 10 > expected * 9,
        "{read_on} next episodes at once, {expected} sessions follow another"
    );
}

#[test]
fn with_a_rate_alone_every_event_happens_when_it_is_sent() {
    let (sent, summary) =
        play("--rate 50 --events 20000 --start 2026-11-01T10:00:00Z --out-of-order 0.05");
    assert_eq!(sent.len(), 20_000);
    assert_eq!(summary.end, None);
    let start = 1_793_491_200_000 + 36_000_000;
    let mut in_time = 0;
    let mut times = HashMap::<String, Vec<i64>>::new();
    for (number, message) in sent.iter().enumerate() {
        assert_eq!(message.time_ms, start + number as i64 * 20);
        let event = message.json().unwrap();
        let at = event_time(&event);
        assert!(at <= message.time_ms);
        in_time += usize::from(message.time_ms - at <= 20);
        let session = event["session_id"].as_str().unwrap().to_owned();
        times.entry(session).or_default().push(at);
    }
    // The rest was sent after its successor.
    assert!((18_500..19_900).contains(&in_time), "{in_time}");
    // Sessions stay whole, and as long as their share of the story: none is over at once, most are well below the run's 400 s.
    let length = |times: &Vec<i64>| times.iter().max().unwrap() - times.iter().min().unwrap();
    let mut lengths: Vec<i64> = times.values().map(length).collect();
    lengths.sort_unstable();
    assert!((2_000..300_000).contains(&lengths[lengths.len() / 2]));
    let latest = times.values().flatten().max().copied();
    assert_eq!(summary.last_event_time, latest.map(time_text));
}

#[test]
fn with_a_rate_alone_a_repeat_is_the_same_bytes_and_what_is_late_happened_before() {
    let (sent, summary) = play(
        "--rate 100 --events 10000 --start 2026-11-01T10:00:00Z --duplicates 0.05 --late 0.05",
    );
    let mut first = HashMap::new();
    let (mut repeats, mut late) = (0, 0);
    for message in &sent {
        let event = message.json().unwrap();
        let id = event["event_id"].as_str().unwrap().to_owned();
        late += u64::from(message.time_ms - event_time(&event) > 1_000);
        if let Some(before) = first.insert(id, message.bytes.clone()) {
            assert_eq!(before, message.bytes);
            repeats += 1;
        }
    }
    assert_eq!(repeats, summary.duplicates);
    assert!(late > summary.late / 2, "{late} of {}", summary.late);
}
