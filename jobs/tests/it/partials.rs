//! Events of a little world of their own, dealt to Kafka partitions, and the partials that a sessionizer keeps of them: each
//! computed from the events of one partition only, by going over all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use userflow_models::contract::Contract;
use userflow_models::features::online::{self, Source};
use userflow_models::features::{FeatureView, parse};

use crate::database::Database;

pub(crate) const CONTRACT: &str = r#"{
  "$schema": "http://json-schema.org/draft-07/schema#",
  "type": "object",
  "x-domain": "demo",
  "x-limits": {"max_bytes": 65536, "max_depth": 8, "max_future": "1h"},
  "x-event-id": "event_id", "x-event-type": "event_type", "x-event-time": "event_time", "x-key": "user_id",
  "x-partition": "event_date",
  "required": ["event_id", "event_type", "user_id", "place", "event_time"],
  "properties": {
    "event_id": {"type": "string", "minLength": 1, "x-column": {"name": "event_id", "type": "string"}},
    "event_type": {"type": "string", "enum": ["look", "buy"], "x-column": {"name": "event_type", "type": "string"}},
    "user_id": {"type": "string", "minLength": 1, "x-column": {"name": "user_id", "type": "string"}},
    "place": {"type": "string", "minLength": 1, "x-column": {"name": "place", "type": "string"}},
    "event_time": {"type": "string", "format": "date-time", "x-column": {"name": "event_time", "type": "timestamp", "default_zone": "UTC"}},
    "city": {"type": ["string", "null"], "x-column": {"name": "city", "type": "string"}},
    "weight": {"type": ["number", "null"], "x-column": {"name": "weight", "type": "decimal(18,3)"}},
    "amount": {"type": ["integer", "null"], "x-column": {"name": "amount", "type": "bigint"}}
  }
}"#;

/// A view of that world.
pub(crate) fn view(text: &str) -> FeatureView {
    let contract = Contract::parse(Path::new("contract.json"), CONTRACT).unwrap();
    parse(text, &contract).unwrap()
}

#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// Seconds; all different.
    pub(crate) time: i64,
    pub(crate) partition: usize,
    pub(crate) buy: bool,
    pub(crate) user: u64,
    pub(crate) city: Option<&'static str>,
    /// Thousandths.
    pub(crate) weight: Option<i64>,
    pub(crate) amount: Option<i64>,
}

/// A small generator of repeatable numbers (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        hash(self.0)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

