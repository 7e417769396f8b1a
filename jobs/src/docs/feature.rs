//! Feature views in words: what a window holds, what a feature is.

use userflow_models::contract::{ColumnType, Contract};
use userflow_models::features::{
    Aggregation, Case, Condition, Feature, FeatureView, Predicate, Test, ValueType, Window,
};

/// The columns that readers see: name, PostgreSQL's type, meaning.
pub(super) fn columns(
    view: &FeatureView,
    contract: &Contract,
) -> Vec<(String, &'static str, String)> {
    let mut columns = Vec::new();
    for name in &view.entity {
        let field = contract
            .columns()
            .iter()
            .find(|column| column.name == *name);
        let meaning = field.map_or("", |column| &column.description);
        let meaning = if meaning.is_empty() {
            "the entity"
        } else {
            meaning
        };
        columns.push((name.clone(), "text", meaning.to_owned()));
    }
    for feature in view.features.iter().filter(|feature| !feature.hidden) {
        columns.push((
            feature.name.clone(),
            feature.value_type.sql(),
            meaning(feature, view, contract),
        ));
    }
    let mut add = |name: &str, data_type, meaning: &str| {
        columns.push((name.to_owned(), data_type, meaning.to_owned()));
    };
    if view.is_session() {
        add(
            "is_final",
            "boolean",
            "the session has ended; until then the row changes with every event",
        );
    }
    if view.has_window_end() {
        add(
            "window_end",
            "timestamptz",
            "end of the window that the row shows, not included",
        );
    }
    add("event_time", "timestamptz", "time of the newest event used");
    add(
        "version",
        "bigint",
        "Kafka offset of the newest message that the row reflects; it only grows",
    );
    add("updated_at", "timestamptz", "when the row was written");
    columns
}

/// Which events a row is made of.
pub(super) fn window(view: &FeatureView, contract: &Contract) -> String {
    match &view.window {
        Window::Session { gap, ends, .. } => {
            let silence = format!("a session: ends after {} without an event", span(*gap));
            let Some(ending) = ends else { return silence };
            let (on, state) = (predicate(&ending.on, contract), name_of(view, ending.state));
            format!(
                "{silence}, or on an event where {on} once `{state}` is {}",
                ending.values.join(" or ")
            )
        }
        Window::Sliding { size, every } if size == every => format!("every {}", span(*size)),
        Window::Sliding { size, every } => {
            format!("the last {}, moving every {}", span(*size), span(*every))
        }
        Window::Last { events } => format!("the newest {events} events"),
        Window::Lifetime => "all events ever".to_owned(),
    }
}

/// Microseconds in the largest unit that divides them.
pub(super) fn span(micros: i64) -> String {
    let units = [
        ("day", 86_400_000_000),
        ("hour", 3_600_000_000),
        ("minute", 60_000_000),
        ("second", 1_000_000),
    ];
    let fits = |(_, size): &&(&str, i64)| micros % size == 0;
    let Some((unit, size)) = units.iter().find(fits) else {
        return format!("{micros} µs");
    };
    let plural = if micros / size == 1 { "" } else { "s" };
    format!("{} {unit}{plural}", micros / size)
}

/// What a feature is.
fn meaning(feature: &Feature, view: &FeatureView, contract: &Contract) -> String {
    let column = |index: &usize| format!("`{}`", column_name(contract, *index));
    let other = |index: &usize| format!("`{}`", name_of(view, *index));
    let mut text = match &feature.aggregation {
        Aggregation::Count => "number of events".to_owned(),
        Aggregation::Seen => "whether there was an event".to_owned(),
        Aggregation::Sum { column: of, .. } => format!("sum of {}", column(of)),
        Aggregation::Avg { column: of, .. } => format!("mean of {}", column(of)),
        Aggregation::Min(of) => format!("smallest {}", column(of)),
        Aggregation::Max(of) => format!("largest {}", column(of)),
        Aggregation::First(of) => format!("{} of the earliest event that has one", column(of)),
        Aggregation::Last(of) => format!("{} of the latest event that has one", column(of)),
        Aggregation::LastN { column: of, n } => {
            format!("the newest {n} different {}, newest last", column(of))
        }
        Aggregation::DistinctCount { columns, exact } => {
            let names: Vec<String> = columns.iter().map(column).collect();
            format!(
                "number of different {}, exact up to {exact}, then estimated",
                names.join(", ")
            )
        }
        Aggregation::TopK { column: of, k } => {
            format!("the {k} most frequent {}, most frequent first", column(of))
        }
        Aggregation::Ratio(of, by) => {
            format!("{} / {}; 0 when the latter is 0", other(of), other(by))
        }
        Aggregation::Streak { until } => format!(
            "number of events since the newest one where {}",
            predicate(until, contract)
        ),
        Aggregation::Case(cases) => {
            let cases: Vec<String> = cases.iter().map(|each| case(each, view)).collect();
            format!("the first that applies: {}", cases.join(", "))
        }
    };
    if let Some(when) = &feature.when {
        text += &format!(" where {}", predicate(when, contract));
    }
    if let Some(decimals) = feature.round {
        text += &format!("; rounded to {decimals} decimals");
    }
    if let Some(default) = &feature.default {
        text += &format!("; {default} when there is none");
    }
    text
}

