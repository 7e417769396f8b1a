//! Checks as SQL over the rows of one window.
//!
//! Row-level checks (and sequences, which need the row before) become flags of one scan: per check the rows that it is about and
//! those that fail, and the rows that fail any check of severity error. What cannot be seen on a row is a query of its own.

use std::time::Duration;

use chrono::{DateTime, Utc};
use userflow_models::project::{Check, PARTITION_COLUMN, Ref, Rule, Severity, Window};

use crate::run::table_name;

/// The name under which the rows to judge are known in a session.
pub(super) const ROWS: &str = "judged.rows";
/// Rows in a sample.
const SAMPLE: usize = 3;

/// The checks that are flags of the scan, with their place in the list of checks.
pub(super) struct Scan<'a> {
    flags: Vec<(usize, &'a Check)>,
}

impl<'a> Scan<'a> {
    /// Those of the checks that a scan can count.
    pub(super) fn new(checks: &'a [Check]) -> Self {
        let flags = checks.iter().enumerate();
        let flags = flags.filter(|(at, check)| failing(*at, &check.rule).is_some());
        Self {
            flags: flags.collect(),
        }
    }

    /// The checks whose failing rows are not fit for use.
    pub(super) fn errors(&self) -> impl Iterator<Item = &(usize, &'a Check)> {
        let errors = self.flags.iter();
        errors.filter(|(_, check)| check.severity == Severity::Error)
    }

    /// The checks that it counts, by their place in the list; two columns each.
    pub(super) fn counted(&self) -> impl Iterator<Item = usize> {
        self.flags.iter().map(|(at, _)| *at)
    }

    /// One row: all rows, rows that fail any check of severity error, then total and failed of each check.
    pub(super) fn counts(&self) -> String {
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
    pub(super) fn sample(&self, place: usize, columns: &[String]) -> Option<String> {
        let (at, check) = self.flags.iter().find(|(at, _)| *at == place)?;
        Some(self.sample_where(&self.failure(*at, check), columns))
    }

    /// Some rows that fail any check of severity error.
    pub(super) fn sample_of_errors(&self, columns: &[String]) -> String {
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
        | Rule::Quarantined { .. } => return None,
    })
}

/// A query for counts and one for a sample; the counts are total and failed.
pub(super) struct Queries {
    pub(super) counts: String,
    pub(super) sample: String,
}

/// The queries of a check that is about rows, but not of the scan.
pub(super) fn queries(check: &Check, columns: &[String]) -> Option<Queries> {
    let condition = check.condition.as_deref().unwrap_or("true");
    match &check.rule {
        Rule::Unique {
            columns,
            nulls_differ,
        } => {
            let key = list(columns);
            let known: Vec<String> = (columns.iter())
                .map(|column| format!("{} is not null", quoted(column)))
                .collect();
            let known = match nulls_differ {
                true => known.join(" and "),
                false => "true".to_owned(),
            };
            let groups = format!(
                "(select {key}, count(*) as copies from {ROWS} where {condition} group by {key}) as judged_rows"
            );
            Some(Queries {
                counts: format!(
                    "select cast(coalesce(sum(copies), 0) as bigint) as total, \
                     cast(coalesce(sum(copies - 1) filter (where {known}), 0) as bigint) as failed from {groups}"
                ),
                sample: format!(
                    "select * from {groups} where copies > 1 and {known} order by {key} limit {SAMPLE}"
                ),
            })
        }
        Rule::Relationships {
            columns: own,
            to,
            fields,
        } => {
            let on: Vec<String> = (own.iter().zip(fields))
                .map(|(own, field)| {
                    format!("judged_rows.{} = parent.{}", quoted(own), quoted(field))
                })
                .collect();
            let known: Vec<String> = (own.iter())
                .map(|column| format!("{} is not null", quoted(column)))
                .collect();
            // The rows that are judged come first: the side that is kept in memory.
            let orphans = format!(
                "(select * from {ROWS} where ({condition}) and {}) as judged_rows left anti join {} as parent on {}",
                known.join(" and "),
                table_name(to),
                on.join(" and ")
            );
            let columns = list(columns);
            Some(Queries {
                counts: format!(
                    "select (select count(*) from {ROWS} where {condition}) as total, count(*) as failed from {orphans}"
                ),
                sample: format!(
                    "select {columns} from {orphans} order by {columns} limit {SAMPLE}"
                ),
            })
        }
        _ => None,
    }
}