fn hash(of: u64) -> u64 {
    let mixed = (of ^ (of >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Up to 60 events, the same for the same seed.
pub(crate) fn events(seed: u64) -> Vec<Event> {
    let mut random = Random(seed);
    let cities = ["Aix", "Brest", "Caen", "Dijon", "Évry"];
    let (count, users, buys) = (random.below(60) + 1, random.below(40) + 1, random.below(10));
    (0..count)
        .map(|time| Event {
            time: i64::try_from(time).unwrap(),
            partition: usize::try_from(random.below(3)).unwrap(),
            buy: random.below(10) < buys,
            user: random.below(users),
            city: cities
                .get(usize::try_from(random.below(8)).unwrap())
                .copied(),
            weight: (random.below(4) > 0)
                .then(|| i64::try_from(random.below(1_000_000)).unwrap() - 200_000),
            amount: (random.below(4) > 0).then(|| i64::try_from(random.below(1_000)).unwrap()),
        })
        .collect()
}

/// A time of the events, as PostgreSQL reads it.
fn time(seconds: i64) -> String {
    format!("to_timestamp({seconds})")
}

fn text(value: Option<&str>) -> String {
    value.map_or("NULL".to_owned(), |value| format!("'{value}'"))
}

fn number(value: Option<impl ToString>) -> String {
    value.map_or("NULL".to_owned(), |value| value.to_string())
}

fn list(values: impl IntoIterator<Item = impl ToString>, of: &str) -> String {
    let values: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
    format!("'{{{}}}'::{of}[]", values.join(","))
}

/// The newest different cities with their newest times, newest last.
pub(crate) fn newest_cities(events: &[&Event]) -> Vec<(i64, &'static str)> {
    let mut newest: BTreeMap<&str, i64> = BTreeMap::new();
    for event in events {
        if let Some(city) = event.city {
            newest.insert(city, event.time);
        }
    }
    let mut newest: Vec<(i64, &str)> = newest
        .into_iter()
        .map(|(city, time)| (time, city))
        .collect();
    newest.sort();
    newest.split_off(newest.len().saturating_sub(3))
}

/// How often each city was, most first, then by name.
pub(crate) fn top_cities(events: &[&Event]) -> Vec<(i64, &'static str)> {
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for city in events.iter().filter_map(|event| event.city) {
        *counts.entry(city).or_default() += 1;
    }
    let mut top: Vec<_> = counts
        .into_iter()
        .map(|(city, count)| (count, city))
        .collect();
    top.sort_by_key(|(count, city)| (-count, *city));
    top
}

/// How often each city was and when last, most first, then the latest.
pub(crate) fn latest_cities(events: &[&Event]) -> Vec<(i64, i64, &'static str)> {
    let mut latest: Vec<_> = top_cities(events)
        .into_iter()
        .map(|(count, city)| {
            let of_city = events.iter().filter(|event| event.city == Some(city));
            let newest = of_city.map(|event| event.time).max();
            (count, newest.expect("it was counted"), city)
        })
        .collect();
    latest.sort_by_key(|(count, newest, city)| (-count, -newest, *city));
    latest
}

/// What stands in a stored column of one partition, as SQL. The events are in order of time. Of a streak the newest `kept` have
/// their times, the older ones are only counted.
fn partial(feature: &str, source: Source, events: &[&Event], kept: usize) -> String {
    let buys: Vec<i64> = events
        .iter()
        .filter(|event| event.buy)
        .map(|event| event.time)
        .collect();
    let until = events
        .iter()
        .rev()
        .find(|event| !event.buy)
        .map(|event| event.time);
    let streak: Vec<i64> = buys
        .into_iter()
        .filter(|time| until.is_none_or(|until| *time > until))
        .collect();
    let (older, newest) = streak.split_at(streak.len().saturating_sub(kept));
    let weights: Vec<i64> = events.iter().filter_map(|event| event.weight).collect();
    let amounts: Vec<i64> = events.iter().filter_map(|event| event.amount).collect();
    let numbers = if feature.contains("weight") {
        &weights
    } else {
        &amounts
    };
    let with_city: Vec<&&Event> = events.iter().filter(|event| event.city.is_some()).collect();
    let city = match feature {
        "first_city" => with_city.first(),
        _ => with_city.last(),
    };
    match (feature, source) {
        ("order" | "bought", Source::Count(_)) => {
            events.iter().filter(|event| event.buy).count().to_string()
        }
        (_, Source::Count(_)) => events.len().to_string(),
        (_, Source::Total(_)) => numbers.iter().sum::<i64>().to_string(),
        (_, Source::Samples(_)) => numbers.len().to_string(),
        ("least_weight", Source::Value(_)) => {
            // Rounded half up to one decimal.
            number(
                weights
                    .iter()
                    .min()
                    .map(|least| (least + 50).div_euclid(100) as f64 / 10.0),
            )
        }
        ("most_amount", Source::Value(_)) => number(amounts.iter().max()),
        ("oldest", Source::Value(_)) => time(events[0].time),
        ("newest", Source::Value(_)) => time(events.last().unwrap().time),
        ("first_city" | "last_city", Source::Value(_)) => text(city.and_then(|event| event.city)),
        (_, Source::TimeOf(_)) => city.map_or("NULL".to_owned(), |event| time(event.time)),
        ("cities", Source::Values(_)) => {
            list(newest_cities(events).iter().map(|(_, city)| city), "text")
        }
        ("cities", Source::Times(_)) => {
            list(newest_cities(events).iter().map(|(time, _)| time), "bigint")
        }
        ("top_cities", Source::Values(_)) => {
            list(top_cities(events).iter().map(|(_, city)| city), "text")
        }
        ("top_cities", Source::Counts(_)) => {
            list(top_cities(events).iter().map(|(count, _)| count), "bigint")
        }
        ("latest_cities" | "latest_city", Source::Values(_)) => list(
            latest_cities(events).iter().map(|(_, _, city)| city),
            "text",
        ),
        ("latest_cities" | "latest_city", Source::Counts(_)) => list(
            latest_cities(events).iter().map(|(count, _, _)| count),
            "bigint",
        ),
        ("latest_cities" | "latest_city", Source::Times(_)) => list(
            latest_cities(events).iter().map(|(_, newest, _)| newest),
            "bigint",
        ),
        (_, Source::Hashes(_)) => list(hashes(events).into_iter().take(17), "bigint"),
        (_, Source::StreakTimes(_)) => list(newest, "bigint"),
        (_, Source::StreakOlder(_)) => older.len().to_string(),
        (_, Source::StreakOlderNewest(_)) => number(older.last()),
        (_, Source::StreakUntil(_)) => number(until),
        (_, Source::Key(_)) => "'here'".to_owned(),
        (_, Source::EventTime) => time(events.last().unwrap().time),
        (_, Source::Version) => (events.last().unwrap().time + 7).to_string(),
        (_, Source::Partition) => events[0].partition.to_string(),
        (_, Source::EventTimes) => list(events.iter().map(|event| event.time), "bigint"),
        other => panic!("no value for {other:?}"),
    }
}

/// The users' hashes, smallest first.
pub(crate) fn hashes(events: &[&Event]) -> BTreeSet<i64> {
    events
        .iter()
        .map(|event| hash(event.user).cast_signed())
        .collect()
}

/// Writes one partial per partition that has events.
pub(crate) fn insert(database: &Database, view: &FeatureView, events: &[Event], kept: usize) {
    for partition in 0..3 {
        let own: Vec<&Event> = events
            .iter()
            .filter(|event| event.partition == partition)
            .collect();
        if own.is_empty() {
            continue;
        }
        let columns = online::stored(view);
        let values: Vec<String> = (columns.iter())
            .map(|column| {
                partial(
                    column.name.split("__").next().unwrap(),
                    column.source,
                    &own,
                    kept,
                )
            })
            .collect();
        database.execute(&format!(
            "INSERT INTO online.{} VALUES ({}, now())",
            online::partials(&view.name),
            values.join(", ")
        ));
    }
}
