//! `training-set`: features as they stood at the times of labels, compared with what is counted from the events one by one.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use fastrand::Rng;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::world::{Arrival, World, figure};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// 2026-11-01T00:00:00Z.
const MIDNIGHT: i64 = 1_793_491_200 * SECOND;

const LIFE: &str = "feature_view: demo_life
description: What a user ever did
entity: user_id
partition_local: true
window: lifetime
features:
  looks: {count: {}}
  amount: {sum: amount}
  newest: {last: amount}
";
const HOURLY: &str = "feature_view: demo_hour
description: What a user did in the last hour
entity: user_id
partition_local: true
window: {sliding: 1h, every: 10m}
features:
  looks_1h: {count: {}}
ttl: 2h
";
const EXACT: &str = "feature_view: demo_exact
description: What a user did in the last ten minutes
entity: user_id
partition_local: true
window: {sliding: 10m}
features:
  looks_10m: {count: {}}
";
const FEATURES: &str =
    "demo_life:looks,demo_life:amount,demo_life:newest,demo_hour:looks_1h,demo_exact:looks_10m";

struct Label {
    user: Option<String>,
    time: i64,
}

/// Values of the features in the order asked.
type Row = Vec<Option<i64>>;

fn world() -> World {
    let world = World::new();
    for (name, text) in [
        ("demo_life", LIFE),
        ("demo_hour", HOURLY),
        ("demo_exact", EXACT),
    ] {
        world.put(&format!("demo/features/{name}.yml"), text);
    }
    world
}

/// Events of some users over half a day, late and repeated, on three partitions; in Kafka's order.
fn events(random: &mut Rng, late: i64) -> Vec<Arrival> {
    let mut sent: Vec<(i64, Arrival)> = Vec::new();
    for number in 0..400 {
        let user = random.i32(0..12);
        let time = MIDNIGHT + random.i64(0..12 * HOUR / 1_000) * 1_000;
        let event = Arrival {
            id: format!("e{number}"),
            user: format!("u{user}"),
            amount: random.i64(0..100),
            time,
            partition: user % 3,
            offset: 0,
            kafka_time: 0,
            ingested_at: 0,
        };
        let came = time + random.i64(0..=late / 1_000) * 1_000;
        if random.u8(0..10) == 0 {
            sent.push((came + random.i64(0..5) * MINUTE, event.clone()));
        }
        sent.push((came, event));
    }
    sent.sort_by_key(|(came, _)| *came);
    let mut next = BTreeMap::new();
    sent.into_iter()
        .map(|(came, mut event)| {
            let offset = next.entry(event.partition).or_insert(0);
            event.offset = *offset;
            *offset += 1;
            event.kafka_time = came;
            event.ingested_at = came + SECOND;
            event
        })
        .collect()
}

fn labels(random: &mut Rng, events: &[Arrival]) -> Vec<Label> {
    let label = |_| Label {
        // Some name nobody, some a user who never came.
        user: (random.u8(0..20) > 0).then(|| format!("u{}", random.u8(0..14))),
        // Some at the very time of an event.
        time: match random.u8(0..3) == 0 {
            true => events[random.usize(0..events.len())].time,
            false => MIDNIGHT + random.i64(-HOUR..16 * HOUR) / 1_000 * 1_000,
        },
    };
    (0..300).map(label).collect()
}

fn written(labels: &[Label]) -> String {
    let mut text = "label_id,user_id,event_timestamp,note\n".to_owned();
    for (number, label) in labels.iter().enumerate() {
        let time = chrono::DateTime::from_timestamp_micros(label.time).unwrap();
        let user = label.user.as_deref().unwrap_or_default();
        text.push_str(&format!(
            "{number},{user},{},\"a, b\"\n",
            time.format("%Y-%m-%dT%H:%M:%S%.3fZ")
        ));
    }
    text
}

/// Makes the training set; its rows, which must be in the order of the labels.
fn made(world: &World, labels: &[Label], as_of: &str) -> Vec<Row> {
    made_of(world, labels, as_of, ["--features", FEATURES])
}

