//! The SQL view that merges the partials of an entity: per feature, how partial values become the value of the whole.
//!
//! Not here: which columns the partials have (`columns`), the functions that merge lists and sketches (`support`).

use super::super::view::{
    Aggregation, BEGAN, Condition, Feature, FeatureView, Test, Ties, ValueType, Window,
};
use super::columns::LOCAL_ONLY;
use super::names::{SCHEMA, keys, partials, quoted};

/// Decimals of a quotient before it becomes a double: `numeric` keeps as many as its operands have, and 16 significant digits
/// otherwise, which is less than a double holds.
const DIGITS: u32 = 30;

/// `CREATE OR REPLACE VIEW` over the partials: what readers see of a view.
pub(super) fn merged(view: &FeatureView) -> String {
    format!(
        "CREATE OR REPLACE VIEW {SCHEMA}.{} AS {}",
        view.name,
        merging(view, one_by)
    )
}

/// How a query says: the value in the first row by these columns, or in the last, of those that have a value. The one thing for which
/// DataFusion has other words.
pub type OneBy = fn(value: &str, order: [&str; 2], last: bool) -> String;

/// In PostgreSQL's words.
fn one_by(value: &str, order: [&str; 2], last: bool) -> String {
    let end = if last { " DESC" } else { "" };
    let order = order.map(|column| format!("{column}{end}")).join(", ");
    format!("(array_agg({value} ORDER BY {order}) FILTER (WHERE {value} IS NOT NULL))[1]")
}

/// The query over the partials: one row per entity. `userflow-jobs test` runs it in DataFusion, so it keeps to words that both know but
/// for `one_by`.
///
/// Partials of a sliding window may show different windows for a moment, when partitions do not get their events at the same
/// pace. They are added up as long as the older window overlaps the newest one: a partition that is a little behind still counts.
///
/// Partials of a session are one session as long as a partition would have taken their events for one: a partial whose newest event is
/// older than the gap and what the state is kept for, before the first event of the newest partial, is of an earlier session of the same
/// name. The session is final when all its partials are, and timed out if one of them is.
pub fn merging(view: &FeatureView, one_by: OneBy) -> String {
    let keys = keys(view);
    let table = format!("{SCHEMA}.{}", partials(&view.name));
    let mut inner: Vec<String> = Vec::new();
    let mut outer: Vec<String> = Vec::new();
    for (index, feature) in view.features.iter().enumerate() {
        let name = quoted(&feature.name);
        let computed = matches!(
            feature.aggregation,
            Aggregation::Ratio(..)
                | Aggregation::Elapsed(..)
                | Aggregation::Case(_)
                | Aggregation::Coalesce(_)
        );
        if !computed {
            inner.push(format!(
                "{} AS {name}",
                merged_feature(view, feature, one_by)
            ));
        }
        if !feature.hidden {
            outer.push(match computed {
                true => format!("{} AS {name}", expression(view, index)),
                false => name,
            });
        }
    }
    let mut last = vec!["event_time", "version", "updated_at"];
    let from = match view.window {
        Window::Sliding { size, .. } | Window::Exact { size, .. } => {
            last.insert(0, "window_end");
            format!(
                "(SELECT *, max(window_end) OVER (PARTITION BY {keys}) AS _newest FROM {table}) AS partials \
                 WHERE window_end > _newest - {}",
                interval(size)
            )
        }
        Window::Session { gap, keep, .. } => {
            inner.push("bool_and(is_final) AS is_final".to_owned());
            inner.push("bool_and(is_final) AND bool_or(_timed_out) AS _timed_out".to_owned());
            outer.push("is_final".to_owned());
            format!(
                "(SELECT *, first_value({BEGAN}) OVER (PARTITION BY {keys} ORDER BY event_time DESC, _partition DESC) AS _newest FROM {table}) \
                 AS partials WHERE event_time >= _newest - {}",
                interval(gap.saturating_add(keep))
            )
        }
        Window::Last { .. } | Window::Lifetime => table,
        Window::Sessions { .. } => unreachable!("{} is local to a partition", view.name),
    };
    for name in &last {
        inner.push(format!("max({name}) AS {name}"));
        outer.push((*name).to_owned());
    }
    if view.is_session() {
        // Of the newest event.
        let newest = one_by("_partition", ["event_time", "_partition"], true);
        inner.push(format!("{newest} AS _partition"));
        outer.push("_partition".to_owned());
    }
    format!(
        "SELECT {keys}, {} FROM (SELECT {keys}, {} FROM {from} GROUP BY {keys}) AS merged",
        outer.join(", "),
        inner.join(", ")
    )
}

/// A time in microseconds.
fn interval(micros: i64) -> String {
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    format!("interval '{seconds}.{micros:06} seconds'")
}

