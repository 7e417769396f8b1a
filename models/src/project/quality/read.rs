//! From a test as it is written to a [`Check`]: names and arguments are dbt's (and dbt_utils'), `config` is dbt's, `meta` in it ours.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Check, Rule, Severity, default_threshold};
use crate::project::column::Test;
use crate::project::names::{Names, Ref, close};
use crate::project::settings;

/// The tests that there are, with their arguments.
const KNOWN: [(&str, &[&str]); 13] = [
    ("not_null", &[]),
    ("unique", &[]),
    ("unique_combination_of_columns", &["combination_of_columns"]),
    ("unique_combination", &["combination_of_columns"]),
    ("accepted_values", &["values", "quote"]),
    ("accepted_range", &["min_value", "max_value", "inclusive"]),
    ("relationships", &["to", "field", "columns", "fields"]),
    ("expression_is_true", &["expression"]),
    ("sequence", &["expression", "group_by", "order_by"]),
    ("row_count_between", &["min_value", "max_value"]),
    ("freshness", &["within"]),
    ("within_margin", &["of", "group_by", "order_by"]),
    ("quarantined", &["to"]),
];
const CONFIG: &str = "config: {severity: error|warn, where: SQL, meta: {threshold: 0.99}}";

/// Where a test stands.
pub(crate) struct Place<'a> {
    /// The layer of the table.
    pub(crate) layer: &'a str,
    /// What a `ref` or `source` may name.
    pub(crate) names: &'a Names,
    /// The declared columns of the table; `None` when they are declared elsewhere.
    pub(crate) columns: Option<Vec<&'a str>>,
    /// The column under which it stands.
    pub(crate) column: Option<&'a str>,
}

impl Place<'_> {
    /// Reads one test.
    pub(crate) fn read(&self, test: &Test) -> Result<Check, String> {
        let name = test.name.as_str();
        let Some((_, known)) = KNOWN.iter().find(|(known, _)| *known == name) else {
            let near = close(name, KNOWN.iter().map(|(name, _)| *name)).join(", ");
            return Err(format!("unknown test `{name}`; close to it: {near}"));
        };
        let mut arguments = Arguments::new(name, known, &test.arguments)?;
        let settings = Settings::read(name, self.layer, arguments.take("config"))?;
        let rule = self.rule(&mut arguments)?;
        arguments.end()?;
        if let Some(declared) = &self.columns {
            let mut names = rule.columns().into_iter();
            if let Some(column) = names.find(|column| !declared.contains(column)) {
                let near = close(column, declared.iter().copied()).join(", ");
                return Err(format!(
                    "test {name}: unknown column `{column}`; close to it: {near}"
                ));
            }
        }
        let subject = rule.subject();
        let scope = settings
            .condition
            .as_ref()
            .map_or_else(String::new, |condition| format!(" where {condition}"));
        let label = match subject.as_str() {
            "" => format!("{name}{scope}"),
            subject => format!("{name}({subject}){scope}"),
        };
        Ok(Check {
            label,
            rule,
            condition: settings.condition,
            severity: settings.severity,
            threshold: settings.threshold,
            line: test.line,
        })
    }

    fn rule(&self, arguments: &mut Arguments<'_>) -> Result<Rule, String> {
        let name = arguments.test;
        Ok(match name {
            "not_null" => Rule::NotNull {
                column: self.column(name)?,
            },
            "unique" => Rule::Unique {
                columns: vec![self.column(name)?],
                nulls_differ: true,
            },
            "unique_combination_of_columns" | "unique_combination" => {
                self.whole_row(name)?;
                Rule::Unique {
                    columns: arguments.names("combination_of_columns")?,
                    nulls_differ: false,
                }
            }
            "accepted_values" => self.accepted_values(arguments)?,
            "accepted_range" => self.accepted_range(arguments)?,
            "relationships" => self.relationships(arguments)?,
            "expression_is_true" => {
                let expression = arguments.sql("expression")?;
                Rule::ExpressionIsTrue {
                    expression: match self.column {
                        Some(column) => format!("{column} {expression}"),
                        None => expression,
                    },
                }
            }
            "sequence" => Rule::Sequence {
                value: match self.column {
                    Some(column) => column.to_owned(),
                    None => arguments.sql("expression")?,
                },
                group_by: arguments.names("group_by")?,
                order_by: arguments.names("order_by")?,
            },
            "row_count_between" => {
                self.whole_row(name)?;
                let (min, max) = (arguments.count("min_value")?, arguments.count("max_value")?);
                if min.is_none() && max.is_none() || min > max && max.is_some() {
                    return Err(
                        "test row_count_between: write min_value, max_value or both, the first not above the second"
                            .to_owned(),
                    );
                }
                Rule::RowCountBetween { min, max }
            }
            "freshness" => {
                let within = arguments.need("within", "a duration such as 2h")?;
                Rule::Freshness {
                    column: self.column(name)?,
                    within: settings::duration("within", within)
                        .map_err(|message| format!("test freshness: {message}"))?,
                }
            }
            "within_margin" => {
                self.whole_row(name)?;
                Rule::WithinMargin {
                    of: arguments.table("of", self.names)?,
                    group_by: arguments.names("group_by")?,
                    order_by: arguments.text("order_by")?,
                }
            }
            _ => {
                self.whole_row(name)?;
                Rule::Quarantined {
                    to: arguments.table("to", self.names)?,
                }
            }
        })
    }

    fn accepted_values(&self, arguments: &mut Arguments<'_>) -> Result<Rule, String> {
        let column = self.column(arguments.test)?;
        let quote = arguments.flag("quote", true)?;
        let wanted = "a list of texts, numbers or booleans";
        let values = arguments.need("values", wanted)?;
        let literal = |value: &Value| match value {
            Value::String(text) if quote => Some(format!("'{}'", text.replace('\'', "''"))),
            Value::String(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
            _ => None,
        };
        let values: Option<Vec<String>> = values
            .as_array()
            .filter(|values| !values.is_empty())
            .and_then(|values| values.iter().map(literal).collect());
        Ok(Rule::AcceptedValues {
            column,
            values: values.ok_or_else(|| arguments.wrong("values", wanted))?,
        })
    }

    fn accepted_range(&self, arguments: &mut Arguments<'_>) -> Result<Rule, String> {
        let column = self.column(arguments.test)?;
        let (min, max) = (arguments.bound("min_value")?, arguments.bound("max_value")?);
        if min.is_none() && max.is_none() {
            return Err("test accepted_range: write min_value, max_value or both".to_owned());
        }
        Ok(Rule::AcceptedRange {
            column,
            min,
            max,
            inclusive: arguments.flag("inclusive", true)?,
        })
    }

    fn relationships(&self, arguments: &mut Arguments<'_>) -> Result<Rule, String> {
        let to = arguments.table("to", self.names)?;
        let (columns, fields) = match self.column {
            Some(column) => (vec![column.to_owned()], vec![arguments.text("field")?]),
            None => (arguments.names("columns")?, arguments.names("fields")?),
        };
        if columns.len() != fields.len() {
            return Err(format!(
                "test relationships: {} columns and {} fields: name as many of each",
                columns.len(),
                fields.len()
            ));
        }
        Ok(Rule::Relationships {
            columns,
            to,
            fields,
        })
    }

    fn column(&self, test: &str) -> Result<String, String> {
        self.column.map(str::to_owned).ok_or_else(|| {
            format!("test {test} is about one column: write it under `tests:` of that column")
        })
    }

    fn whole_row(&self, test: &str) -> Result<(), String> {
        match self.column {
            None => Ok(()),
            Some(column) => Err(format!(
                "test {test} is about whole rows: write it under `tests:` of the table, not of column {column}"
            )),
        }
    }
}

