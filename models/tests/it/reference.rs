//! A second decoder, slow and plain, to hold the fast one against.
//!
//! It goes by a hand-written [`Spec`], reads JSON through serde_json's `RawValue` (so that numbers stay text), times through
//! chrono and decimals by moving the point in a text. It shares no line with the crate.

use std::fmt;

use chrono::{DateTime, LocalResult, NaiveDate, NaiveDateTime, TimeZone};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::rows::Row;
use super::spec::{ColumnSpec, Spec, Type};

/// A JSON value with numbers as text; of a repeated key only the last member is there.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<Member>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Member {
    pub key: String,
    /// The value as written.
    pub raw: String,
    pub value: Json,
}

/// A row with its extra text read back, or the problems as `reason field`.
pub(crate) type Outcome = Result<(Row, Option<Json>), Vec<String>>;

pub(crate) fn decode(spec: &Spec, message: &[u8], kafka_ms: i64) -> Outcome {
    let whole = |reason: &str| Err(vec![reason.to_owned()]);
    if message.len() > spec.max_bytes {
        return whole("too_large");
    }
    let text = match std::str::from_utf8(message) {
        _ if message.is_empty() => return whole("invalid_json"),
        Err(_) => return whole("invalid_utf8"),
        Ok(text) => text,
    };
    let root = match parse(text, spec.max_depth) {
        None => return whole("invalid_json"),
        Some(root @ Json::Object(_)) => root,
        Some(_) => return whole("wrong_type"),
    };

    let mut problems = Vec::new();
    let mut row = Row::new();
    let mut date = None;
    let misplaced: Vec<&str> = spec
        .objects
        .iter()
        .copied()
        .filter(|object| !matches!(at(&root, object), None | Some(Json::Null | Json::Object(_))))
        .collect();
    let mut said: Vec<&str> = Vec::new();
    for column in &spec.columns {
        for object in &misplaced {
            let inside = |source: &&str| source.starts_with(&format!("{object}/"));
            if !said.contains(object) && column.sources.iter().any(inside) {
                said.push(object);
                problems.push(format!("wrong_type {}", column.name));
            }
        }
        let cell = match find(column, &root) {
            Some((source, value)) => read(spec, column, source, value, kafka_ms),
            None if is_needed(spec, column, &root) => {
                let excused = column.sources.iter().any(|source| {
                    misplaced
                        .iter()
                        .any(|object| source.starts_with(&format!("{object}/")))
                });
                if excused {
                    Ok(None)
                } else {
                    Err("missing_field")
                }
            }
            None => Ok(None),
        };
        match cell {
            Ok(cell) => {
                if column.name == spec.event_time {
                    let micros = cell.as_deref().map(|text| text.parse::<i64>().unwrap());
                    date = micros.map(|micros| micros.div_euclid(86_400_000_000).to_string());
                }
                row.push(cell);
            }
            Err(reason) => problems.push(format!("{reason} {}", column.name)),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    row.push(date);
    Ok((row, extra(spec, &root, "")))
}

fn find<'a>(column: &ColumnSpec, root: &'a Json) -> Option<(&'static str, &'a Json)> {
    column
        .sources
        .iter()
        .find_map(|source| match at(root, source) {
            None | Some(Json::Null) => None,
            Some(value) => Some((*source, value)),
        })
}

fn is_needed(spec: &Spec, column: &ColumnSpec, root: &Json) -> bool {
    let object = column.required_in.and_then(|object| at(root, object));
    let partner = column
        .goes_with
        .map(|name| spec.columns.iter().find(|c| c.name == name).unwrap());
    column.required
        || matches!(object, Some(Json::Object(_)))
        || partner.is_some_and(|partner| find(partner, root).is_some())
}

fn at<'a>(root: &'a Json, pointer: &str) -> Option<&'a Json> {
    pointer[1..].split('/').try_fold(root, |value, key| {
        let key = key.replace("~1", "/").replace("~0", "~");
        let Json::Object(members) = value else {
            return None;
        };
        members
            .iter()
            .find(|member| member.key == key)
            .map(|member| &member.value)
    })
}

