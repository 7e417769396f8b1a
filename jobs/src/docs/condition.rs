//! Conditions in words: which events a feature counts, and when a case applies.

use userflow_models::contract::{ColumnType, Contract};
use userflow_models::features::{Case, Condition, FeatureView, Predicate, Test, ValueType};

/// One case of a feature that has several.
pub(super) fn case(case: &Case, view: &FeatureView) -> String {
    let condition = |condition: &Condition| match condition {
        Condition::TimedOut => "it ended by silence".to_owned(),
        Condition::Feature(index, test) => {
            let feature = view.features.get(*index);
            let scale = feature.map_or(0, |feature| {
                feature.round.unwrap_or(decimals(feature.value_type))
            });
            condition_text(&feature_name(view, *index), test, scale)
        }
    };
    let conditions: Vec<String> = case.conditions.iter().map(condition).collect();
    match conditions.is_empty() {
        true => case.value.clone(),
        false => format!("{} ({})", case.value, conditions.join(" and ")),
    }
}

/// What must hold of an event.
pub(super) fn predicate(predicate: &Predicate, contract: &Contract) -> String {
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

/// The name of a column of the contract.
pub(super) fn column_name(contract: &Contract, index: usize) -> &str {
    contract
        .columns()
        .get(index)
        .map_or("", |column| &column.name)
}

/// The name of a feature of the view.
pub(super) fn feature_name(view: &FeatureView, index: usize) -> String {
    view.features
        .get(index)
        .map_or_else(String::new, |feature| feature.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_written_as_people_do() {
        assert_eq!(decimal(95, 2), "0.95");
        assert_eq!(decimal(-100, 2), "-1");
        assert_eq!(decimal(1234, 3), "1.234");
        assert_eq!(decimal(7, 0), "7");
    }
}