fn made_of(world: &World, labels: &[Label], as_of: &str, asked: [&str; 2]) -> Vec<Row> {
    let (file, into) = (
        world.models().join("labels.csv"),
        world.models().join("out.parquet"),
    );
    std::fs::write(&file, written(labels)).unwrap();
    let (file, into) = (file.display().to_string(), into.display().to_string());
    let done = world.ok(&[
        "training-set",
        "--domain",
        "demo",
        "--labels",
        &file,
        "--into",
        &into,
        "--as-of",
        as_of,
        asked[0],
        asked[1],
    ]);
    assert_eq!(done["labels"], labels.len());
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(&into).unwrap()).unwrap();
    let mut rows = Vec::new();
    for batch in reader.build().unwrap() {
        let batch = batch.unwrap();
        let names: Vec<String> = batch
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        let expected = [
            "label_id",
            "user_id",
            "event_timestamp",
            "note",
            "looks",
            "amount",
            "newest",
            "looks_1h",
            "looks_10m",
        ];
        assert_eq!(names, expected);
        let notes =
            arrow::compute::cast(batch.column(3), &arrow::datatypes::DataType::Utf8).unwrap();
        for row in 0..batch.num_rows() {
            assert_eq!(
                batch.column(0).as_primitive::<Int64Type>().value(row),
                i64::try_from(rows.len()).unwrap()
            );
            assert_eq!(notes.as_string::<i32>().value(row), "a, b");
            let values = (4..9).map(|column| {
                let column =
                    arrow::compute::cast(batch.column(column), &arrow::datatypes::DataType::Int64)
                        .unwrap();
                let column = column.as_primitive::<Int64Type>();
                column.is_valid(row).then(|| column.value(row))
            });
            rows.push(values.collect());
        }
    }
    assert_eq!(rows.len(), labels.len());
    rows
}

/// Each event once.
fn once<'a>(events: impl Iterator<Item = &'a Arrival>) -> Vec<&'a Arrival> {
    let mut seen = BTreeSet::new();
    events
        .filter(|event| seen.insert(event.id.clone()))
        .collect()
}

fn life(events: &[&Arrival]) -> Row {
    if events.is_empty() {
        return vec![None; 3];
    }
    // The newest by event time; of several at one time the one that came last.
    let newest = events
        .iter()
        .max_by_key(|event| (event.time, event.offset))
        .unwrap();
    let sum = events.iter().map(|event| event.amount).sum();
    vec![Some(events.len() as i64), Some(sum), Some(newest.amount)]
}

#[expect(
    clippy::disallowed_methods,
    reason = "the seed of a failed test is printed, and set to repeat it"
)]
fn seed() -> u64 {
    let seed = std::env::var("USERFLOW_TEST_SEED")
        .map_or_else(|_| fastrand::u64(..), |text| text.parse().unwrap());
    figure(&format!(
        "training set: repeat with USERFLOW_TEST_SEED={seed}"
    ));
    seed
}

#[test]
fn as_of_event_time_is_what_had_happened_by_then() {
    let mut random = Rng::with_seed(seed());
    let world = world();
    let events = events(&mut random, 40 * MINUTE);
    let (first, second) = events.split_at(150);
    world.arrivals("2026-11-01", second);
    world.arrivals("2026-11-01", first);
    let labels = labels(&mut random, &events);
    let made = made(&world, &labels, "event-time");
    for (label, made) in labels.iter().zip(made) {
        let of_user =
            |event: &&Arrival| Some(&event.user) == label.user.as_ref() && event.time <= label.time;
        let events = once(events.iter().filter(of_user));
        let count =
            |from: i64| Some(events.iter().filter(|event| event.time >= from).count() as i64);
        let mut expected = life(&events);
        let newest = events.iter().map(|event| event.time).max();
        // The window that the label's time is in, unless nothing came for longer than the ttl.
        let end = (label.time.div_euclid(10 * MINUTE) + 1) * 10 * MINUTE;
        let fresh = newest.is_some_and(|newest| label.time <= newest + 2 * HOUR);
        expected.push(fresh.then(|| count(end - HOUR)).flatten());
        expected.push(newest.and_then(|_| count(label.time - 10 * MINUTE + 1)));
        let time = chrono::DateTime::from_timestamp_micros(label.time).unwrap();
        assert_eq!(made, expected, "{:?} at {time}", label.user);
    }
}

