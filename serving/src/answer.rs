//! What is sent: for every value its status, and null where a client must not have it. Pure: the time is given.
//!
//! A value is never served because nobody removed it: a row whose newest event is older than its view's ttl is `OUTSIDE_MAX_AGE` and null, by
//! the clock of this moment, whatever the store still has.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use crate::plan::Plan;
use crate::request::{Entities, Scalar};
use crate::store::{Row, Rows, Value};

/// The beginning of time, which Feast sends for what has none.
const EPOCH: &str = "1970-01-01T00:00:00Z";

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Status {
    Present,
    NullValue,
    NotFound,
    OutsideMaxAge,
}

impl Status {
    /// The word of Feast's protocol.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Present => "PRESENT",
            Self::NullValue => "NULL_VALUE",
            Self::NotFound => "NOT_FOUND",
            Self::OutsideMaxAge => "OUTSIDE_MAX_AGE",
        }
    }
}

/// The body of an answer.
#[derive(Serialize)]
pub(crate) struct Answer<'a> {
    results: Vec<Vector<'a>>,
    metadata: Metadata<'a>,
    /// What Feast's protocol has no place for; its clients skip it.
    userflow: More<'a>,
}

/// A column.
#[derive(Serialize)]
struct Vector<'a> {
    values: Vec<Sent<'a>>,
    statuses: Vec<Status>,
    event_timestamps: Vec<Cow<'a, str>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Sent<'a> {
    Key(&'a Scalar),
    Value(Value),
}

#[derive(Serialize)]
struct Metadata<'a> {
    feature_names: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feature_view_metadata: Option<Vec<Named<'a>>>,
}

#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct More<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    feature_service: Option<&'a str>,
    /// The content hash of what was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    as_of: String,
    /// Whether PostgreSQL answered for Redis.
    degraded: bool,
    views: BTreeMap<&'a str, Times>,
}

/// Of a view, for each entity: the newest event used, and how old it is.
#[derive(Serialize)]
struct Times {
    event_times: Vec<Option<String>>,
    ages_seconds: Vec<Option<f64>>,
}

/// What an answer is made of.
pub(crate) struct Parts<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) entities: &'a Entities,
    pub(crate) rows: Rows,
    pub(crate) degraded: bool,
    /// Name and version.
    pub(crate) service: Option<(&'a str, &'a str)>,
    /// Whether the views are listed.
    pub(crate) list_views: bool,
    /// Microseconds since 1970.
    pub(crate) now: i64,
}

/// Makes the answer, and counts what is in it: by part and status.
pub(crate) fn answer<'a>(parts: Parts<'a>) -> (Answer<'a>, BTreeMap<(usize, Status), u64>) {
    let Parts {
        plan,
        mut rows,
        now,
        ..
    } = parts;
    let times: Vec<Times> = rows.iter().map(|rows| times(rows, now)).collect();
    let keys = parts.entities.0.iter().map(|(_, values)| Vector {
        values: values.iter().map(Sent::Key).collect(),
        statuses: vec![Status::Present; values.len()],
        event_timestamps: vec![Cow::Borrowed(EPOCH); values.len()],
    });
    let mut results: Vec<Vector<'a>> = keys.collect();
    let mut counts = BTreeMap::new();
    for column in &plan.columns {
        let ttl = plan.parts[column.part].view.ttl;
        let mut vector = Vector {
            values: Vec::with_capacity(plan.rows),
            statuses: Vec::with_capacity(plan.rows),
            event_timestamps: Vec::with_capacity(plan.rows),
        };
        for (row, place) in rows[column.part].iter_mut().enumerate() {
            let (value, status) = judged(place.as_mut(), column.feature, ttl, now);
            let time = times[column.part].event_times[row].clone();
            vector.values.push(Sent::Value(value));
            vector.statuses.push(status);
            vector
                .event_timestamps
                .push(time.map_or(Cow::Borrowed(EPOCH), Cow::Owned));
            *counts.entry((column.part, status)).or_default() += 1;
        }
        results.push(vector);
    }
    let keys = parts.entities.0.iter().map(|(name, _)| name.as_str());
    let names = plan.columns.iter().map(|column| column.name.as_str());
    let views = || plan.parts.iter().map(|part| part.view.name.as_str());
    let answer = Answer {
        results,
        metadata: Metadata {
            feature_names: keys.chain(names).collect(),
            feature_view_metadata: (parts.list_views)
                .then(|| views().map(|name| Named { name }).collect()),
        },
        userflow: More {
            feature_service: parts.service.map(|(name, _)| name),
            version: parts.service.map(|(_, version)| version),
            as_of: shown(now),
            degraded: parts.degraded,
            views: views().zip(times).collect(),
        },
    };
    (answer, counts)
}