/// Severity, threshold and condition.
struct Settings {
    severity: Severity,
    threshold: f64,
    condition: Option<String>,
}

impl Settings {
    fn read(test: &str, layer: &str, config: Option<&Value>) -> Result<Self, String> {
        let mut settings = Self {
            severity: Severity::Error,
            threshold: default_threshold(layer),
            condition: None,
        };
        let empty = serde_json::Map::new();
        let entries = match config {
            None => &empty,
            Some(Value::Object(entries)) => entries,
            Some(_) => return Err(format!("test {test}: config must be a mapping: {CONFIG}")),
        };
        for (key, value) in entries {
            match key.as_str() {
                "severity" => {
                    settings.severity = match value.as_str().map(str::to_ascii_lowercase).as_deref()
                    {
                        Some("error") => Severity::Error,
                        Some("warn") => Severity::Warn,
                        _ => {
                            return Err(format!(
                                "test {test}: severity {value} must be error or warn"
                            ));
                        }
                    }
                }
                "where" => settings.condition = Some(sql(test, "where", value)?),
                "meta" => settings.meta(test, value)?,
                _ => return Err(format!("test {test}: unknown config `{key}`: {CONFIG}")),
            }
        }
        Ok(settings)
    }

    fn meta(&mut self, test: &str, meta: &Value) -> Result<(), String> {
        let Some(entries) = meta.as_object() else {
            return Err(format!("test {test}: meta must be a mapping: {CONFIG}"));
        };
        for (key, value) in entries {
            if key != "threshold" {
                return Err(format!("test {test}: unknown meta key `{key}`: {CONFIG}"));
            }
            let share = value.as_f64().filter(|share| (0.0..=1.0).contains(share));
            self.threshold = share.ok_or_else(|| {
                format!(
                    "test {test}: threshold {value} is no share from 0 to 1: 0.99 lets one row of a hundred fail"
                )
            })?;
        }
        Ok(())
    }
}

/// The arguments of one test; each is taken once, and what is left over is a mistake.
struct Arguments<'a> {
    test: &'a str,
    known: &'static [&'static str],
    left: BTreeMap<&'a str, &'a Value>,
}