fn case(case: &Case, view: &FeatureView) -> String {
    let condition = |condition: &Condition| match condition {
        Condition::TimedOut => "it ended by silence".to_owned(),
        Condition::Feature(index, test) => {
            let feature = view.features.get(*index);
            let scale = feature.map_or(0, |feature| {
                feature.round.unwrap_or(decimals(feature.value_type))
            });
            condition_text(&name_of(view, *index), test, scale)
        }
    };
    let conditions: Vec<String> = case.conditions.iter().map(condition).collect();
    match conditions.is_empty() {
        true => case.value.clone(),
        false => format!("{} ({})", case.value, conditions.join(" and ")),
    }
}

fn predicate(predicate: &Predicate, contract: &Contract) -> String {
    let part = |(index, test): &(usize, Test)| {
        let scale = match contract
            .columns()
            .get(*index)
            .map(|column| column.column_type)
        {
            Some(ColumnType::Decimal { scale, .. }) => u32::from(scale),
            _ => 0,
        };
        condition_text(column_name(contract, *index), test, scale)
    };
    predicate
        .0
        .iter()
        .map(part)
        .collect::<Vec<_>>()
        .join(" and ")
}

fn condition_text(name: &str, test: &Test, scale: u32) -> String {
    match test {
        Test::OneOf(values) => format!("`{name}` is {}", values.join(" or ")),
        Test::Is(value) => format!("`{name}` is {value}"),
        Test::Within { from, to, open } => {
            let low = from.map(|value| (if open.0 { "more than" } else { "at least" }, value));
            let high = to.map(|value| (if open.1 { "less than" } else { "at most" }, value));
            let bounds = [low, high].into_iter().flatten();
            let texts: Vec<String> = bounds
                .map(|(words, value)| format!("{words} {}", decimal(value, scale)))
                .collect();
            format!("`{name}` is {}", texts.join(" and "))
        }
    }
}

fn decimals(value_type: ValueType) -> u32 {
    match value_type {
        ValueType::Decimal { scale } => scale,
        _ => 0,
    }
}

/// A number that is kept in units of ten to the minus `scale`.
fn decimal(units: i64, scale: u32) -> String {
    let digits = usize::try_from(scale).expect("a scale has few digits");
    if digits == 0 {
        return units.to_string();
    }
    let sign = if units < 0 { "-" } else { "" };
    let padded = format!("{:0>width$}", units.unsigned_abs(), width = digits + 1);
    let (whole, fraction) = padded.split_at(padded.len() - digits);
    let fraction = fraction.trim_end_matches('0');
    match fraction.is_empty() {
        true => format!("{sign}{whole}"),
        false => format!("{sign}{whole}.{fraction}"),
    }
}

fn column_name(contract: &Contract, index: usize) -> &str {
    contract
        .columns()
        .get(index)
        .map_or("", |column| &column.name)
}

fn name_of(view: &FeatureView, index: usize) -> String {
    view.features
        .get(index)
        .map_or_else(String::new, |feature| feature.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_decimals_are_written_as_people_do() {
        assert_eq!(span(600_000_000), "10 minutes");
        assert_eq!(span(86_400_000_000), "1 day");
        assert_eq!(span(90_000_000), "90 seconds");
        assert_eq!(span(1_500), "1500 µs");
        assert_eq!(decimal(95, 2), "0.95");
        assert_eq!(decimal(-100, 2), "-1");
        assert_eq!(decimal(1234, 3), "1.234");
        assert_eq!(decimal(7, 0), "7");
    }
}
