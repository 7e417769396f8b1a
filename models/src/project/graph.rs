//! The graph of the models: an order in which each comes after what it reads, and the selection of a part of it by name.
//!
//! Both depend on names only, never on the order in which the file system lists files.

use super::model::Model;
use super::names::{Names, Ref, close};
use crate::error::{ConfigError, Problem};
use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

/// Puts models in dependency order, alphabetical among those that are free.
pub(crate) fn order(models: Vec<Model>) -> Result<Vec<Model>, Vec<Problem>> {
    let mut waiting: BTreeMap<String, Model> = models
        .into_iter()
        .map(|model| (model.name.clone(), model))
        .collect();
    let mut ordered: Vec<Model> = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let free = waiting
            .values()
            .find(|model| model.parents().all(|parent| !waiting.contains_key(parent)));
        let Some(name) = free.map(|model| model.name.clone()) else {
            return Err(vec![cycle(&waiting)]);
        };
        ordered.extend(waiting.remove(&name));
    }
    Ok(ordered)
}

/// Describes one cycle among models of which each waits for another.
fn cycle(waiting: &BTreeMap<String, Model>) -> Problem {
    let mut path: Vec<&Model> = Vec::new();
    let mut next = waiting.values().next();
    while let Some(model) = next {
        if let Some(start) = path.iter().position(|seen| seen.name == model.name) {
            path.drain(..start);
            break;
        }
        path.push(model);
        next = model.parents().find_map(|parent| waiting.get(parent));
    }
    let first = path
        .first()
        .map_or_else(Default::default, |model| model.name.clone());
    let names = path
        .iter()
        .map(|model| model.name.as_str())
        .chain([first.as_str()])
        .collect::<Vec<_>>()
        .join(" -> ");
    let message = format!("models read each other in a circle: {names}; remove one of these refs");
    match path.first() {
        Some(model) => {
            let parent = path.get(1).unwrap_or(model);
            let line = model
                .sql
                .lines()
                .position(|line| line.contains("ref(") && line.contains(&parent.table));
            Problem::new(&model.path, line.map(|at| at + 1), message)
        }
        None => Problem::new(std::path::Path::new("models"), None, message),
    }
}

/// The models that the selectors name, in the order of `models`, each once.
pub(crate) fn select<'a>(
    models: &'a [Model],
    names: &Names,
    selectors: &[&str],
) -> Result<Vec<&'a Model>, ConfigError> {
    let mut chosen = HashSet::new();
    for selector in selectors {
        let (up, rest) = selector
            .strip_prefix('+')
            .map_or((false, *selector), |rest| (true, rest));
        let (down, pattern) = rest
            .strip_suffix('+')
            .map_or((false, rest), |rest| (true, rest));
        let matched: Vec<&Model> = models
            .iter()
            .filter(|model| glob(pattern, &model.name))
            .collect();
        if matched.is_empty() {
            return Err(unknown(models, names, selector, pattern));
        }
        for model in matched {
            chosen.insert(model.name.as_str());
            if up {
                chosen.extend(walk(model, |from| parents(models, from)));
            }
            if down {
                chosen.extend(walk(model, |from| {
                    models
                        .iter()
                        .filter(|model| model.parents().any(|parent| parent == from.name))
                        .collect()
                }));
            }
        }
    }
    Ok(models
        .iter()
        .filter(|model| chosen.contains(model.name.as_str()))
        .collect())
}

fn parents<'a>(models: &'a [Model], of: &Model) -> Vec<&'a Model> {
    models
        .iter()
        .filter(|model| of.parents().any(|parent| parent == model.name))
        .collect()
}

fn walk<'a>(from: &'a Model, next: impl Fn(&Model) -> Vec<&'a Model>) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut queue = VecDeque::from([from]);
    while let Some(model) = queue.pop_front() {
        queue.extend(
            next(model)
                .into_iter()
                .filter(|model| found.insert(model.name.as_str())),
        );
    }
    found
}

pub(crate) fn unknown(
    models: &[Model],
    names: &Names,
    selector: &str,
    pattern: &str,
) -> ConfigError {
    let close = if names.sources.contains(pattern) {
        let readers = models
            .iter()
            .filter(|model| model.refs.contains(&Ref::Source(pattern.to_owned())));
        readers.map(|model| model.name.clone()).collect()
    } else {
        close(pattern, models.iter().map(|model| model.name.as_str()))
    };
    ConfigError::UnknownModel {
        selector: selector.to_owned(),
        close,
    }
}

/// Whether `name` has the form `pattern`, in which `*` stands for any text and `?` for one character. What is no pattern matches nothing.
pub fn glob(pattern: &str, name: &str) -> bool {
    glob::Pattern::new(pattern).is_ok_and(|pattern| pattern.matches(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_names() {
        for (pattern, name, matches) in [
            ("gold.a", "gold.a", true),
            ("gold.a", "gold.ab", false),
            ("gold.*", "gold.ab", true),
            ("*", "gold.ab", true),
            ("*_daily", "gold.user_daily", true),
            ("*_daily", "gold.user_daily_x", false),
            ("g*d.*_d*y", "gold.user_daily", true),
            ("gold.?", "gold.a", true),
            ("gold.?", "gold.", false),
            ("", "gold.a", false),
            ("**", "", true),
        ] {
            assert_eq!(glob(pattern, name), matches, "{pattern} {name}");
        }
    }
}
