//! The one statement of a request, and how its rows are read.
//!
//! ```sql
//! SELECT v0."event_time", v0."sessions", v1."event_time", v1."completes"
//!   FROM unnest($1::text[]) WITH ORDINALITY AS k("user_id", _row)
//!   LEFT JOIN LATERAL (SELECT * FROM online.a AS v WHERE v."user_id" = k."user_id" OFFSET 0) AS v0 ON true
//!   LEFT JOIN LATERAL (SELECT * FROM online.b AS v WHERE v."user_id" = k."user_id" OFFSET 0) AS v1 ON true
//!  ORDER BY k._row
//! ```
//!
//! `OFFSET 0` keeps the planner from joining before it merges: a view of partials is so computed for the entity that is asked for, and not for
//! all. Names come from checked view files (`a-z`, `0-9`, `_`) and are quoted; values are bound.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use userflow_models::features::ValueType;
use userflow_models::features::online::SCHEMA;

use super::value::{Row, Value};
use crate::plan::{KeyValues, Part, Plan};

/// The statement for some parts of a plan.
pub(super) fn sql(plan: &Plan, parts: &[usize]) -> String {
    let mut select = String::new();
    let mut joins = String::new();
    for (number, part) in parts.iter().enumerate() {
        let Part {
            view,
            features,
            keys,
        } = &plan.parts[*part];
        let comma = if number == 0 { "" } else { ", " };
        let _ = write!(select, "{comma}v{number}.\"event_time\"");
        for feature in features {
            let _ = write!(select, ", v{number}.\"{}\"", view.features[*feature].name);
        }
        let _ = write!(
            joins,
            " LEFT JOIN LATERAL (SELECT * FROM {SCHEMA}.\"{}\" AS v WHERE ",
            view.name
        );
        for (place, key) in keys.iter().enumerate() {
            let and = if place == 0 { "" } else { " AND " };
            let name = &plan.keys[*key].0;
            let _ = write!(joins, "{and}v.\"{name}\" = k.\"{name}\"");
        }
        let _ = write!(joins, " OFFSET 0) AS v{number} ON true");
    }
    let (mut arrays, mut names) = (String::new(), String::new());
    for (number, (name, values)) in plan.keys.iter().enumerate() {
        let comma = if number == 0 { "" } else { ", " };
        let array = match values {
            KeyValues::Text(_) => "text[]",
            KeyValues::Time(_) => "timestamptz[]",
        };
        let _ = write!(arrays, "{comma}${}::{array}", number + 1);
        let _ = write!(names, "\"{name}\", ");
    }
    format!(
        "SELECT {select} FROM unnest({arrays}) WITH ORDINALITY AS k({names}_row){joins} ORDER BY k._row"
    )
}

/// What is read of each part, in a row of the answer.
pub(super) fn rows(
    plan: &Plan,
    parts: &[usize],
    row: &PgRow,
) -> Result<Vec<Option<Row>>, sqlx::Error> {
    let mut at = 0;
    let mut next = || {
        at += 1;
        at - 1
    };
    let mut rows = Vec::with_capacity(parts.len());
    for part in parts {
        let part = &plan.parts[*part];
        let event_time: Option<DateTime<Utc>> = row.try_get(next())?;
        let values = part.features.iter().map(|feature| {
            let value_type = part.view.features[*feature].value_type;
            value(row, next(), value_type)
        });
        let values = values.collect::<Result<Vec<Value>, _>>()?;
        rows.push(event_time.map(|time| Row {
            event_time: time.timestamp_micros(),
            values,
        }));
    }
    Ok(rows)
}

fn value(row: &PgRow, at: usize, value_type: ValueType) -> Result<Value, sqlx::Error> {
    let value = match value_type {
        ValueType::BigInt => row.try_get::<Option<i64>, _>(at)?.map(Value::Whole),
        ValueType::Decimal { .. } | ValueType::Double => {
            row.try_get::<Option<f64>, _>(at)?.map(Value::Double)
        }
        ValueType::Text => row.try_get::<Option<String>, _>(at)?.map(Value::Text),
        ValueType::Boolean => row.try_get::<Option<bool>, _>(at)?.map(Value::Truth),
        ValueType::Timestamp => (row.try_get::<Option<DateTime<Utc>>, _>(at)?)
            .map(|time| Value::Time(time.timestamp_micros())),
        ValueType::TextArray => row
            .try_get::<Option<Vec<Option<String>>>, _>(at)?
            .map(Value::Texts),
    };
    Ok(value.unwrap_or(Value::Null))
}
