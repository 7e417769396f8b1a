//! `ties: latest` of entities in several partitions, from end to end: engines make the partials, PostgreSQL merges them, and what comes out is
//! what all events say together. Times are often equal here, within a partition and between two.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Int32Type, Int64Type, TimestampMicrosecondType};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use userflow_engine::{Engine, Events, Nobody, Plan, Settings};
use userflow_models::contract::Contract;
use userflow_models::decode::Decoder;
use userflow_models::features::{FeatureView, online};

use crate::database::Database;
use crate::partials::{CONTRACT, view};

const VIEW: &str = "feature_view: demo_top
description: The top
entity: place
window: lifetime
features:
  top: {top_k: city, k: 3, ties: latest}
  one: {top: city, ties: latest, default: NOWHERE}
  smaller: {top: city}
";
const CITIES: [&str; 5] = ["Aix", "Brest", "Caen", "Dijon", "Évry"];
const SETTINGS: Settings = Settings {
    lateness: 0,
    dedup_horizon: 600_000_000,
    dedup_most: 1_000,
};

/// City, second, Kafka partition.
type Event = (usize, i64, i32);

/// The partial of one partition; none if it has no event.
fn partial(view: &FeatureView, events: &[Event], partition: i32) -> Option<RecordBatch> {
    let contract = Contract::parse(Path::new("contract.json"), CONTRACT).unwrap();
    let plan = Arc::new(Plan::new(&contract, std::slice::from_ref(view), 0).unwrap());
    let mut engine = Engine::new(Arc::clone(&plan), SETTINGS, partition, 0);
    let mut decoder = Decoder::new(&contract);
    let own = (events.iter().enumerate()).filter(|(_, event)| event.2 == partition);
    for (number, (city, second, _)) in own {
        let event = serde_json::json!({
            "event_id": number.to_string(), "event_type": "look", "user_id": "u", "place": "here",
            "event_time": format!("2026-11-01T10:00:{second:02}Z"), "city": CITIES[*city],
        });
        decoder.decode(event.to_string().as_bytes(), -1).unwrap();
    }
    if decoder.rows() == 0 {
        return None;
    }
    let time = (contract.columns().iter()).position(|column| column.name == "event_time");
    let events = Events::new(&decoder.finish(), time.unwrap());
    for row in 0..events.rows() {
        let offset = i64::try_from(row).unwrap();
        engine.apply(&events, row, offset, i64::MAX, &mut Nobody);
    }
    let mut rows = plan.rows(0);
    engine.take(0, usize::MAX, &mut rows);
    Some(rows.finish())
}

/// A cell as SQL writes it.
fn sql(column: &ArrayRef) -> String {
    let list = |of: &str| {
        let values = column.as_list::<i32>().value(0);
        let values: Vec<String> = (0..values.len())
            .map(|at| sql(&values.slice(at, 1)))
            .collect();
        format!("ARRAY[{}]::{of}[]", values.join(","))
    };
    match column.data_type() {
        DataType::Utf8 => format!("'{}'", column.as_string::<i32>().value(0)),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(0).to_string(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(0).to_string(),
        DataType::Timestamp(..) => {
            let micros = column.as_primitive::<TimestampMicrosecondType>().value(0);
            format!("to_timestamp({micros} / 1000000.0)")
        }
        DataType::List(item) if *item.data_type() == DataType::Int64 => list("bigint"),
        DataType::List(_) => list("text"),
        other => panic!("no column of type {other}"),
    }
}

/// The most frequent cities, of equally frequent ones the latest first, then by name: by going over all events.
fn expected(events: &[Event]) -> Vec<&'static str> {
    let mut counted: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for (city, second, _) in events {
        let (count, newest) = counted.entry(CITIES[*city]).or_insert((0, i64::MIN));
        *count += 1;
        *newest = (*newest).max(*second);
    }
    let mut cities: Vec<_> = counted.into_iter().collect();
    cities.sort_by_key(|(city, (count, newest))| (-count, -newest, *city));
    cities.into_iter().map(|(city, _)| city).collect()
}

#[test]
fn of_equally_frequent_values_the_latest_of_all_partitions_is_first() {
    let view = view(VIEW);
    let database = Database::with(&[&view]);
    let events = prop::collection::vec((0..CITIES.len(), 0_i64..12, 0_i32..3), 1..25);
    let mut runner = TestRunner::new(Config {
        cases: 150,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&events, |events| {
        database.execute("DELETE FROM online.demo_top__partials");
        for rows in (0..3).filter_map(|partition| partial(&view, &events, partition)) {
            let cells: Vec<String> = rows.columns().iter().map(sql).collect();
            database.execute(&format!(
                "INSERT INTO online.{} VALUES ({}, now())",
                online::partials(&view.name),
                cells.join(", ")
            ));
        }
        let expected = expected(&events);
        let first: Vec<&str> = expected.iter().copied().take(3).collect();
        prop_assert_eq!(
            database.rows(&["top", "one"], "online.demo_top"),
            [format!("{{{}}} {}", first.join(","), first[0])]
        );
        Ok(())
    });
    outcome.unwrap();
}