/// A feature in terms of the merged ones.
fn expression(view: &FeatureView, index: usize) -> String {
    let feature = &view.features[index];
    let computed = match &feature.aggregation {
        Aggregation::Ratio(part, whole) => {
            let [part, whole] = [part, whole].map(|index| expression(view, *index));
            format!(
                "CASE WHEN {whole} <> 0 THEN coalesce({part}::double precision / {whole}, 0) ELSE 0 END"
            )
        }
        Aggregation::Elapsed(from, to) => {
            let [from, to] = [from, to].map(|index| expression(view, *index));
            format!("extract(epoch FROM {to} - {from})::double precision")
        }
        Aggregation::Coalesce(features) => {
            let values: Vec<String> = (features.iter())
                .map(|index| expression(view, *index))
                .collect();
            format!("coalesce({})", values.join(", "))
        }
        Aggregation::Case(cases) => {
            let mut sql = String::from("CASE");
            for case in cases {
                let conditions: Vec<String> = (case.conditions.iter())
                    .map(|condition| match condition {
                        Condition::TimedOut => "_timed_out".to_owned(),
                        Condition::Feature(index, test) => passes(view, *index, test),
                    })
                    .collect();
                let conditions = match conditions.is_empty() {
                    true => "true".to_owned(),
                    false => conditions.join(" AND "),
                };
                sql.push_str(&format!(" WHEN {conditions} THEN {}", literal(&case.value)));
            }
            sql + " END"
        }
        _ => return quoted(&feature.name),
    };
    match &feature.default {
        Some(text) => format!("coalesce({computed}, {})", literal(text)),
        None => format!("({computed})"),
    }
}

/// Whether a feature passes a test; one without a value does not.
fn passes(view: &FeatureView, index: usize, test: &Test) -> String {
    let value = expression(view, index);
    match test {
        Test::OneOf(texts) => {
            let texts: Vec<String> = texts.iter().map(|text| literal(text)).collect();
            format!("coalesce({value} IN ({}), false)", texts.join(", "))
        }
        Test::Is(true) => format!("coalesce({value}, false)"),
        Test::Is(false) => format!("coalesce(NOT {value}, false)"),
        Test::Within { from, to, open } => {
            // In the units that the bounds are in: a double of so many decimals is that decimal.
            let units = match view.features[index].value_type {
                ValueType::Decimal { scale } => format!("round({value}::numeric * 1e{scale})"),
                ValueType::Timestamp => format!("extract(epoch FROM {value}) * 1000000"),
                _ => value,
            };
            let bound = |bound: &Option<i64>, closed: &str, open: &str, is_open: bool| {
                bound.map(|bound| {
                    let comparison = if is_open { open } else { closed };
                    format!("coalesce({units} {comparison} {bound}, false)")
                })
            };
            let bounds: Vec<String> =
                [bound(from, ">=", ">", open.0), bound(to, "<=", "<", open.1)]
                    .into_iter()
                    .flatten()
                    .collect();
            match bounds.is_empty() {
                true => format!("{units} IS NOT NULL"),
                false => bounds.join(" AND "),
            }
        }
    }
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn merged_feature(view: &FeatureView, feature: &Feature, one_by: OneBy) -> String {
    let name = quoted(&feature.name);
    let with = |end: &str| quoted(&format!("{}__{end}", feature.name));
    let merged = match &feature.aggregation {
        Aggregation::Count => format!("sum({name})::bigint"),
        Aggregation::Seen => format!("coalesce(sum({name}), 0) > 0"),
        Aggregation::Sum { scale, .. } => {
            let sum = format!("sum({name}) FILTER (WHERE {} > 0)", with("n"));
            match feature.value_type {
                // One sum that is too large must not make the whole view unreadable.
                ValueType::BigInt => format!(
                    "(CASE WHEN {sum} BETWEEN {} AND {} THEN {sum} END)::bigint",
                    i64::MIN,
                    i64::MAX
                ),
                _ => format!("(round({sum}, {DIGITS}) / 1e{scale}::numeric)::double precision"),
            }
        }
        Aggregation::Avg { scale, .. } => format!(
            "(round(sum({name}), {DIGITS}) / nullif(sum({n}) * 1e{scale}::numeric, 0))::double precision",
            n = with("n")
        ),
        Aggregation::Min(_) => format!("min({name})"),
        Aggregation::Max(_) => format!("max({name})"),
        Aggregation::First(_) => one_by(&name, [&with("t"), "_partition"], false),
        Aggregation::Last(_) => one_by(&name, [&with("t"), "_partition"], true),
        Aggregation::LastN { n, .. } => {
            let since = match view.window {
                Window::Last { events } => {
                    format!("online._since(online._concat(_times), {events})")
                }
                _ => "0".to_owned(),
            };
            let times = with("t");
            format!("online._newest(online._concat({name}), online._concat({times}), {n}, {since})")
        }
        Aggregation::DistinctCount { exact, .. } => {
            format!(
                "online._distinct_count(online._concat({name}), {})",
                exact + 1
            )
        }
        Aggregation::TopK { k, ties, .. } => {
            let all = |column: &str| format!("online._concat({column})");
            let (values, counts) = (all(&name), all(&with("n")));
            let top = match ties {
                Ties::Smaller => format!("online._top_k({values}, {counts}, {k})"),
                Ties::Latest => {
                    let times = all(&with("t"));
                    format!("online._top_k_latest({values}, {counts}, {times}, {k})")
                }
            };
            match feature.value_type {
                ValueType::Text => format!("({top})[1]"),
                _ => top,
            }
        }
        Aggregation::Streak { .. } => format!(
            "online._streak(online._concat({name}), max({}), array_agg({}), array_agg({}))",
            with("since"),
            with("older"),
            with("older_newest")
        ),
        Aggregation::Absence(_)
        | Aggregation::Run(_)
        | Aggregation::Appeared(_)
        | Aggregation::Detail(_) => unreachable!("{LOCAL_ONLY}"),
        Aggregation::Ratio(..)
        | Aggregation::Elapsed(..)
        | Aggregation::Case(_)
        | Aggregation::Coalesce(_) => {
            unreachable!("{} is computed from merged features", feature.name)
        }
    };
    match &feature.default {
        Some(text) => format!("coalesce({merged}, {})", literal(text)),
        None => merged,
    }
}
