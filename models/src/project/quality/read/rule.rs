//! Which rule a test is, by its name and its arguments. The names are dbt's and dbt_utils'.

use serde_json::Value;

use super::arguments::Arguments;
use crate::project::names::Names;
use crate::project::quality::Rule;
use crate::project::settings;

/// The tests that there are, with their arguments.
pub(super) const KNOWN: [(&str, &[&str]); 14] = [
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
    ("counts", &["name", "query", "sample", "refused"]),
];

/// What a rule is read from, beside its arguments.
pub(super) struct RuleReader<'a> {
    /// What a `ref` or `source` may name.
    pub(super) names: &'a Names,
    /// The column under which the test stands.
    pub(super) column: Option<&'a str>,
}

impl RuleReader<'_> {
    pub(super) fn rule(&self, arguments: &mut Arguments<'_>) -> Result<Rule, String> {
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
                    within: settings::whole_seconds("within", within)
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
            "counts" => {
                self.whole_row(name)?;
                Rule::Counts {
                    name: arguments.identifier("name")?,
                    query: arguments.sql("query")?,
                    sample: arguments.optional_sql("sample")?,
                    refused: arguments.optional_table("refused", self.names)?,
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
