//! The columns of a contract over all of its dialects: what bronze, feature views and the catalogue go by.

use super::column::{Checks, Column, Presence};
use super::dialect::Dialect;

/// One column for those of all dialects at the same position.
pub(super) fn merged(dialects: &[Dialect]) -> Vec<Column> {
    let [first, others @ ..] = dialects else {
        unreachable!("a contract has a dialect");
    };
    let mut columns = first.columns.clone();
    if others.is_empty() {
        return columns;
    }
    for (index, column) in columns.iter_mut().enumerate() {
        let of = |dialect: &Dialect| dialect.columns[index].clone();
        let each: Vec<(&str, Column)> = dialects
            .iter()
            .map(|dialect| (dialect.name.as_str(), of(dialect)))
            .collect();
        column.notes = notes(&each);
        column.sources.clear();
        column.checks = Checks::default();
        for (_, one) in &each {
            for source in &one.sources {
                if !column
                    .sources
                    .iter()
                    .any(|known| known.pointer == source.pointer)
                {
                    column.sources.push(source.clone());
                }
            }
            for known in &one.checks.known {
                if !column.checks.known.contains(known) {
                    column.checks.known.push(known.clone());
                }
            }
            for value in &one.checks.values {
                if !column.checks.values.contains(value) {
                    column.checks.values.push(value.clone());
                }
            }
        }
        let everywhere = each
            .iter()
            .all(|(_, one)| one.presence == Presence::Required);
        column.presence = if everywhere {
            Presence::Required
        } else {
            Presence::Optional
        };
    }
    columns
}

/// What holds in one dialect and not in another.
fn notes(each: &[(&str, Column)]) -> Vec<String> {
    let names = |wanted: &dyn Fn(&Column) -> bool| -> Vec<&str> {
        (each.iter())
            .filter(|(_, column)| wanted(column))
            .map(|(name, _)| *name)
            .collect()
    };
    let mut notes = Vec::new();
    let required = names(&|column| column.presence == Presence::Required);
    if !required.is_empty() && required.len() < each.len() {
        notes.push(format!(
            "required in the dialect {}",
            required.join(" and ")
        ));
    }
    let absent = names(&|column| column.sources.is_empty());
    if !absent.is_empty() && absent.len() < each.len() {
        notes.push(format!("not in the dialect {}", absent.join(" and ")));
    }
    for (name, column) in each {
        notes.extend(column.notes.iter().map(|note| format!("{name}: {note}")));
    }
    notes
}
