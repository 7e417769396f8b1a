//! Evaluating a template once, to learn what it says about itself.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::DateTime;
use minijinja::value::{Kwargs, Rest, Value};

use super::calls::calls;
use super::environment::{add_ref, add_var, environment, evaluate, refuse};
use super::vars::Vars;
use crate::error::Problem;
use crate::project::names::{Names, Ref};

/// What a template says about itself, learnt by evaluating it once.
pub(crate) struct Facts {
    /// What it reads, in order of first mention.
    pub(crate) refs: Vec<Ref>,
    /// The arguments of `config(...)` and its line.
    pub(crate) config: Option<(serde_json::Value, usize)>,
}

#[derive(Default)]
struct Seen {
    refs: Vec<Ref>,
    config: Option<serde_json::Value>,
}

/// Evaluates the template with no values, only to learn what it refers to.
pub(crate) fn inspect(path: &Path, sql: &str, names: &Names) -> Result<Facts, Problem> {
    let calls = calls(path, sql)?;
    let seen = Arc::new(Mutex::new(Seen::default()));
    let mut env = environment();
    let vars = Vars {
        window_start: DateTime::UNIX_EPOCH,
        window_end: DateTime::UNIX_EPOCH,
        as_of: DateTime::UNIX_EPOCH,
        margin: Duration::ZERO,
    };
    add_var(&mut env, vars);
    {
        let (names, seen) = (names.clone(), Arc::clone(&seen));
        add_ref(&mut env, names, move |found| {
            let refs = &mut seen.lock().unwrap_or_else(PoisonError::into_inner).refs;
            if !refs.contains(found) {
                refs.push(found.clone());
            }
            found.name().to_owned()
        });
    }
    {
        let seen = Arc::clone(&seen);
        env.add_function("config", move |positional: Rest<Value>, kwargs: Kwargs| {
            if !positional.is_empty() {
                return Err(refuse(
                    "config(...) takes named arguments only, such as config(materialized='table')",
                ));
            }
            let mut config = serde_json::Map::new();
            for key in kwargs.args() {
                let value: Value = kwargs.get(key)?;
                let value = serde_json::to_value(&value)
                    .map_err(|error| refuse(format!("config {key} cannot be read: {error}")))?;
                config.insert(key.to_owned(), value);
            }
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.config.replace(config.into()).is_some() {
                return Err(refuse("config(...) is called twice: keep one"));
            }
            Ok("")
        });
    }
    evaluate(&env, path, sql)?;
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let line = calls
        .iter()
        .find(|call| call.function == "config")
        .map_or(1, |call| call.line);
    Ok(Facts {
        refs: std::mem::take(&mut seen.refs),
        config: seen.config.take().map(|config| (config, line)),
    })
}
