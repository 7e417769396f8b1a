//! Events by hand, for tests in which every event counts.

use anyhow::Result;
use serde_json::{Value, json};
use userflow_tests::broker::Sender;

/// An event of a reader: its id is made of session, type and time, so two calls with the same words are the same event.
pub(super) fn event(session: &str, kind: &str, time_ms: i64) -> Value {
    json!({
        "event_id": format!("{session}-{kind}-{time_ms}"),
        "event_type": kind,
        "user_id": 42,
        "session_id": session,
        "webtoon_id": "w_1",
        "episode_id": "ep_1",
        "utimestamptz": rfc3339(time_ms),
        "country": "KR",
    })
}

/// The same with a scroll ratio.
pub(super) fn scrolled(session: &str, kind: &str, time_ms: i64, ratio: f64) -> Value {
    let mut event = event(session, kind, time_ms);
    event["scroll_ratio"] = json!(ratio);
    event
}

/// Sends one to partition 0, as if at the time given, and waits until the broker has it.
pub(super) fn send(sender: &Sender, event: &Value, kafka_time_ms: i64) -> Result<()> {
    sender.send(0, Some(event.to_string().as_bytes()), kafka_time_ms)?;
    sender.flush()
}

/// A time as the contract wants it.
pub(super) fn rfc3339(time_ms: i64) -> String {
    chrono::DateTime::from_timestamp_millis(time_ms)
        .map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
        .unwrap_or_default()
}

/// The wall clock's milliseconds: what happens in these tests happens now, because a clock is only wrong beside another.
pub(super) fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}
