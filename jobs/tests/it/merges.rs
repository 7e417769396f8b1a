//! The SQL views that merge partials: the merged row must be what the events of all partitions say together.

use crate::database::Database;
use crate::partials::{
    Event, events, hashes, insert, latest_cities, newest_cities, top_cities, view,
};

/// Every aggregation that can be merged. A feature may have the name of a word of SQL.
const LIFETIME: &str = "feature_view: demo_place
description: A place
entity: place
window: lifetime
features:
  events: {count: {}}
  order: {count: {when: {event_type: buy}}}
  bought: {seen: {event_type: buy}}
  amount: {sum: amount}
  weight: {sum: weight}
  mean_weight: {avg: weight}
  mean_amount: {avg: amount}
  least_weight: {min: weight, round: 1}
  most_amount: {max: amount}
  oldest: {min: event_time, hidden: true}
  newest: {max: event_time}
  span: {elapsed: [oldest, newest]}
  first_city: {first: city, default: NOWHERE}
  last_city: {last: city}
  cities: {last_n: city, n: 3}
  users: {distinct_count: user_id, exact_up_to: 16}
  top_cities: {top_k: city, k: 2}
  latest_cities: {top_k: city, k: 2, ties: latest}
  latest_city: {top: city, ties: latest, default: NOWHERE}
  order_rate: {ratio: [order, events]}
  weight_rate: {ratio: [weight, amount]}
  streak: {streak: {of: {event_type: buy}, until: {event_type: look}}}
";

/// More than any streak of the tests has: its times are all there.
const KEPT: usize = 100;

/// An exact quotient as PostgreSQL shows the nearest double.
fn quotient(part: i64, whole: i64) -> String {
    (part as f64 / whole as f64).to_string()
}

/// The value of every feature from all events together, as PostgreSQL shows it.
fn expected(events: &[Event]) -> Vec<(&'static str, String)> {
    let all: Vec<&Event> = events.iter().collect();
    let null = || "null".to_owned();
    let buys = events.iter().filter(|event| event.buy).count();
    let weights: Vec<i64> = events.iter().filter_map(|event| event.weight).collect();
    let amounts: Vec<i64> = events.iter().filter_map(|event| event.amount).collect();
    let (weight, amount) = (weights.iter().sum::<i64>(), amounts.iter().sum::<i64>());
    let count = |numbers: &[i64]| i64::try_from(numbers.len()).unwrap();
    let mean = |sum: i64, numbers: &[i64], unit: i64| match numbers.is_empty() {
        true => null(),
        false => quotient(sum, count(numbers) * unit),
    };
    let cities = |cities: Vec<(i64, &str)>| {
        let names: Vec<&str> = cities.into_iter().map(|(_, city)| city).collect();
        format!("{{{}}}", names.join(","))
    };
    let with_city: Vec<&str> = events.iter().filter_map(|event| event.city).collect();
    let streak = events.iter().rev().take_while(|event| event.buy).count();
    let least = weights
        .iter()
        .min()
        .map(|least| quotient((least + 50).div_euclid(100), 10));
    let top: Vec<_> = top_cities(&all).into_iter().take(2).collect();
    let latest: Vec<(i64, &str)> = (latest_cities(&all).into_iter())
        .map(|(count, _, city)| (count, city))
        .collect();
    let newest = format!("1970-01-01 00:00:{:02}+00", events.last().unwrap().time);
    vec![
        ("events", events.len().to_string()),
        ("\"order\"", buys.to_string()),
        ("bought", (buys > 0).to_string()),
        (
            "amount",
            if amounts.is_empty() {
                null()
            } else {
                amount.to_string()
            },
        ),
        (
            "weight",
            if weights.is_empty() {
                null()
            } else {
                quotient(weight, 1_000)
            },
        ),
        ("mean_weight", mean(weight, &weights, 1_000)),
        ("mean_amount", mean(amount, &amounts, 1)),
        ("least_weight", least.unwrap_or_else(null)),
        (
            "most_amount",
            amounts.iter().max().map_or_else(null, i64::to_string),
        ),
        ("newest", newest),
        (
            "span",
            (events.last().unwrap().time - events[0].time).to_string(),
        ),
        (
            "first_city",
            with_city.first().unwrap_or(&"NOWHERE").to_string(),
        ),
        ("last_city", with_city.last().unwrap_or(&"null").to_string()),
        ("cities", cities(newest_cities(&all))),
        ("users", distinct(&all).to_string()),
        ("top_cities", cities(top)),
        (
            "latest_cities",
            cities(latest.iter().copied().take(2).collect()),
        ),
        (
            "latest_city",
            latest
                .first()
                .map_or("NOWHERE", |(_, city)| city)
                .to_string(),
        ),
        (
            "order_rate",
            quotient(
                i64::try_from(buys).unwrap(),
                i64::try_from(events.len()).unwrap(),
            ),
        ),
        ("streak", streak.to_string()),
    ]
}