#[test]
fn as_of_known_is_what_had_come_by_then() {
    let mut random = Rng::with_seed(seed());
    let world = world();
    // Within the horizon of repeats, which is ten minutes of event time.
    let mut events = events(&mut random, 3 * MINUTE);
    // A clock that is ahead is known when it was ingested; one that is behind makes nothing known before it could be.
    let mut sent: BTreeMap<String, usize> = BTreeMap::new();
    for event in &events {
        *sent.entry(event.id.clone()).or_default() += 1;
    }
    // Of these none that is sent again: its identifier is remembered from the time on that its clock may at most have.
    for event in events.iter_mut().filter(|event| sent[&event.id] == 1) {
        match random.u8(0..20) {
            0 => event.kafka_time += 3 * HOUR,
            1 => event.kafka_time -= 3 * HOUR,
            _ => {}
        }
    }
    world.arrivals("2026-11-01", &events);
    let labels = labels(&mut random, &events);
    let made = made(&world, &labels, "known");
    for (label, made) in labels.iter().zip(made) {
        let mut latest = BTreeMap::new();
        let known: Vec<&Arrival> = events
            .iter()
            .filter(|event| {
                let latest = latest.entry(event.partition).or_insert(i64::MIN);
                *latest = (*latest).max(event.kafka_time.min(event.ingested_at));
                *latest <= label.time && Some(&event.user) == label.user.as_ref()
            })
            .collect();
        let time = chrono::DateTime::from_timestamp_micros(label.time).unwrap();
        assert_eq!(
            made[..3],
            life(&once(known.into_iter())),
            "{:?} at {time}",
            label.user
        );
    }
}

#[test]
fn a_wrong_question_is_told_with_the_fix() {
    let world = world();
    let folder = world.models();
    let path = |name: &str| folder.join(name).display().to_string();
    std::fs::write(
        path("labels.csv"),
        "user_id,event_timestamp,looks\nann,2026-11-01T10:00:00Z,1\n",
    )
    .unwrap();
    std::fs::write(
        path("no_time.csv"),
        "user_id,at\nann,2026-11-01T10:00:00Z\n",
    )
    .unwrap();
    std::fs::write(
        path("bad_time.csv"),
        "user_id,event_timestamp\nann,2026-11-01T10:00:00Z\nbob,\n",
    )
    .unwrap();
    let asked = |labels: &str, features: &str, into: &str| {
        let (labels, into) = (path(labels), path(into));
        let (code, _, error) = world.jobs(&[
            "training-set",
            "--domain",
            "demo",
            "--labels",
            &labels,
            "--into",
            &into,
            "--as-of",
            "known",
            "--features",
            features,
        ]);
        assert_eq!(code, 2, "{error}");
        error
    };
    for (labels, features, into, words) in [
        (
            "labels.csv",
            "demo_life",
            "out.csv",
            "write view:feature, for example demo_exact:looks_10m",
        ),
        (
            "labels.csv",
            "nothing:looks",
            "out.csv",
            "there are demo_exact, demo_hour, demo_life",
        ),
        (
            "labels.csv",
            "demo_life:clicks",
            "out.csv",
            "it has looks, amount, newest",
        ),
        (
            "labels.csv",
            "demo_life:looks",
            "out.csv",
            "rename it, or add --full-feature-names",
        ),
        (
            "labels.csv",
            "demo_life:amount",
            "out.json",
            "name a .csv or a .parquet file",
        ),
        (
            "labels.json",
            "demo_life:amount",
            "out.csv",
            "there is no such file",
        ),
        (
            "no_time.csv",
            "demo_life:amount",
            "out.csv",
            "no column event_timestamp: name the column with the time with --time-column; it has user_id, at",
        ),
        (
            "bad_time.csv",
            "demo_life:amount",
            "out.csv",
            "row 2: event_timestamp is no time",
        ),
    ] {
        let error = asked(labels, features, into);
        assert!(error.contains(words), "no {words:?} in {error}");
        assert!(!folder.join("out.csv").exists());
    }
}

#[test]
fn a_service_stands_for_its_features() {
    let mut random = Rng::with_seed(seed());
    let world = world();
    let features: String = FEATURES
        .split(',')
        .map(|of| format!("  - {of}\n"))
        .collect();
    let service = format!(
        "feature_service: demo_reader\ndescription: What a model reads\nowner: us\nfeatures:\n{features}"
    );
    world.put("demo/services/demo_reader.yml", &service);
    let events = events(&mut random, MINUTE);
    world.arrivals("2026-11-01", &events);
    let labels = labels(&mut random, &events);
    let by_name = made(&world, &labels, "event-time");
    assert_eq!(
        made_of(&world, &labels, "event-time", ["--service", "demo_reader"]),
        by_name
    );
    let file = world.models().join("labels.csv").display().to_string();
    let (code, _, error) = world.jobs(&[
        "training-set",
        "--domain",
        "demo",
        "--labels",
        &file,
        "--into",
        "out.csv",
        "--as-of",
        "known",
        "--service",
        "nobody",
    ]);
    assert_eq!(code, 2, "{error}");
    assert!(
        error.contains("--service nobody: demo has no such feature service; it has demo_reader"),
        "{error}"
    );
}
