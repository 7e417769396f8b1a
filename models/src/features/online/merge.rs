//! The SQL view that merges the partials of an entity: per feature, how partial values become the value of the whole.
//!
//! Not here: which columns the partials have ([`super::stored`]), the functions that merge lists and sketches ([`super::SUPPORT`]).

use super::super::view::{Aggregation, Feature, FeatureView, ValueType, Window};
use super::{SCHEMA, keys, quoted, table};

/// Decimals of a quotient before it becomes a double: `numeric` keeps as many as its operands have, and 16 significant digits
/// otherwise, which is less than a double holds.
const DIGITS: u32 = 30;

/// `CREATE VIEW` over the partials: one row per entity.
///
/// Partials of a sliding window may show different windows for a moment, when partitions do not get their events at the same
/// pace. They are added up as long as the older window overlaps the newest one: a partition that is a little behind still counts.
pub(super) fn merged(view: &FeatureView) -> String {
    let keys = keys(view);
    let mut inner: Vec<String> = Vec::new();
    let mut outer: Vec<String> = Vec::new();
    for feature in &view.features {
        let name = quoted(&feature.name);
        if let Aggregation::Ratio(part, whole) = feature.aggregation {
            let [part, whole] = [part, whole].map(|index| quoted(&view.features[index].name));
            if !feature.hidden {
                outer.push(format!(
                    "CASE WHEN {whole} <> 0 THEN coalesce({part}::double precision / {whole}, 0) ELSE 0 END AS {name}"
                ));
            }
            continue;
        }
        inner.push(format!("{} AS {name}", merged_feature(view, feature)));
        if !feature.hidden {
            outer.push(name);
        }
    }
    let mut last = vec!["event_time", "version", "updated_at"];
    let from = match view.window {
        Window::Sliding { size, .. } => {
            last.insert(0, "window_end");
            format!(
                "(SELECT *, max(window_end) OVER (PARTITION BY {keys}) AS _newest FROM {}) AS partials \
                 WHERE window_end > _newest - {size} * interval '1 microsecond'",
                table(view)
            )
        }
        _ => table(view),
    };
    for name in &last {
        inner.push(format!("max({name}) AS {name}"));
        outer.push((*name).to_owned());
    }
    format!(
        "CREATE VIEW {SCHEMA}.{} AS SELECT {keys}, {} FROM (SELECT {keys}, {} FROM {from} GROUP BY {keys}) AS merged",
        view.name,
        outer.join(", "),
        inner.join(", ")
    )
}

fn merged_feature(view: &FeatureView, feature: &Feature) -> String {
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
        Aggregation::First(_) => format!(
            "(array_agg({name} ORDER BY {}, _partition) FILTER (WHERE {name} IS NOT NULL))[1]",
            with("t")
        ),
        Aggregation::Last(_) => format!(
            "(array_agg({name} ORDER BY {} DESC, _partition DESC) FILTER (WHERE {name} IS NOT NULL))[1]",
            with("t")
        ),
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
        Aggregation::TopK { k, .. } => {
            format!(
                "online._top_k(online._concat({name}), online._concat({}), {k})",
                with("n")
            )
        }
        Aggregation::Streak { .. } => format!(
            "online._streak(online._concat({name}), max({}), array_agg({}), array_agg({}))",
            with("since"),
            with("older"),
            with("older_newest")
        ),
        Aggregation::Ratio(..) | Aggregation::Case(_) => "NULL".to_owned(),
    };
    match &feature.default {
        Some(text) => format!("coalesce({merged}, '{}')", text.replace('\'', "''")),
        None => merged,
    }
}