/// Exact up to 16; beyond, the 17th smallest hash says how densely the hashes lie.
fn distinct(events: &[&Event]) -> u64 {
    let hashes = hashes(events);
    match hashes.iter().nth(16) {
        None => u64::try_from(hashes.len()).unwrap(),
        Some(last) => {
            let place = i128::from(*last) - i128::from(i64::MIN) + 1;
            (16.0 * (1_u128 << 64) as f64 / place as f64).round() as u64
        }
    }
}

#[test]
fn partials_of_several_partitions_say_what_their_events_say_together() {
    let view = view(LIFETIME);
    let database = Database::with(&[&view]);
    for seed in 0..150 {
        let events = events(seed);
        database.execute("DELETE FROM online.demo_place__partials");
        insert(&database, &view, &events, KEPT);
        let expected = expected(&events);
        for (name, value) in &expected {
            assert_eq!(
                database.value(name, "online.demo_place"),
                *value,
                "seed {seed}: {name}"
            );
        }
        let newest = events.last().unwrap().time;
        assert_eq!(
            database.rows(&["place", "version"], "online.demo_place"),
            [format!("here {}", newest + 7)]
        );
    }
}

#[test]
fn nothing_to_sum_is_null_and_a_ratio_of_nothing_is_0() {
    let view = view(LIFETIME);
    let database = Database::with(&[&view]);
    let events: Vec<Event> = (0..2)
        .map(|partition| Event {
            time: 5,
            partition,
            buy: false,
            user: 1,
            city: None,
            weight: None,
            amount: None,
        })
        .collect();
    insert(&database, &view, &events, KEPT);
    let columns = [
        "amount",
        "weight",
        "mean_weight",
        "least_weight",
        "last_city",
        "order_rate",
        "weight_rate",
        "users",
        "bought",
    ];
    assert_eq!(
        database.rows(&columns, "online.demo_place"),
        ["null null null null null 0 0 1 false"]
    );
    assert_eq!(
        database.rows(&["first_city", "cities", "streak"], "online.demo_place"),
        ["NOWHERE {} 0"]
    );
}

#[test]
fn a_sum_that_is_too_large_hides_only_itself() {
    let view = view(LIFETIME);
    let database = Database::with(&[&view]);
    insert(&database, &view, &events(1), KEPT);
    let largest = format!(
        "UPDATE online.demo_place__partials SET amount = {}, amount__n = 1",
        i64::MAX
    );
    database.execute(&format!(
        "{largest}; DELETE FROM online.demo_place__partials WHERE _partition > 1"
    ));
    assert_eq!(
        database.value("count(*)", "online.demo_place__partials"),
        "2"
    );
    assert_eq!(database.value("amount", "online.demo_place"), "null");
    database.execute("DELETE FROM online.demo_place__partials WHERE _partition = 1");
    assert_eq!(
        database.value("amount", "online.demo_place"),
        i64::MAX.to_string()
    );
}

#[test]
fn a_streak_counts_old_events_of_a_partition_only_if_they_came_after_what_ended_it() {
    let view = view(LIFETIME);
    let database = Database::with(&[&view]);
    let event = |time, partition, buy| Event {
        time,
        partition,
        buy,
        user: 1,
        city: None,
        weight: None,
        amount: None,
    };
    // Partition 0 does not know of the look in partition 1; the older buys of 1 came after it, the older ones of 0 before.
    let mut events: Vec<Event> = (0..5).map(|time| event(time, 0, true)).collect();
    events.push(event(10, 1, false));
    events.extend((11..16).map(|time| event(time, 1, true)));
    events.push(event(20, 0, true));
    insert(&database, &view, &events, 2);
    assert_eq!(database.value("streak", "online.demo_place"), "6");
}

#[test]
fn windows_are_merged_while_they_overlap() {
    let view = view(
        "feature_view: demo_hour\ndescription: An hour\nentity: [place, user_id]\nwindow: {sliding: 1h, every: 10m}\nfeatures:\n  \
         events: {count: {}}\n",
    );
    let database = Database::with(&[&view]);
    let ends = ["01:00", "01:50", "02:00", "02:00"];
    for (partition, end) in ends.into_iter().enumerate() {
        database.execute(&format!(
            "INSERT INTO online.demo_hour__partials VALUES ('p', 'u', {}, '2026-11-01 {end}+00', now(), {partition}, {partition}, now())",
            10_i64.pow(u32::try_from(partition).unwrap())
        ));
    }
    // Another entity, as old as the oldest partial: it is its own newest.
    database.execute("INSERT INTO online.demo_hour__partials VALUES ('p', 'w', 7, '2026-11-01 01:00+00', now(), 1, 0, now())");
    // [00:00, 01:00) shares nothing with [01:00, 02:00).
    assert_eq!(
        database.rows(&["user_id", "events", "window_end"], "online.demo_hour"),
        [
            "u 1110 2026-11-01 02:00:00+00",
            "w 7 2026-11-01 01:00:00+00"
        ]
    );
}

