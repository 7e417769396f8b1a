//! A file of cases.

use std::path::Path;

use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::Value as Json;
use serde_yaml_ng::{Mapping, Value};

use super::case::Case;
use super::clock::Clock;
use super::given::given;
use super::lines::Lines;
use super::step::{Steps, of_mapping};
use crate::contract::Contract;
use crate::error::Problem;
use crate::features::Dimension;

/// The date of files that say none.
const DATE: &str = "2026-11-01";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFile {
    description: String,
    date: Option<String>,
    #[serde(default)]
    event: Mapping,
    #[serde(default)]
    dimensions: Mapping,
    cases: Vec<WrittenCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCase {
    case: String,
    date: Option<String>,
    #[serde(default)]
    event: Mapping,
    #[serde(default)]
    dimensions: Mapping,
    #[serde(default)]
    skew: Mapping,
    steps: Vec<Value>,
}

/// Reads and checks a file.
pub(super) fn cases(
    path: &Path,
    text: &str,
    contract: &Contract,
    declared: &[Dimension],
) -> Result<Vec<Case>, Problem> {
    let written: WrittenFile = serde_yaml_ng::from_str(text).map_err(|error| {
        let line = error.location().map(|location| location.line());
        let message = error.to_string();
        Problem::new(
            path,
            line,
            message.split(" at line ").next().unwrap_or_default(),
        )
    })?;
    let problem = |line: usize, message: String| Problem::new(path, Some(line), message);
    if written.description.trim().is_empty() {
        let message = "the description is missing: say which rules the cases show";
        return Err(problem(1, message.to_owned()));
    }
    let file_date = written.date.as_deref().unwrap_or(DATE);
    let file_event = event(&written.event).map_err(|message| problem(1, message))?;
    let of_file = given(&written.dimensions, declared).map_err(|message| problem(1, message))?;
    let mut lines = Lines::new(text);
    let mut cases: Vec<Case> = Vec::new();
    for one in written.cases {
        let line = lines.next("case:");
        let wrong = |message: String| problem(line, message);
        if cases.iter().any(|case| case.name == one.case) {
            return Err(wrong(format!(
                "there are two cases `{}`: give each a name of its own",
                one.case
            )));
        }
        let clock = Clock {
            date: date(one.date.as_deref().unwrap_or(file_date)).map_err(wrong)?,
        };
        let mut defaults = file_event.clone();
        defaults.extend(event(&one.event).map_err(wrong)?);
        let mut dimensions = given(&one.dimensions, declared).map_err(wrong)?;
        let is_given = |name: &str| one.dimensions.contains_key(name);
        let others = of_file.iter().filter(|other| !is_given(&other.dimension));
        dimensions.extend(others.cloned());
        lines.next("steps:");
        let mut steps = Steps {
            contract,
            clock,
            defaults: &defaults,
            sent: Vec::new(),
        };
        let mut read = Vec::new();
        for step in &one.steps {
            let step = steps.step(step, &mut lines);
            read.push(step.map_err(|message| problem(lines.here(), message))?);
        }
        let skew = one.skew.iter().map(|(view, why)| {
            let text = |value: &Value| value.as_str().map(str::to_owned);
            text(view).zip(text(why))
        });
        cases.push(Case {
            name: one.case,
            file: path.to_path_buf(),
            line,
            date: clock.date,
            dimensions,
            steps: read,
            skew: skew.collect::<Option<_>>().ok_or_else(|| {
                wrong("`skew` names a view and the reason: {view: why they differ}".to_owned())
            })?,
        });
    }
    match cases.is_empty() {
        true => Err(problem(
            1,
            "no cases: write at least one, or remove the file".to_owned(),
        )),
        false => Ok(cases),
    }
}

fn event(fields: &Mapping) -> Result<Vec<(String, Json)>, String> {
    of_mapping(fields).ok_or_else(|| "`event` is written {column: value, …}".to_owned())
}

fn date(text: &str) -> Result<NaiveDate, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is no date such as 2026-11-01"))
}
