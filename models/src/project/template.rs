//! The four things that may be templated in a model: `config`, `ref`, `source` and `var`.
//!
//! dbt would run any Jinja; we refuse the rest, so that a model stays plain SQL that two engines read the same way and so that the
//! graph is known without running anything. Expressions are evaluated by minijinja with an empty environment: no filters, no tests,
//! no other functions. `{% %}` and `{# #}` are refused before it sees them.

use super::error::Problem;
use super::names::{Names, Ref};
use chrono::{DateTime, Utc};
use minijinja::value::{Kwargs, Rest, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The values of a run that a model may ask for with `var('...')`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vars {
    /// Start of the window.
    pub window_start: DateTime<Utc>,
    /// End of the window, not part of it.
    pub window_end: DateTime<Utc>,
    /// The time at which open questions are judged.
    pub as_of: DateTime<Utc>,
    /// What the model reads on both sides of the window.
    pub margin: Duration,
}

/// The names in [`Vars`].
const NAMES: &str = "window_start, window_end, as_of and margin_seconds";

impl Vars {
    fn text(&self, name: &str) -> Option<String> {
        let time = match name {
            "window_start" => self.window_start,
            "window_end" => self.window_end,
            "as_of" => self.as_of,
            "margin_seconds" => return Some(self.margin.as_secs().to_string()),
            _ => return None,
        };
        Some(time.format("%Y-%m-%d %H:%M:%S").to_string())
    }
}

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

/// The SQL of one run: every ref replaced by what `resolver` calls it, every var by its value.
pub(crate) fn render(
    path: &Path,
    sql: &str,
    names: &Names,
    refs: &[Ref],
    vars: &Vars,
    resolver: &dyn Fn(&Ref) -> String,
) -> Result<String, Problem> {
    let mut env = environment();
    let resolved: HashMap<Ref, String> = refs
        .iter()
        .map(|found| (found.clone(), resolver(found)))
        .collect();
    add_var(&mut env, *vars);
    add_ref(&mut env, names.clone(), move |found| {
        resolved
            .get(found)
            .cloned()
            .unwrap_or_else(|| found.name().to_owned())
    });
    env.add_function("config", |_: Rest<Value>, _: Kwargs| "");
    evaluate(&env, path, sql)
}

fn environment() -> Environment<'static> {
    let mut env = Environment::empty();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| AutoEscape::None);
    env.set_keep_trailing_newline(true);
    env.set_debug(false);
    env
}

fn add_var(env: &mut Environment<'_>, vars: Vars) {
    env.add_function("var", move |names: Rest<String>| match names.as_slice() {
        [name] => vars
            .text(name)
            .ok_or_else(|| refuse(format!("var('{name}') is unknown: there are {NAMES}"))),
        _ => Err(refuse("var takes one name, such as var('window_start')")),
    });
}

fn add_ref(
    env: &mut Environment<'_>,
    names: Names,
    found: impl Fn(&Ref) -> String + Send + Sync + 'static,
) {
    let found = Arc::new(found);
    let (for_source, known) = (Arc::clone(&found), names.clone());
    env.add_function("ref", move |arguments: Rest<String>| {
        match arguments.as_slice() {
            [name] => known
                .resolve(name)
                .map(|target| found(&target))
                .map_err(refuse),
            _ => Err(refuse("ref takes one name, such as ref('my_table')")),
        }
    });
    env.add_function("source", move |arguments: Rest<String>| {
        match arguments.as_slice() {
            [schema, table] => names
                .source(schema, table)
                .map(|target| for_source(&target))
                .map_err(refuse),
            _ => Err(refuse(
                "source takes a schema and a table, such as source('bronze', '<table>')",
            )),
        }
    });
}

fn refuse(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

fn evaluate(env: &Environment<'_>, path: &Path, sql: &str) -> Result<String, Problem> {
    env.render_str(sql, ()).map_err(|error| {
        let message = error
            .detail()
            .map_or_else(|| error.kind().to_string(), str::to_owned);
        Problem::new(path, error.line(), message)
    })
}

/// One `{{ function(...) }}` of a template.
#[derive(Debug, PartialEq, Eq)]
struct Call<'a> {
    function: &'a str,
    line: usize,
}

const ALLOWED: &str = "only {{ config(...) }}, {{ ref('...') }}, {{ source('...', '...') }} and {{ var('...') }} may be templated";

/// Checks that nothing but whole calls of the four functions is templated.
fn calls<'a>(path: &Path, sql: &'a str) -> Result<Vec<Call<'a>>, Problem> {
    let mut calls = Vec::new();
    let mut at = 0;
    while let Some(open) = sql[at..].find('{').map(|found| at + found) {
        let line = sql[..open].bytes().filter(|byte| *byte == b'\n').count() + 1;
        let rest = &sql[open..];
        if rest.starts_with("{%") || rest.starts_with("{#") {
            return Err(Problem::new(
                path,
                Some(line),
                format!("`{}` is not allowed: {ALLOWED}", &rest[..2]),
            ));
        }
        if !rest.starts_with("{{") {
            at = open + 1;
            continue;
        }
        let (function, length) = call(rest).ok_or_else(|| {
            let shown: String = rest
                .lines()
                .next()
                .unwrap_or(rest)
                .chars()
                .take(60)
                .collect();
            Problem::new(
                path,
                Some(line),
                format!("`{shown}` is not allowed: {ALLOWED}"),
            )
        })?;
        calls.push(Call { function, line });
        at = open + length;
    }
    Ok(calls)
}