#[test]
fn windows_that_move_with_every_event_are_merged_while_they_overlap() {
    let view = view(
        "feature_view: demo_now\ndescription: Ten minutes\nentity: place\nwindow: {sliding: 10m}\nfeatures:\n  \
         events: {count: {}}\n  mean: {avg: amount}\n",
    );
    let database = Database::with(&[&view]);
    // The second is a microsecond within the window of the newest; the first has left it. The third is empty: its events have left.
    let partials = [
        ("01:50:00", 1, 700),
        ("01:50:00.000001", 10, 70),
        ("01:55:00", 0, 0),
        ("02:00:00", 2, 50),
    ];
    for (partition, (end, events, amount)) in partials.into_iter().enumerate() {
        database.execute(&format!(
            "INSERT INTO online.demo_now__partials VALUES ('p', {events}, {amount}, {events}, '2026-11-01 {end}+00', now(), {partition}, \
             {partition}, now())"
        ));
    }
    assert_eq!(
        database.rows(&["events", "mean", "window_end"], "online.demo_now"),
        ["12 10 2026-11-01 02:00:00+00"]
    );
    // All have left everywhere.
    database.execute("UPDATE online.demo_now__partials SET events = 0, mean = 0, mean__n = 0");
    assert_eq!(
        database.rows(&["events", "mean"], "online.demo_now"),
        ["0 null"]
    );
}

#[test]
fn the_newest_events_are_the_newest_of_all_partitions() {
    let view = view(
        "feature_view: demo_recent\ndescription: The last events\nentity: place\nwindow: {last: 3}\nfeatures:\n  \
         cities: {last_n: city, n: 10}\n  last_city: {last: city}\n",
    );
    let database = Database::with(&[&view]);
    let event = |time, partition, city| Event {
        time,
        partition,
        buy: true,
        user: 1,
        city,
        weight: None,
        amount: None,
    };
    let events = [
        event(1, 0, Some("Aix")),
        event(2, 0, Some("Brest")),
        event(3, 1, Some("Caen")),
        event(4, 0, None),
        event(5, 1, Some("Aix")),
    ];
    insert(&database, &view, &events, KEPT);
    // The last three are at 3, 4 and 5.
    assert_eq!(
        database.rows(&["cities", "last_city"], "online.demo_recent"),
        ["{Caen,Aix} Aix"]
    );
}

#[test]
fn a_session_is_what_its_partials_say_together() {
    let view = view(
        "feature_view: demo_stay\ndescription: A stay\nentity: place\n\
         window: {session: 10m, keep: 1h, ends: {on: {event_type: buy}, if: {state: [DONE]}}}\nfeatures:\n  \
         events: {count: {}}\n  heavy: {max: weight, round: 1}\n  bought: {seen: {event_type: buy}, hidden: true}\n  \
         state: {case: [{is: DONE, if: {bought: true, heavy: {at_least: 1.5}}}, {is: GONE, if: {timed_out: true}}, {is: OPEN}]}\n",
    );
    let database = Database::with(&[&view]);
    // Events, heavy, buys, first event, whether it is over, by the gap, newest event.
    type Partial = (
        i64,
        &'static str,
        i64,
        &'static str,
        bool,
        bool,
        &'static str,
    );
    let shown = |partials: &[Partial]| {
        database.execute("DELETE FROM online.demo_stay__partials");
        for (partition, partial) in partials.iter().enumerate() {
            let (events, heavy, bought, began, is_final, timed_out, newest) = partial;
            database.execute(&format!(
                "INSERT INTO online.demo_stay__partials VALUES ('p', {events}, {heavy}, {bought}, '2026-11-01 {began}+00', {is_final}, \
                 {timed_out}, '2026-11-01 {newest}+00', {partition}, {partition}, now())"
            ));
        }
        database.rows(
            &["events", "heavy", "state", "is_final", "_partition"],
            "online.demo_stay",
        )
    };
    let weighed = (2, "1.5", 0, "00:00", true, true, "00:10");
    assert_eq!(shown(&[weighed]), ["2 1.5 GONE true 0"]);
    let bought = (1, "NULL", 1, "00:05", false, false, "00:05");
    assert_eq!(
        shown(&[weighed, bought]),
        ["3 1.5 DONE false 0"],
        "neither knows that it is done"
    );
    let light = (2, "1.4", 0, "00:00", true, true, "00:10");
    assert_eq!(
        shown(&[light, bought]),
        ["3 1.4 OPEN false 0"],
        "one of two has timed out"
    );
    let gone = (1, "NULL", 1, "00:05", true, true, "00:05");
    assert_eq!(shown(&[light, gone]), ["3 1.4 GONE true 0"]);
    let done = (1, "1.9", 1, "00:20", true, false, "00:20");
    assert_eq!(shown(&[light, done]), ["3 1.9 DONE true 1"]);
    // An hour and ten minutes apart is one session still.
    let later = (7, "NULL", 0, "01:20", true, true, "01:30");
    assert_eq!(shown(&[light, later]), ["9 1.4 GONE true 1"]);
    let another = (7, "NULL", 0, "01:20:00.000001", true, true, "01:30");
    assert_eq!(shown(&[light, another]), ["7 null GONE true 1"]);
}