fn read(
    spec: &Spec,
    column: &ColumnSpec,
    source: &str,
    value: &Json,
    kafka_ms: i64,
) -> Result<Option<String>, &'static str> {
    let cell = match (column.kind, value) {
        (Type::Text | Type::Id, Json::Text(text)) => {
            if text.is_empty() && (column.required || column.required_in.is_some()) {
                return Err("missing_field");
            }
            match column.known.iter().find(|(from, _)| from == text) {
                Some((_, to)) => (*to).to_owned(),
                None if column.known.is_empty() => text.clone(),
                None => return Err("unknown_event_type"),
            }
        }
        (Type::TimeText, Json::Text(text)) => {
            time(text, None).ok_or("wrong_type")?;
            text.clone()
        }
        (Type::Id, Json::Number(text)) => {
            let (digits, cut) = shift(text, 0, 64).ok_or("out_of_range")?;
            if cut {
                return Err("wrong_type");
            }
            digits
        }
        (Type::BigInt, Json::Number(text)) => {
            let whole = whole(text)?;
            in_range(column, text)?;
            whole.to_string()
        }
        (Type::Decimal(scale, precision), Json::Number(text)) => {
            let (digits, _) = shift(text, scale as i64, 80).ok_or("out_of_range")?;
            if digits.trim_start_matches('-').len() > precision {
                return Err("out_of_range");
            }
            in_range(column, text)?;
            digits
        }
        (Type::Double, Json::Number(text)) => {
            let number: f64 = text.parse().unwrap();
            if !number.is_finite() {
                return Err("out_of_range");
            }
            in_range(column, text)?;
            number.to_bits().to_string()
        }
        (Type::Boolean, Json::Bool(value)) => value.to_string(),
        (Type::Date, Json::Text(text)) => {
            let shape = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
            let date = NaiveDate::parse_from_str(text, "%Y-%m-%d")
                .ok()
                .filter(|_| shape);
            let days = (date.ok_or("wrong_type")? - NaiveDate::default()).num_days();
            if !(0..84_371).contains(&days) {
                return Err("out_of_range");
            }
            days.to_string()
        }
        (Type::Time(zone), value) => {
            let ms = match value {
                Json::Text(text) => {
                    let zone = zone.filter(|_| !column.offsets.contains(&source));
                    time(text, zone).ok_or("wrong_type")?
                }
                Json::Number(text) if column.integers.contains(&source) => whole(text)?,
                _ => return Err("wrong_type"),
            };
            let last = NaiveDate::from_ymd_opt(2201, 1, 1)
                .unwrap()
                .and_hms_opt(0, 0, 0)
                .unwrap();
            if ms < 0 || ms >= last.and_utc().timestamp_millis() {
                return Err("out_of_range");
            }
            let believed = kafka_ms - spec.past_ms..=kafka_ms + spec.future_ms;
            if column.name == spec.event_time && !believed.contains(&ms) {
                return Err("clock_skew");
            }
            (ms * 1000).to_string()
        }
        _ => return Err("wrong_type"),
    };
    let (keys, most) = spec.keys;
    if keys.contains(&column.name) && cell.len() > most {
        return Err("too_large");
    }
    Ok(Some(cell))
}

fn whole(text: &str) -> Result<i64, &'static str> {
    let (digits, cut) = shift(text, 0, 80).ok_or("out_of_range")?;
    match (cut, digits.parse()) {
        (true, _) if digits.trim_start_matches('-').len() > 38 => Err("out_of_range"),
        (true, _) => Err("wrong_type"),
        (false, whole) => whole.map_err(|_| "out_of_range"),
    }
}

/// Compares exactly: both sides as integers in units of 10^-60.
fn in_range(column: &ColumnSpec, text: &str) -> Result<(), &'static str> {
    if column.kind == Type::Double {
        // A double is compared as the double that it is stored as.
        let value: f64 = text.parse().unwrap();
        let (low, high) = column.range;
        let low = low.is_none_or(|low| value >= low.parse().unwrap());
        let high = high.is_none_or(|high| value < high.trim_start_matches('(').parse().unwrap());
        return if low && high {
            Ok(())
        } else {
            Err("out_of_range")
        };
    }
    let order = |bound: &str| compare(text, bound.trim_start_matches('('));
    let low = column.range.0.is_none_or(|low| match low.starts_with('(') {
        true => order(low).is_gt(),
        false => order(low).is_ge(),
    });
    let high = column
        .range
        .1
        .is_none_or(|high| match high.starts_with('(') {
            true => order(high).is_lt(),
            false => order(high).is_le(),
        });
    if low && high {
        Ok(())
    } else {
        Err("out_of_range")
    }
}

/// Compares two JSON numbers by sign, then as digits with the points aligned.
fn compare(a: &str, b: &str) -> std::cmp::Ordering {
    let plain = |text: &str| {
        let (digits, cut) = shift(text, 600, 5000).unwrap();
        assert!(!cut, "the tests write no number with more than 600 places");
        match digits.strip_prefix('-') {
            Some(digits) => (-1, format!("{digits:0>5000}")),
            None => (1, format!("{digits:0>5000}")),
        }
    };
    let ((sign_a, a), (sign_b, b)) = (plain(a), plain(b));
    match sign_a.cmp(&sign_b) {
        std::cmp::Ordering::Equal if sign_a < 0 => b.cmp(&a),
        std::cmp::Ordering::Equal => a.cmp(&b),
        other => other,
    }
}

