//! For tests: a domain of one view that counts events of users, and what is needed to run it without Kafka and without a store.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use userflow_engine::{Engine, Plan, Settings};
use userflow_lake::{Lake, RetryPolicy};
use userflow_models::contract::Contract;
use userflow_models::features;
use userflow_process::postgres_table::Limits;
use userflow_tests::faulty::Faulty;

use super::checkpoints::Checkpoints;
use super::dimensions::Dimensions;
use super::intake::{Intake, Message};
use super::partitions::Partitions;
use crate::metrics::SessionizeMetrics;

const CONTRACT: &str = r#"{
  "type": "object", "x-domain": "test", "x-limits": {"max_bytes": 4096, "max_depth": 4, "max_future": "1h"},
  "x-event-id": "id", "x-event-type": "kind", "x-event-time": "at", "x-key": "user", "x-partition": "event_date",
  "required": ["id", "kind", "at", "user"],
  "properties": {
    "id": {"type": "string", "x-column": {"name": "id", "type": "string"}},
    "kind": {"type": "string", "enum": ["a"], "x-column": {"name": "kind", "type": "string"}},
    "at": {"type": "string", "format": "date-time", "x-column": {"name": "at", "type": "timestamp"}},
    "user": {"type": "string", "x-column": {"name": "user", "type": "string"}}
  }
}"#;
const VIEW: &str = "feature_view: test_v\ndescription: v\nentity: user\nwindow: lifetime\nfeatures: {n: {count: {}}}\n";

/// Noon of the day of all events, microseconds since 1970.
pub(super) const NOON: i64 = 1_793_534_400_000_000;

pub(super) const LIMITS: Limits = Limits {
    rows: 100,
    bytes: 2_000,
};

pub(super) const SETTINGS: Settings = Settings {
    lateness: 0,
    dedup_horizon: 600_000_000,
    dedup_most: 1_000,
};

pub(super) fn contract() -> Contract {
    Contract::parse(Path::new("contract.json"), CONTRACT).expect("a contract")
}

/// The same contract, where a message may be a list of events.
pub(super) fn contract_with_lists() -> Contract {
    let text = CONTRACT.replacen("\"x-domain\"", "\"x-envelope\": \"array\", \"x-domain\"", 1);
    Contract::parse(Path::new("contract.json"), &text).expect("a contract")
}

pub(super) fn plan() -> Arc<Plan> {
    let contract = contract();
    let view = features::parse(VIEW, &contract).expect("a view");
    Arc::new(Plan::new(&contract, &[view], 0).expect("a plan"))
}

pub(super) fn engine(partition: i32, next: i64) -> Engine {
    Engine::new(plan(), SETTINGS, partition, next)
}

pub(super) fn metrics() -> SessionizeMetrics {
    SessionizeMetrics::new().expect("metrics")
}

pub(super) fn checkpoints(store: &Faulty) -> Checkpoints {
    let retry = RetryPolicy {
        attempts: 5,
        initial_backoff: Duration::from_micros(50),
        max_backoff: Duration::from_millis(1),
        request_timeout: Duration::from_millis(50),
        deadline: Duration::from_secs(5),
    };
    let url = url::Url::parse("memory:///").expect("a URL");
    let lake = Lake::over(Arc::new(store.clone()), url, retry).expect("a lake");
    Checkpoints::over(lake.object_store())
}

/// Partitions with these next offsets, claimed in epoch 1.
pub(super) fn partitions(next: &[(i32, i64)]) -> Partitions {
    let mut partitions = Partitions::default();
    for (partition, next) in next {
        partitions.assign(*partition, engine(*partition, *next), 1, Instant::now());
    }
    partitions
}

/// Messages of a contract whose events are joined with nothing.
pub(super) fn intake_of(contract: &Contract) -> Intake {
    let dimensions = Dimensions::without_rows(plan(), &[], LIMITS, Arc::new(metrics()));
    Intake::new(contract, Duration::from_secs(10), Arc::new(dimensions))
}

pub(super) fn intake() -> Intake {
    intake_of(&contract())
}

/// An event of a user, so many seconds after noon.
pub(super) fn event(id: i64, user: &str, second: u32) -> Vec<u8> {
    let (minute, second) = (second / 60, second % 60);
    format!(r#"{{"id": "{id}", "kind": "a", "at": "2026-11-01T12:{minute:02}:{second:02}Z", "user": "{user}"}}"#)
        .into_bytes()
}

/// Counts one event of a user in a partition.
pub(super) fn happens(partitions: &mut Partitions, partition: i32, offset: i64, user: &str) {
    let mut intake = intake();
    let payload = event(offset + 1_000 * i64::from(partition), user, 0);
    let message = Message {
        partition,
        offset,
        kafka_ms: Some(NOON / 1_000),
        payload: Some(&payload),
    };
    assert!(partitions.reads_on(partition), "it is owned");
    intake.message(&message, NOON);
    intake.count(partitions, Instant::now());
}
