//! The query of `show`: its SQL from the arguments.

use userflow_lake::PARTITION;
use userflow_models::project::WindowRange;

use super::args::ShowArgs;
use crate::engine::quoted;

/// The SQL.
pub(super) fn sql(args: &ShowArgs, columns: &[String], range: Option<WindowRange>) -> String {
    let mut conditions: Vec<String> = Vec::new();
    if let Some((first, last)) =
        range.and_then(|range| Some((range.windows().next()?, range.windows().next_back()?)))
    {
        conditions.push(format!(
            "{PARTITION} between date '{first}' and date '{last}'"
        ));
    }
    conditions.extend(
        args.condition
            .iter()
            .map(|condition| format!("({condition})")),
    );
    let order = |name: &String| match name.strip_prefix('-') {
        Some(name) => format!("{} desc nulls last", quoted(name)),
        None => quoted(name),
    };
    let filter = if conditions.is_empty() {
        String::new()
    } else {
        format!(" where {}", conditions.join(" and "))
    };
    let order: Vec<String> = args.order.iter().map(order).collect();
    let order = if order.is_empty() {
        String::new()
    } else {
        format!(" order by {}", order.join(", "))
    };
    let columns: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
    format!(
        "select {} from {}{filter}{order} limit {}",
        columns.join(", "),
        args.table,
        args.limit
    )
}