/// `text` times ten to the power of `by`, cut toward zero, as canonical digits, and whether anything was cut. `None`: more
/// than `most` digits because of an exponent.
fn shift(text: &str, by: i64, most: i64) -> Option<(String, bool)> {
    let negative = text.starts_with('-');
    let text = text.trim_start_matches('-').to_ascii_lowercase();
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.bytes().all(|digit| digit == b'0') {
        return Some(("0".to_owned(), false));
    }
    let exponent = exponent.trim_start_matches('+');
    let exponent: i64 = match exponent.parse() {
        Ok(exponent) if (-100_000..100_000).contains(&exponent) => exponent,
        _ if exponent.starts_with('-') => return Some(("0".to_owned(), true)),
        _ => return None,
    };
    let point = whole.len() as i64 + exponent + by;
    let kept: String = (0..point.max(0))
        .map(|i| digits.chars().nth(i as usize).unwrap_or('0'))
        .collect();
    let cut = digits
        .chars()
        .skip(point.max(0) as usize)
        .any(|digit| digit != '0');
    let kept = kept.trim_start_matches('0');
    if exponent != 0 && kept.len() as i64 > most {
        return None;
    }
    Some(match (kept.is_empty(), negative) {
        (true, _) => ("0".to_owned(), cut),
        (false, true) => (format!("-{kept}"), cut),
        (false, false) => (kept.to_owned(), cut),
    })
}

/// UTC milliseconds, cut. A time without an offset is one only if there is a zone.
fn time(text: &str, zone: Option<&str>) -> Option<i64> {
    // chrono is more liberal than RFC 3339 in places: a sign of its own, leap seconds, years beyond four digits.
    let liberal =
        text.len() < 19 || !text.is_ascii() || &text[17..19] == "60" || text.as_bytes()[4] != b'-';
    if liberal {
        return None;
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_millis());
    }
    let zone = zone?;
    let shape: String = text[..19]
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    if ![
        "0000-00-00T00:00:00",
        "0000-00-00t00:00:00",
        "0000-00-00 00:00:00",
    ]
    .contains(&shape.as_str())
    {
        return None;
    }
    let fraction = match &text[19..] {
        "" => "",
        rest => rest.strip_prefix('.').filter(|rest| !rest.is_empty())?,
    };
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let local = format!("{} {}", &text[..10], &text[11..19]);
    let local = NaiveDateTime::parse_from_str(&local, "%Y-%m-%d %H:%M:%S").ok()?;
    let ms: i64 = format!("{fraction:0<3}")[..3].parse().unwrap();
    let zone: chrono_tz::Tz = zone.parse().unwrap();
    let utc = match zone.from_local_datetime(&local) {
        LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => time.timestamp(),
        LocalResult::None => {
            // In a gap the clock still goes by the offset of the hours before it.
            let earlier = local - chrono::Duration::hours(6);
            zone.from_local_datetime(&earlier).earliest()?.timestamp() + 6 * 3600
        }
    };
    Some(utc * 1000 + ms)
}

/// What the contract does not name, and the aliases that were not used.
fn extra(spec: &Spec, root: &Json, prefix: &str) -> Option<Json> {
    let object = if prefix.is_empty() {
        Some(root)
    } else {
        at(root, prefix)
    };
    let Some(Json::Object(members)) = object else {
        return None;
    };
    let mut kept = Vec::new();
    for member in members {
        let pointer = format!(
            "{prefix}/{}",
            member.key.replace('~', "~0").replace('/', "~1")
        );
        let pointer = pointer.as_str();
        let reader = spec
            .columns
            .iter()
            .find(|column| column.sources.contains(&pointer));
        let null = member.value == Json::Null;
        if let Some(column) = reader {
            if !null && find(column, root).is_some_and(|(used, _)| used != pointer) {
                kept.push(member.clone());
            }
        } else if spec.objects.contains(&pointer) || spec.passed.contains(&pointer) {
            match (&member.value, extra(spec, root, pointer)) {
                (Json::Object(_), Some(inner)) => {
                    kept.push(Member {
                        key: member.key.clone(),
                        raw: String::new(),
                        value: inner,
                    });
                }
                (Json::Object(_) | Json::Null, _) => {}
                _ => kept.push(member.clone()),
            }
        } else {
            kept.push(member.clone());
        }
    }
    (!kept.is_empty()).then_some(Json::Object(kept))
}

/// Parses strictly; `None` if it is no JSON or nests deeper than `depth`.
pub(crate) fn parse(text: &str, depth: usize) -> Option<Json> {
    let raw: &RawValue = serde_json::from_str(text).ok()?;
    json(raw.get(), depth)
}

fn json(text: &str, depth: usize) -> Option<Json> {
    Some(match text.as_bytes()[0] {
        b'n' => Json::Null,
        b't' => Json::Bool(true),
        b'f' => Json::Bool(false),
        b'"' => Json::Text(serde_json::from_str(text).ok()?),
        b'[' if depth > 0 => {
            let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            Json::List(
                items
                    .iter()
                    .map(|item| json(item.get(), depth - 1))
                    .collect::<Option<_>>()?,
            )
        }
        b'{' if depth > 0 => {
            let Pairs(pairs) = serde_json::from_str(text).ok()?;
            let mut members: Vec<Member> = Vec::new();
            for (key, raw) in pairs {
                let value = json(raw.get(), depth - 1)?;
                members.retain(|member| member.key != key);
                members.push(Member {
                    key,
                    raw: raw.get().to_owned(),
                    value,
                });
            }
            Json::Object(members)
        }
        b'{' | b'[' => return None,
        _ => Json::Number(text.to_owned()),
    })
}

struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Vec<(String, &'de RawValue)>;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(pairs)
            }
        }
        deserializer.deserialize_map(Reader).map(Pairs)
    }
}
