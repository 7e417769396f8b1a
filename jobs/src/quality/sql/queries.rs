//! The checks that need a query of their own.

use std::time::Duration;

use userflow_models::project::{Check, Rule, Window};

use super::names::{ROWS, SAMPLE, list};
use crate::engine::quoted;
use crate::seeds::table_name;

/// A query for counts and one for a sample; the counts are total and failed.
pub(in crate::quality) struct Queries {
    pub(in crate::quality) counts: String,
    pub(in crate::quality) sample: String,
}

/// The queries of a check that is about rows, but not of the scan.
pub(in crate::quality) fn queries(check: &Check, columns: &[String]) -> Option<Queries> {
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
pub(in crate::quality) fn freshness(
    check: &Check,
    column: &str,
    within: Duration,
    window: Window,
) -> String {
    let condition = check.condition.as_deref().unwrap_or("true");
    let oldest = window.end() - within;
    let column = quoted(column);
    format!(
        "select cast(1 as bigint) as total, cast(case when max({column}) >= timestamp '{}' then 0 else 1 end as bigint) as failed, \
         max({column}) as newest from {ROWS} where {condition}",
        oldest.format("%Y-%m-%d %H:%M:%S%:z")
    )
}
