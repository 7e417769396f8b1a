//! What must be so: `expect:` with views, tables and the quarantine, and the values of their cells.

use chrono::NaiveDate;
use serde_yaml_ng::{Mapping, Value};

use super::clock::{Clock, WRITTEN};

/// One thing that must be so.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// Its line in the file.
    pub line: usize,
    /// Of what.
    pub subject: Subject,
    /// The rows.
    pub rows: Rows,
}

/// What an expectation is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    /// What was refused since the last expectation of it.
    Quarantine,
    /// A feature view or a table.
    Rows {
        /// Its name; of a table with its layer, as in `silver.sessions`.
        name: String,
        /// The window of a sliding view that ended then, instead of the row as it is now.
        window_end: Option<i64>,
        /// Only this date of a table.
        on: Option<NaiveDate>,
        /// Open questions of a table are judged as of this time.
        as_of: Option<i64>,
    },
}

/// The rows that must be there.
#[derive(Clone, Debug, PartialEq)]
pub enum Rows {
    /// This one; others may be there.
    One(ExpectedRow),
    /// These and no others.
    All(Vec<ExpectedRow>),
}

impl Rows {
    /// Each row.
    pub fn iter(&self) -> impl Iterator<Item = &ExpectedRow> {
        match self {
            Self::One(row) => std::slice::from_ref(row),
            Self::All(rows) => rows.as_slice(),
        }
        .iter()
    }
}

/// The cells of a row that matter.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpectedRow {
    /// Column and value, in the order of the file.
    pub cells: Vec<(String, Expected)>,
}

/// The value of a cell as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// No value.
    Null,
    /// A truth value.
    Boolean(bool),
    /// A number, as it is written.
    Number(String),
    /// A text, a time, a quotient (`2/3`) or a rounded number (`about 0.67`).
    Text(String),
    /// A list of texts.
    List(Vec<String>),
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(truth) => truth.fmt(f),
            Self::Number(text) | Self::Text(text) => text.fmt(f),
            Self::List(texts) => write!(f, "[{}]", texts.join(", ")),
        }
    }
}

/// Reads one entry of `expect:`. The message says what is wrong.
pub(super) fn expectation(
    key: &str,
    value: &Value,
    clock: Clock,
    line: usize,
) -> Result<Expectation, String> {
    let subject = subject(key, clock)?;
    let rows = match (&subject, value) {
        (Subject::Quarantine, value) => Rows::All(refusals(value)?),
        (_, Value::Mapping(cells)) => Rows::One(row(cells)?),
        (_, Value::Sequence(rows)) => {
            let rows = rows.iter().map(|value| match value {
                Value::Mapping(cells) => row(cells),
                _ => Err(format!("`{key}`: a row is written {{column: value, …}}")),
            });
            Rows::All(rows.collect::<Result<_, _>>()?)
        }
        _ => {
            return Err(format!(
                "`{key}`: write the row that must be there, {{column: value, …}}, or all rows as a list; [] means none"
            ));
        }
    };
    Ok(Expectation {
        line,
        subject,
        rows,
    })
}

fn subject(key: &str, clock: Clock) -> Result<Subject, String> {
    if key == "quarantine" {
        return Ok(Subject::Quarantine);
    }
    let (name, mut rest) = key.split_once(' ').unwrap_or((key, ""));
    let (mut window_end, mut on, mut as_of) = (None, None, None);
    let time = |text: &str| {
        let wrong = || format!("`{key}`: `{text}` is no time: write {WRITTEN}");
        clock.time(text).ok_or_else(wrong)
    };
    while !rest.is_empty() {
        let (clause, more) = rest.split_once(", ").unwrap_or((rest, ""));
        rest = more;
        if let Some(text) = clause.strip_prefix("window ending ") {
            window_end = Some(time(text)?);
        } else if let Some(text) = clause.strip_prefix("as of ") {
            as_of = Some(time(text)?);
        } else if let Some(text) = clause.strip_prefix("on ") {
            let wrong = |_| format!("`{key}`: `{text}` is no date such as 2026-11-01");
            on = Some(text.parse().map_err(wrong)?);
        } else {
            return Err(format!(
                "`{key}`: after the name can stand `window ending TIME` (a sliding view), `on DATE` or `as of TIME` (a table), separated by commas"
            ));
        }
    }
    Ok(Subject::Rows {
        name: name.to_owned(),
        window_end,
        on,
        as_of,
    })
}

fn row(cells: &Mapping) -> Result<ExpectedRow, String> {
    let cells = cells.iter().map(|(name, value)| {
        let Value::String(name) = name else {
            return Err("the name of a column is a text".to_owned());
        };
        let value = expected(value).ok_or_else(|| {
            format!("`{name}`: expected is a number, a text, true, false, null or a list of texts")
        })?;
        Ok((name.clone(), value))
    });
    Ok(ExpectedRow {
        cells: cells.collect::<Result<_, _>>()?,
    })
}

fn expected(value: &Value) -> Option<Expected> {
    Some(match value {
        Value::Null => Expected::Null,
        Value::Bool(truth) => Expected::Boolean(*truth),
        Value::Number(number) => Expected::Number(number.to_string()),
        Value::String(text) => Expected::Text(text.clone()),
        Value::Sequence(items) => Expected::List(items.iter().map(plain).collect::<Option<_>>()?),
        _ => return None,
    })
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// What was refused: `out_of_range in scroll_ratio`, or a list of such, one per problem.
fn refusals(value: &Value) -> Result<Vec<ExpectedRow>, String> {
    let texts = match value {
        Value::String(text) => vec![text.clone()],
        Value::Sequence(items) => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .ok_or("`quarantine`: each problem is a text such as `missing_field in user_id`")?,
        _ => {
            return Err(
                "`quarantine`: write `missing_field in user_id`, or a list of such; [] means nothing"
                    .to_owned(),
            );
        }
    };
    let rows = texts.iter().map(|text| {
        let (reason, field) = text.split_once(" in ").unwrap_or((text, ""));
        let cell = |name: &str, text: &str| (name.to_owned(), Expected::Text(text.to_owned()));
        ExpectedRow {
            cells: vec![cell("reason", reason), cell("field", field)],
        }
    });
    Ok(rows.collect())
}
