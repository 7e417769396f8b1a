//! Conditions on values: which events count, which case applies.

use serde_yaml_ng::Value;

use super::reader::Reader;
use crate::error::Problem;
use crate::features::view::{Predicate, Test, ValueType};

impl Reader<'_> {
    pub(super) fn predicate(&self, name: &str, value: &Value) -> Result<Predicate, Problem> {
        let Some(body) = value.as_mapping().filter(|body| !body.is_empty()) else {
            let message = format!("`{name}`: a filter is written `{{column: value}}`");
            return Err(self.problem(name, message));
        };
        let mut tests = Vec::new();
        for (column, wanted) in body {
            let column = column.as_str().ok_or_else(|| {
                self.problem(name, format!("`{name}`: a column's name is a text"))
            })?;
            let index = self.column(name, column)?;
            let value_type = ValueType::of_column(self.contract.columns()[index].column_type);
            let test = self.test(name, value_type, wanted)?;
            if index == self.event_type_index() {
                self.known_types(name, &test)?;
            }
            tests.push((index, test));
        }
        Ok(Predicate(tests))
    }

    /// A filter on an event type that no message can have would never match.
    fn known_types(&self, name: &str, test: &Test) -> Result<(), Problem> {
        let known = self.contract.event_types();
        match test {
            Test::OneOf(values) => match values.iter().find(|v| !known.contains(&v.as_str())) {
                None => Ok(()),
                Some(unknown) => {
                    let message = format!(
                        "`{name}`: there is no event type `{unknown}`: the contract has {}",
                        known.join(", ")
                    );
                    Err(self.problem(name, message))
                }
            },
            _ => Ok(()),
        }
    }

    fn event_type_index(&self) -> usize {
        let name = self.contract.event_type();
        (self.contract.columns().iter())
            .position(|column| column.name == name)
            .expect("a contract has a column of event types")
    }

    pub(super) fn test(
        &self,
        name: &str,
        value_type: ValueType,
        wanted: &Value,
    ) -> Result<Test, Problem> {
        let wrong = |message: &str| self.problem(name, format!("`{name}`: {message}"));
        match (value_type, wanted) {
            (ValueType::Text, Value::String(text)) => Ok(Test::OneOf(vec![text.clone()])),
            (ValueType::Text, Value::Sequence(texts)) => {
                let texts: Option<Vec<String>> = (texts.iter())
                    .map(|t| t.as_str().map(str::to_owned))
                    .collect();
                texts
                    .filter(|texts| !texts.is_empty())
                    .map(Test::OneOf)
                    .ok_or_else(|| wrong("a list of texts was expected"))
            }
            (ValueType::Text, _) => Err(wrong(
                "a text column is compared with a text or a list of texts",
            )),
            (ValueType::Boolean, Value::Bool(truth)) => Ok(Test::Is(*truth)),
            (ValueType::Boolean, _) => Err(wrong("it is compared with true or false")),
            (ValueType::BigInt, bounds) => self.bounds(name, 0, bounds),
            (ValueType::Decimal { scale }, bounds) => self.bounds(name, scale, bounds),
            _ => Err(wrong(
                "values of this type cannot be compared: use texts, truth values or exact numbers",
            )),
        }
    }

    fn bounds(&self, name: &str, scale: u32, value: &Value) -> Result<Test, Problem> {
        let wrong = |message: String| self.problem(name, format!("`{name}`: {message}"));
        let exact = |value: &Value| {
            let text = match value {
                Value::Number(number) => number.to_string(),
                _ => return Err(wrong("a number was expected".to_owned())),
            };
            in_units(&text, scale).ok_or_else(|| {
                wrong(format!(
                    "{text} has more than {scale} decimals, which no value has"
                ))
            })
        };
        let Some(body) = value.as_mapping() else {
            let equal = exact(value)?;
            return Ok(Test::Within {
                from: Some(equal),
                to: Some(equal),
                open: (false, false),
            });
        };
        let (mut from, mut to, mut open) = (None, None, (false, false));
        for (key, value) in body {
            let bound = Some(exact(value)?);
            match key.as_str().unwrap_or_default() {
                "at_least" => from = bound,
                "above" => (from, open.0) = (bound, true),
                "at_most" => to = bound,
                "below" => (to, open.1) = (bound, true),
                other => {
                    return Err(wrong(format!(
                        "unknown bound `{other}`: use at_least, above, at_most, below"
                    )));
                }
            }
        }
        Ok(Test::Within { from, to, open })
    }
}

/// A decimal number in units of ten to the minus `scale`, if it is a whole number of them.
fn in_units(text: &str, scale: u32) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = fraction.trim_end_matches('0');
    let missing = usize::try_from(scale).ok()?.checked_sub(fraction.len())?;
    format!("{whole}{fraction}{}", "0".repeat(missing))
        .parse()
        .ok()
}