/// Total rows, whether the newest value of the column is too old, and that value.
pub(super) fn freshness(check: &Check, column: &str, within: Duration, window: Window) -> String {
    let condition = check.condition.as_deref().unwrap_or("true");
    let oldest = window.end() - within;
    let column = quoted(column);
    format!(
        "select cast(1 as bigint) as total, cast(case when max({column}) >= timestamp '{}' then 0 else 1 end as bigint) as failed, \
         max({column}) as newest from {ROWS} where {condition}",
        oldest.format("%Y-%m-%d %H:%M:%S%:z")
    )
}

/// The groups of events that the margin cuts, for a window whose rows are the groups that start in it; total is the rows and these groups.
///
/// * A group of the window before, known by its events in the margin, that goes on behind the margin of that window: its events from there
///   on are in no row. This window does not make one, because the group starts before it.
/// * A group of this window that has no event in the margin before its end and goes on behind it: the next window does not see that it has
///   started, and makes a second row.
pub(super) fn within_margin(
    check: &Check,
    (of, group_by, order_by): (&Ref, &[String], &str),
    window: Window,
    margin: Duration,
) -> Queries {
    let condition = check.condition.as_deref().unwrap_or("true");
    let (start, end) = (window.start(), window.end());
    let (read_start, read_end) = (start - margin, end + margin);
    let columns = |of: &str| {
        let columns = group_by
            .iter()
            .map(|column| format!("{of}.{}", quoted(column)));
        columns.collect::<Vec<_>>().join(", ")
    };
    let same_group = |as_in: &str| {
        let pairs = group_by.iter().map(|column| quoted(column));
        let pairs = pairs.map(|column| format!("{as_in}.{column} = events.{column}"));
        pairs.collect::<Vec<_>>().join(" and ")
    };
    let between = |from: DateTime<Utc>, to: DateTime<Utc>| {
        let [from, to] = [from, to].map(|time| time.format("timestamp '%Y-%m-%d %H:%M:%S%:z'"));
        let time = format!("events.{}", quoted(order_by));
        format!("{time} >= {from} and {time} < {to}")
    };
    let groups = |from, to| {
        let (columns, between) = (columns("events"), between(from, to));
        format!("select distinct {columns} from events where {between}")
    };
    let events_of = |groups: &str, from, to| {
        let (columns, between) = (columns(groups), between(from, to));
        let same = same_group(groups);
        format!(
            "select {columns}, count(*) as events from {groups} inner join events on {same} where {between} group by {columns}"
        )
    };
    let cut = format!(
        "with events as (select * from {events} as events where {condition} and {PARTITION_COLUMN} >= date '{first}' and \
         {PARTITION_COLUMN} <= date '{last}' and {read}), \
         early as ({early}), \
         late as (select * from ({late}) as events left anti join ({tail}) as tail on {in_tail}), \
         cut as (\
         select *, 'its events from the margin on are in no row' as fault from ({lost}) as lost \
         union all \
         select *, 'it has a second row in the next window' as fault from ({twice}) as twice)",
        events = table_name(of),
        first = read_start.date_naive(),
        last = read_end.date_naive(),
        read = between(read_start, read_end),
        early = groups(read_start, start),
        late = groups(end, read_end),
        tail = groups(end - margin, end),
        in_tail = same_group("tail"),
        lost = events_of("early", start + margin, end),
        twice = events_of("late", start, end - margin),
    );
    Queries {
        counts: format!(
            "{cut} select (select count(*) from {ROWS}) + count(*) as total, count(*) as failed from cut"
        ),
        sample: format!(
            "{cut} select * from cut order by fault, {} limit {SAMPLE}",
            columns("cut")
        ),
    }
}

/// The tables that the checks read besides the rows.
pub(super) fn others(checks: &[Check]) -> Vec<&Ref> {
    let mut others: Vec<&Ref> = Vec::new();
    for check in checks {
        if let Rule::Relationships { to: other, .. } | Rule::WithinMargin { of: other, .. } =
            &check.rule
            && !others.contains(&other)
        {
            others.push(other);
        }
    }
    others
}

fn previous(at: usize) -> String {
    format!("\"previous of check {at}\"")
}

fn list(columns: &[String]) -> String {
    let quoted: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
    quoted.join(", ")
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
