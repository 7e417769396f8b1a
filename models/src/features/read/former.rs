//! The fingerprint that releases up to 0.1 gave to a view, so that their tables and checkpoints are recognised and taken over.
//!
//! Those releases hashed what Rust's `Debug` printed of the view and of all columns of the contract. What it printed then is frozen
//! here, in text. Nothing in this file follows a change elsewhere: what a view can say since then, no such release ever stored, so it has
//! no former fingerprint. To be removed together with the promise to take over what 0.1 left.

use super::fingerprint::digits;
use crate::contract::{ColumnType, Contract};
use crate::features::view::{
    Aggregation, Case, Condition, Ending, Feature, FeatureView, Predicate, Test, ValueType, Window,
};

/// In place of what those releases could not say: it is in no text of theirs.
const NO_FORMER: &str = "(newer than 0.1)";

pub(super) fn of(view: &FeatureView, contract: &Contract) -> String {
    digits(&text(view, contract))
}

fn text(view: &FeatureView, contract: &Contract) -> String {
    let types = contract.columns().iter();
    let types = types.map(|column| {
        format!(
            "({}, {})",
            quoted(&column.name),
            column_type(column.column_type)
        )
    });
    format!(
        "{} {} {} {} {}",
        texts(&view.entity),
        view.partition_local,
        window(&view.window),
        list(view.features.iter().map(feature)),
        list(types)
    )
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

/// As Rust prints a text with quotes: that is the standard library's and the same in every release.
fn quoted(text: &str) -> String {
    format!("{text:?}")
}

fn texts(texts: &[String]) -> String {
    list(texts.iter().map(|text| quoted(text)))
}

fn maybe(value: Option<String>) -> String {
    value.map_or_else(|| "None".to_owned(), |value| format!("Some({value})"))
}

fn window(window: &Window) -> String {
    match window {
        Window::Session { gap, keep, ends } => {
            let ends = maybe(ends.as_ref().map(ending));
            format!("Session {{ gap: {gap}, keep: {keep}, ends: {ends} }}")
        }
        Window::Sessions { gap, keep, start } => {
            format!(
                "Sessions {{ gap: {gap}, keep: {keep}, start: {} }}",
                quoted(start)
            )
        }
        Window::Sliding { size, every } => format!("Sliding {{ size: {size}, every: {every} }}"),
        Window::Exact { size, most } => format!("Exact {{ size: {size}, most: {most} }}"),
        Window::Last { events } => format!("Last {{ events: {events} }}"),
        Window::Lifetime => "Lifetime".to_owned(),
    }
}

fn ending(ending: &Ending) -> String {
    format!(
        "Ending {{ on: {}, state: {}, values: {} }}",
        predicate(&ending.on),
        ending.state,
        texts(&ending.values)
    )
}

fn feature(feature: &Feature) -> String {
    format!(
        "Feature {{ name: {}, aggregation: {}, when: {}, hidden: {}, default: {}, round: {}, value_type: {} }}",
        quoted(&feature.name),
        aggregation(&feature.aggregation),
        maybe(feature.when.as_ref().map(predicate)),
        feature.hidden,
        maybe(feature.default.as_deref().map(quoted)),
        maybe(feature.round.map(|round| round.to_string())),
        value_type(feature.value_type)
    )
}

fn aggregation(aggregation: &Aggregation) -> String {
    match aggregation {
        Aggregation::Count => "Count".to_owned(),
        Aggregation::Seen => "Seen".to_owned(),
        Aggregation::Sum { column, scale } => {
            format!("Sum {{ column: {column}, scale: {scale} }}")
        }
        Aggregation::Avg { column, scale } => {
            format!("Avg {{ column: {column}, scale: {scale} }}")
        }
        Aggregation::Min(column) => format!("Min({column})"),
        Aggregation::Max(column) => format!("Max({column})"),
        Aggregation::First(column) => format!("First({column})"),
        Aggregation::Last(column) => format!("Last({column})"),
        Aggregation::LastN { column, n } => format!("LastN {{ column: {column}, n: {n} }}"),
        Aggregation::DistinctCount { columns, exact } => {
            let columns = list(columns.iter().map(ToString::to_string));
            format!("DistinctCount {{ columns: {columns}, exact: {exact} }}")
        }
        Aggregation::TopK { column, k, ties: _ } => format!("TopK {{ column: {column}, k: {k} }}"),
        Aggregation::Ratio(part, whole) => format!("Ratio({part}, {whole})"),
        Aggregation::Streak { until } => format!("Streak {{ until: {} }}", predicate(until)),
        Aggregation::Case(cases) => format!("Case({})", list(cases.iter().map(case))),
        Aggregation::Absence(_)
        | Aggregation::Run(_)
        | Aggregation::Appeared(_)
        | Aggregation::Detail(_)
        | Aggregation::Elapsed(..)
        | Aggregation::Coalesce(_) => NO_FORMER.to_owned(),
    }
}

fn case(case: &Case) -> String {
    let conditions = case.conditions.iter().map(|condition| match condition {
        Condition::Feature(feature, test) => format!("Feature({feature}, {})", self::test(test)),
        Condition::TimedOut => "TimedOut".to_owned(),
    });
    format!(
        "Case {{ value: {}, conditions: {} }}",
        quoted(&case.value),
        list(conditions)
    )
}

fn predicate(Predicate(tests): &Predicate) -> String {
    let tests = tests.iter();
    let tests = tests.map(|(column, test)| format!("({column}, {})", self::test(test)));
    format!("Predicate({})", list(tests))
}

fn test(test: &Test) -> String {
    let bound = |bound: Option<i64>| maybe(bound.map(|bound| bound.to_string()));
    match test {
        Test::OneOf(known) => format!("OneOf({})", texts(known)),
        Test::Is(truth) => format!("Is({truth})"),
        Test::Within { from, to, open } => format!(
            "Within {{ from: {}, to: {}, open: ({}, {}) }}",
            bound(*from),
            bound(*to),
            open.0,
            open.1
        ),
    }
}

fn value_type(value_type: ValueType) -> String {
    match value_type {
        ValueType::BigInt => "BigInt".to_owned(),
        ValueType::Decimal { scale } => format!("Decimal {{ scale: {scale} }}"),
        ValueType::Double => "Double".to_owned(),
        ValueType::Text => "Text".to_owned(),
        ValueType::Boolean => "Boolean".to_owned(),
        ValueType::Timestamp => "Timestamp".to_owned(),
        ValueType::TextArray => "TextArray".to_owned(),
    }
}

fn column_type(column_type: ColumnType) -> String {
    match column_type {
        ColumnType::String => "String".to_owned(),
        ColumnType::Id => "Id".to_owned(),
        ColumnType::Double => "Double".to_owned(),
        ColumnType::BigInt => "BigInt".to_owned(),
        ColumnType::Decimal { precision, scale } => {
            format!("Decimal {{ precision: {precision}, scale: {scale} }}")
        }
        ColumnType::Boolean => "Boolean".to_owned(),
        ColumnType::Timestamp => "Timestamp".to_owned(),
        ColumnType::Date => "Date".to_owned(),
        ColumnType::List => "List".to_owned(),
    }
}