/// Reads one `{{ function(...) }}` at the start of `text`: its function and its length.
fn call(text: &str) -> Option<(&str, usize)> {
    let inside = text.strip_prefix("{{")?;
    let inside = inside.strip_prefix('-').unwrap_or(inside).trim_start();
    let name = inside
        .split(|next: char| !next.is_ascii_alphanumeric() && next != '_')
        .next()?;
    if !["config", "ref", "source", "var"].contains(&name) {
        return None;
    }
    let arguments = inside[name.len()..].trim_start();
    let end = balanced(arguments)?;
    let rest = arguments[end..].trim_start();
    let rest = rest.strip_prefix('-').unwrap_or(rest).strip_prefix("}}")?;
    Some((name, text.len() - rest.len()))
}

/// The length of the parenthesised text at the start; brackets inside quotes do not count.
fn balanced(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut escaped = false;
    for (at, next) in text.char_indices() {
        if at == 0 && next != '(' {
            return None;
        }
        match (quote, next) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), _) if open == next => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(next),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.checked_sub(1)?,
            (None, _) => {}
        }
        if depth == 0 {
            return Some(at + next.len_utf8());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    fn names() -> Names {
        Names {
            models: [("sessions".to_owned(), "silver.sessions".to_owned())].into(),
            seeds: ["dimension".to_owned()].into(),
            sources: ["bronze.demo_events".to_owned()].into(),
        }
    }

    fn facts(sql: &str) -> Result<Facts, Problem> {
        inspect(Path::new("x.sql"), sql, &names())
    }

    #[test]
    fn a_template_is_learnt_without_rendering_it() {
        let sql = "{{ config(materialized='table', meta={'margin': '2h', 'deep': {'x': 1}}) }}\n\
                   select * from {{ source('bronze', 'demo_events') }} join {{ref(\"dimension\")}}\n\
                   join {{ ref('dimension') }} where t >= '{{- var('window_start') -}}'";
        let facts = facts(sql).unwrap();
        assert_eq!(
            facts.refs,
            [
                Ref::Source("bronze.demo_events".to_owned()),
                Ref::Seed("dimension".to_owned())
            ]
        );
        let (config, line) = facts.config.unwrap();
        assert_eq!(line, 1);
        assert_eq!(
            config,
            serde_json::json!({"materialized": "table", "meta": {"margin": "2h", "deep": {"x": 1}}})
        );
    }

    #[test]
    fn rendering_keeps_lines_and_fills_refs_and_vars() {
        let sql = "{{ config(materialized='table') }}\n\nselect '{x}' from {{ ref('sessions') }}\nwhere t < timestamp '{{ var('as_of') }}' + interval '{{ var('margin_seconds') }}' second\n";
        let at = |day, hour| Utc.with_ymd_and_hms(2026, 11, day, hour, 0, 0).unwrap();
        let vars = Vars {
            window_start: at(1, 0),
            window_end: at(2, 0),
            as_of: at(2, 2),
            margin: Duration::from_secs(7200),
        };
        let refs = [Ref::Model("silver.sessions".to_owned())];
        let text = render(Path::new("x.sql"), sql, &names(), &refs, &vars, &|found| {
            format!("lake.{found}")
        })
        .unwrap();
        assert_eq!(
            text,
            "\n\nselect '{x}' from lake.silver.sessions\nwhere t < timestamp '2026-11-02 02:00:00' + interval '7200' second\n"
        );
    }

    #[test]
    fn anything_else_is_refused_with_its_line() {
        for (body, words) in [
            ("{% if true %}x{% endif %}", "`{%` is not allowed"),
            ("{# a comment #}", "`{#` is not allowed"),
            ("{{ var('as_of') | upper }}", "is not allowed"),
            ("{{ ref('sessions') ~ 'x' }}", "is not allowed"),
            ("{{ env_var('HOME') }}", "is not allowed"),
            ("{{ this }}", "is not allowed"),
            ("{{ 1 + 1 }}", "is not allowed"),
            ("{{ ref('sessions' }}", "is not allowed"),
            ("{{ ref('sessions'", "is not allowed"),
            ("{{ ref(upper('sessions')) }}", "upper"),
            ("{{ ref('sessions'|upper) }}", "upper"),
            ("{{ var('today') }}", NAMES),
            ("{{ var('as_of', 'x') }}", "one name"),
            ("{{ ref('session') }}", "close to it: sessions"),
            ("{{ ref('a', 'b') }}", "one name"),
            ("{{ source('bronze', 'events') }}", "bronze.demo_events"),
            ("{{ source('demo_events') }}", "a schema and a table"),
            ("{{ config('table') }}", "named arguments"),
            ("{{ config(x=1) }}{{ config(x=1) }}", "twice"),
        ] {
            let problem = facts(&format!("select 1,\n\n{body}")).err().unwrap();
            assert!(problem.message.contains(words), "{body}: {problem}");
            assert_eq!(problem.line, Some(3), "{body}: {problem}");
        }
    }
}