impl<'a> Arguments<'a> {
    fn new(
        test: &'a str,
        known: &'static [&'static str],
        written: &'a Value,
    ) -> Result<Self, String> {
        let left = match written {
            Value::Null => BTreeMap::new(),
            Value::Object(entries) => entries
                .iter()
                .map(|(name, value)| (name.as_str(), value))
                .collect(),
            _ => {
                return Err(format!(
                    "test {test}: {written} is no mapping of arguments: write {}",
                    list(known)
                ));
            }
        };
        Ok(Self { test, known, left })
    }

    fn take(&mut self, name: &str) -> Option<&'a Value> {
        self.left.remove(name)
    }

    fn need(&mut self, name: &str, what: &str) -> Result<&'a Value, String> {
        self.take(name)
            .ok_or_else(|| format!("test {} needs {name}: {what}", self.test))
    }

    fn wrong(&self, name: &str, what: &str) -> String {
        format!("test {}: {name} must be {what}", self.test)
    }

    fn text(&mut self, name: &str) -> Result<String, String> {
        let value = self.need(name, "a name")?;
        let text = value.as_str().filter(|text| !text.is_empty());
        text.map(str::to_owned)
            .ok_or_else(|| self.wrong(name, "a name"))
    }

    fn sql(&mut self, name: &str) -> Result<String, String> {
        let value = self.need(name, "an SQL condition")?;
        sql(self.test, name, value)
    }

    /// One name or a list of names.
    fn names(&mut self, name: &str) -> Result<Vec<String>, String> {
        let what = "the name of a column or a list of them";
        let names: Option<Vec<String>> = match self.need(name, what)? {
            Value::String(one) => Some(vec![one.clone()]),
            Value::Array(many) if !many.is_empty() => many
                .iter()
                .map(|one| one.as_str().map(str::to_owned))
                .collect(),
            _ => None,
        };
        names.ok_or_else(|| self.wrong(name, what))
    }

    fn flag(&mut self, name: &str, default: bool) -> Result<bool, String> {
        match self.take(name) {
            None => Ok(default),
            Some(value) => value
                .as_bool()
                .ok_or_else(|| self.wrong(name, "true or false")),
        }
    }

    fn count(&mut self, name: &str) -> Result<Option<u64>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => {
                let count = value.as_u64();
                count
                    .map(Some)
                    .ok_or_else(|| self.wrong(name, "a whole number, 0 or more"))
            }
        }
    }

    /// A number, or SQL.
    fn bound(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(value) => sql(self.test, name, value).map(Some),
        }
    }

    fn table(&mut self, name: &str, names: &Names) -> Result<Ref, String> {
        let what = "ref('name') or source('bronze', 'name')";
        let value = self.need(name, what)?;
        let text = value.as_str().ok_or_else(|| self.wrong(name, what))?;
        match reference(text) {
            Some((None, table)) => names.resolve(table),
            Some((Some(schema), table)) => names.source(schema, table),
            None => return Err(self.wrong(name, what)),
        }
        .map_err(|message| format!("test {}: {message}", self.test))
    }

    fn end(&self) -> Result<(), String> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(name) => Err(format!(
                "test {}: unknown argument `{name}`: write {}",
                self.test,
                list(self.known)
            )),
        }
    }
}

fn list(known: &[&str]) -> String {
    known
        .iter()
        .chain(&["config"])
        .copied()
        .collect::<Vec<_>>()
        .join(", ")
}

/// SQL text in our hands and dbt's must be the same, so nothing in it is templated.
fn sql(test: &str, name: &str, value: &Value) -> Result<String, String> {
    let text = value
        .as_str()
        .map(str::trim)
        .filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| format!("test {test}: {name} must be SQL text"))?;
    if text.contains("{{") || text.contains("{%") {
        return Err(format!(
            "test {test}: {name} is templated and must be plain SQL over the table's columns"
        ));
    }
    Ok(text.to_owned())
}

/// Reads `ref('name')` as (none, name) and `source('schema', 'name')` as (schema, name).
fn reference(text: &str) -> Option<(Option<&str>, &str)> {
    if let Some(inside) = call(text, "ref") {
        return Some((None, unquoted(inside)?));
    }
    let (schema, table) = call(text, "source")?.split_once(',')?;
    Some((Some(unquoted(schema)?), unquoted(table)?))
}

/// What stands in the brackets of a call.
fn call<'a>(text: &'a str, function: &str) -> Option<&'a str> {
    let rest = text.trim().strip_prefix(function)?.trim_start();
    rest.strip_prefix('(')?.strip_suffix(')')
}

fn unquoted(text: &str) -> Option<&str> {
    let text = text.trim();
    let inside = |mark: char| text.strip_prefix(mark)?.strip_suffix(mark);
    inside('\'').or_else(|| inside('"'))
}
