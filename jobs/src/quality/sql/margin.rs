//! The check that a model's margin cuts none of its groups.

use std::time::Duration;

use chrono::{DateTime, Utc};
use userflow_models::project::{Check, PARTITION_COLUMN, Ref, Window};

use super::names::{ROWS, SAMPLE};
use super::queries::Queries;
use crate::engine::quoted;
use crate::seeds::table_name;

/// The groups of events that the margin cuts, for a window whose rows are the groups that start in it; total is the rows and these groups.
///
/// * A group of the window before, known by its events in the margin, that goes on behind the margin of that window: its events from there
///   on are in no row. This window does not make one, because the group starts before it.
/// * A group of this window that has no event in the margin before its end and goes on behind it: the next window does not see that it has
///   started, and makes a second row.
pub(in crate::quality) fn within_margin(
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
