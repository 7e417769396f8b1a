//! `allOf` with `if` and `then`: what a message must have, or what a column is filled with, when it contains something.

use super::column::Column;
use super::condition::Condition;
use super::keyword::known_keywords;
use super::place::Place;
use super::pointer::pointer_of;
use super::presence::column_at;
use super::tree::Tree;
use crate::error::ConfigError;

/// What holds of a message that satisfies a condition.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) when: Condition,
    /// Places that must have a value, with their columns.
    pub(crate) needs: Vec<(Vec<String>, usize)>,
    /// Columns that are given a text if they have no value.
    pub(crate) sets: Vec<(usize, String)>,
}

/// Reads the rules among the groups of `allOf`.
pub(super) fn rules(
    schema: &Tree,
    place: &Place<'_>,
    columns: &mut [Column],
    always: &dyn Fn(&[String]) -> bool,
) -> Result<Vec<Rule>, ConfigError> {
    let Some(groups) = schema.get("allOf") else {
        return Ok(Vec::new());
    };
    let place = place.key("allOf");
    let mut rules = Vec::new();
    for (index, group) in groups.list(&place)?.iter().enumerate() {
        let place = place.index(index);
        let Some(condition) = group.get("if") else {
            continue; // a group of `anyOf`: see `presence`
        };
        known_keywords(group.object(&place)?, &["if", "then"], &place)?;
        let when = Condition::parse(condition, &place.key("if"), always)?;
        let Some(then) = group.get("then") else {
            return Err(place.error("missing `then`: say what the message must have"));
        };
        let mut rule = Rule {
            when,
            needs: Vec::new(),
            sets: Vec::new(),
        };
        let place = place.key("then");
        known_keywords(
            then.object(&place)?,
            &["required", "properties", "x-set"],
            &place,
        )?;
        needs(then, &[], &place, columns, &mut rule.needs)?;
        if let Some(sets) = then.get("x-set") {
            let place = place.key("x-set");
            for (name, text) in sets.object(&place)? {
                let place = place.key(name);
                let column = super::presence::column_named(name, columns, &place)?;
                if columns[column].column_type != super::ColumnType::String {
                    return Err(place.error("only a column of type string can be given a text"));
                }
                rule.sets.push((column, text.text(&place)?.to_owned()));
            }
        }
        let types = rule.when.texts().join(", ");
        for (_, column) in &rule.needs {
            columns[*column].notes.push(match types.as_str() {
                "" => "required in some messages".to_owned(),
                types => format!("required for {types}"),
            });
        }
        for (column, text) in &rule.sets {
            columns[*column]
                .notes
                .push(format!("{text} where the message does not say it"));
        }
        rules.push(rule);
    }
    Ok(rules)
}

/// The places that `required` names, at any depth. Null counts as absent, so the types of a `then` exclude it.
fn needs(
    then: &Tree,
    path: &[String],
    place: &Place<'_>,
    columns: &[Column],
    out: &mut Vec<(Vec<String>, usize)>,
) -> Result<(), ConfigError> {
    let required = match then.get("required") {
        Some(names) => names.texts(&place.key("required"))?,
        None => Vec::new(),
    };
    let properties = match then.get("properties") {
        Some(properties) => properties.object(&place.key("properties"))?,
        None => &[],
    };
    if let Some((name, _)) = properties.iter().find(|(name, _)| !required.contains(name)) {
        return Err(place.key("properties").key(name).error(format!(
            "`{name}` is not in the `required` beside it: a `then` only says what must be there"
        )));
    }
    for (index, name) in required.iter().enumerate() {
        let below = [path, &[name.to_owned()]].concat();
        let narrowed = properties.iter().find(|(property, _)| property == name);
        if let Some((_, inner)) = narrowed.filter(|(_, inner)| inner.get("required").is_some()) {
            let place = place.key("properties").key(name);
            known_keywords(
                inner.object(&place)?,
                &["type", "required", "properties"],
                &place,
            )?;
            if inner.get("type") != Some(&Tree::Text("object".to_owned())) {
                return Err(place.error("has `required` and so needs `\"type\": \"object\"`"));
            }
            needs(inner, &below, &place, columns, out)?;
            continue;
        }
        let required_place = place.key("required").index(index);
        let column = column_at(&below, columns, &required_place)?;
        let source = columns[column]
            .sources
            .iter()
            .find(|source| source.path == below);
        let accepts = source.map(|source| source.accepts).unwrap_or_default();
        let place = place.key("properties").key(name);
        match narrowed {
            None if accepts.null => {
                return Err(required_place.error(format!(
                    "{} may be null, which counts as absent: add its type without null under `properties` of this `then`",
                    pointer_of(&below)
                )));
            }
            None => {}
            Some((_, inner)) => {
                known_keywords(inner.object(&place)?, &["type"], &place)?;
                let mut narrow = columns[column].column_type.accepts_of(inner, &place)?;
                if narrow.null {
                    return Err(place
                        .key("type")
                        .error("remove null, which counts as absent"));
                }
                narrow.null = accepts.null;
                if narrow != accepts {
                    return Err(place
                        .key("type")
                        .error("must be the types of the property, without null"));
                }
            }
        }
        out.push((below, column));
    }
    Ok(())
}
