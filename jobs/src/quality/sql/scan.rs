//! The checks that a row shows by itself, as flags of one scan.

use userflow_models::project::{Check, Rule, Severity};

use super::names::{ROWS, SAMPLE, list};
use crate::engine::quoted;

/// The checks that are flags of the scan, with their place in the list of checks.
pub(in crate::quality) struct Scan<'a> {
    flags: Vec<(usize, &'a Check)>,
}

impl<'a> Scan<'a> {
    /// Those of the checks that a scan can count.
    pub(in crate::quality) fn new(checks: &'a [Check]) -> Self {
        let flags = checks.iter().enumerate();
        let flags = flags.filter(|(at, check)| failing(*at, &check.rule).is_some());
        Self {
            flags: flags.collect(),
        }
    }

    /// The checks whose failing rows are not fit for use.
    pub(in crate::quality) fn errors(&self) -> impl Iterator<Item = &(usize, &'a Check)> {
        let errors = self.flags.iter();
        errors.filter(|(_, check)| check.severity == Severity::Error)
    }

    /// The checks that it counts, by their place in the list; two columns each.
    pub(in crate::quality) fn counted(&self) -> impl Iterator<Item = usize> {
        self.flags.iter().map(|(at, _)| *at)
    }

    /// One row: all rows, rows that fail any check of severity error, then total and failed of each check.
    pub(in crate::quality) fn counts(&self) -> String {
        let mut conditions = vec!["true".to_owned(), self.any_error()];
        for (at, check) in &self.flags {
            conditions.push(check.condition.clone().unwrap_or_else(|| "true".to_owned()));
            conditions.push(self.failure(*at, check));
        }
        let counts = conditions.iter().enumerate();
        let counts: Vec<String> = counts
            .map(|(at, condition)| format!("count(*) filter (where {condition}) as count_{at}"))
            .collect();
        format!("select {} from {}", counts.join(", "), self.rows())
    }

    /// Some rows that fail the check at this place.
    pub(in crate::quality) fn sample(&self, place: usize, columns: &[String]) -> Option<String> {
        let (at, check) = self.flags.iter().find(|(at, _)| *at == place)?;
        Some(self.sample_where(&self.failure(*at, check), columns))
    }

    /// Some rows that fail any check of severity error.
    pub(in crate::quality) fn sample_of_errors(&self, columns: &[String]) -> String {
        self.sample_where(&self.any_error(), columns)
    }

    fn sample_where(&self, condition: &str, columns: &[String]) -> String {
        let columns = list(columns);
        format!(
            "select {columns} from {} where {condition} order by {columns} limit {SAMPLE}",
            self.rows()
        )
    }

    fn any_error(&self) -> String {
        let failures: Vec<String> = self
            .errors()
            .map(|(at, check)| self.failure(*at, check))
            .collect();
        match failures.is_empty() {
            true => "false".to_owned(),
            false => failures.join(" or "),
        }
    }

    fn failure(&self, at: usize, check: &Check) -> String {
        let failing = failing(at, &check.rule).expect("a flag of the scan is about rows");
        match &check.condition {
            Some(condition) => format!("(({condition}) and ({failing}))"),
            None => format!("({failing})"),
        }
    }

    /// The rows, each with the value before it for every sequence.
    fn rows(&self) -> String {
        let previous = self.flags.iter().filter_map(|(at, check)| {
            let Rule::Sequence {
                value,
                group_by,
                order_by,
            } = &check.rule
            else {
                return None;
            };
            let seen = match &check.condition {
                Some(condition) => format!("case when {condition} then {value} end"),
                None => value.clone(),
            };
            // Rows at the same place of the order are taken in the order of their values: none of them falls below another.
            Some(format!(
                ", lag({seen}) ignore nulls over (partition by {} order by {}, {value}) as {}",
                list(group_by),
                list(order_by),
                previous(*at)
            ))
        });
        let previous: String = previous.collect();
        match previous.is_empty() {
            true => ROWS.to_owned(),
            false => format!("(select *{previous} from {ROWS}) as judged_rows"),
        }
    }
}

/// The condition under which a row fails; `None` for what a row does not show.
fn failing(at: usize, rule: &Rule) -> Option<String> {
    Some(match rule {
        Rule::NotNull { column } => format!("{} is null", quoted(column)),
        Rule::AcceptedValues { column, values } => {
            format!("{} not in ({})", quoted(column), values.join(", "))
        }
        Rule::AcceptedRange {
            column,
            min,
            max,
            inclusive,
        } => {
            let (below, above) = if *inclusive { ("<", ">") } else { ("<=", ">=") };
            let column = quoted(column);
            let outside = |sign, bound: &Option<String>| {
                let bound = bound.as_ref()?;
                Some(format!("{column} {sign} {bound}"))
            };
            let sides = [outside(below, min), outside(above, max)];
            sides.into_iter().flatten().collect::<Vec<_>>().join(" or ")
        }
        Rule::ExpressionIsTrue { expression } => format!("not ({expression})"),
        Rule::Sequence { value, .. } => format!("{value} < {}", previous(at)),
        Rule::Unique { .. }
        | Rule::Relationships { .. }
        | Rule::RowCountBetween { .. }
        | Rule::Freshness { .. }
        | Rule::WithinMargin { .. }
        | Rule::Quarantined { .. }
        | Rule::Counts { .. } => return None,
    })
}

fn previous(at: usize) -> String {
    format!("\"previous of check {at}\"")
}