/// A value and its status at a time. The value is taken out of the row: each is sent once.
pub(crate) fn judged(
    row: Option<&mut Row>,
    feature: usize,
    ttl: Option<std::time::Duration>,
    now: i64,
) -> (Value, Status) {
    let Some(row) = row else {
        return (Value::Null, Status::NotFound);
    };
    if is_outside(row.event_time, ttl, now) {
        return (Value::Null, Status::OutsideMaxAge);
    }
    let value = std::mem::replace(&mut row.values[feature], Value::Null).sendable();
    match value {
        Value::Null => (Value::Null, Status::NullValue),
        value => (value, Status::Present),
    }
}

/// Whether an event is older than a ttl, exactly.
fn is_outside(event_time: i64, ttl: Option<std::time::Duration>, now: i64) -> bool {
    let age = i128::from(now) - i128::from(event_time);
    ttl.is_some_and(|ttl| age > i128::try_from(ttl.as_micros()).unwrap_or(i128::MAX))
}

fn times(rows: &[Option<Row>], now: i64) -> Times {
    let event_times = rows
        .iter()
        .map(|row| row.as_ref().map(|row| row.event_time));
    Times {
        event_times: event_times.clone().map(|time| time.map(shown)).collect(),
        ages_seconds: event_times
            .map(|time| time.map(|time| age(time, now)))
            .collect(),
    }
}

/// How old an event is, in seconds, to the millisecond. One of a clock that is ahead is 0.
pub(crate) fn age(event_time: i64, now: i64) -> f64 {
    let millis = now.saturating_sub(event_time).max(0) / 1_000;
    millis as f64 / 1_000.0
}

/// A time as RFC 3339, with as many digits as it needs.
pub(crate) fn shown(micros: i64) -> String {
    DateTime::<Utc>::from_timestamp_micros(micros)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn row(event_time: i64, value: Value) -> Row {
        Row {
            event_time,
            values: vec![value],
        }
    }

    #[test]
    fn a_value_is_present_until_its_ttl_has_passed_and_not_a_microsecond_longer() {
        let written = 1_793_534_400_000_000;
        let last = written + 3_600_000_000;
        for (ttl, now, expected) in [
            (Some(HOUR), written, Status::Present),
            (Some(HOUR), last, Status::Present),
            (Some(HOUR), last + 1, Status::OutsideMaxAge),
            (Some(HOUR), i64::MAX, Status::OutsideMaxAge),
            (None, i64::MAX, Status::Present),
            // The producer's clock is ahead.
            (Some(HOUR), written - 5_000_000, Status::Present),
        ] {
            let (value, status) = judged(Some(&mut row(written, Value::Whole(7))), 0, ttl, now);
            assert_eq!(status, expected, "{now}");
            let sent = if expected == Status::Present {
                Value::Whole(7)
            } else {
                Value::Null
            };
            assert_eq!(value, sent, "{now}");
        }
    }

    #[test]
    fn no_row_and_no_value_are_told_apart_and_both_are_null() {
        assert_eq!(judged(None, 0, None, 0), (Value::Null, Status::NotFound));
        for value in [
            Value::Null,
            Value::Texts(Vec::new()),
            Value::Double(f64::NAN),
        ] {
            let judged = judged(Some(&mut row(0, value)), 0, None, 0);
            assert_eq!(judged, (Value::Null, Status::NullValue));
        }
    }

    #[test]
    fn times_have_the_digits_that_they_need() {
        assert_eq!(shown(1_793_534_400_000_000), "2026-11-01T12:00:00Z");
        assert_eq!(shown(1_793_534_400_123_000), "2026-11-01T12:00:00.123Z");
        assert_eq!(shown(1_793_534_400_123_456), "2026-11-01T12:00:00.123456Z");
        assert_eq!(age(1_000_000, 3_500_999), 2.5);
        assert_eq!(age(3_000_000, 1_000_000), 0.0);
    }
}
