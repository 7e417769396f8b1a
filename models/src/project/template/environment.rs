//! The environment in which a template is evaluated: `var`, `ref`, `source`, and nothing that minijinja brings along.

use std::path::Path;
use std::sync::Arc;

use minijinja::value::Rest;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};

use super::vars::{NAMES, Vars};
use crate::error::Problem;
use crate::project::names::{Names, Ref};

pub(super) fn environment() -> Environment<'static> {
    let mut env = Environment::empty();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| AutoEscape::None);
    env.set_keep_trailing_newline(true);
    env.set_debug(false);
    env
}

pub(super) fn add_var(env: &mut Environment<'_>, vars: Vars) {
    env.add_function("var", move |names: Rest<String>| match names.as_slice() {
        [name] => vars
            .text(name)
            .ok_or_else(|| refuse(format!("var('{name}') is unknown: there are {NAMES}"))),
        _ => Err(refuse("var takes one name, such as var('window_start')")),
    });
}

pub(super) fn add_ref(
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

pub(super) fn refuse(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

pub(super) fn evaluate(env: &Environment<'_>, path: &Path, sql: &str) -> Result<String, Problem> {
    env.render_str(sql, ()).map_err(|error| {
        let message = error
            .detail()
            .map_or_else(|| error.kind().to_string(), str::to_owned);
        Problem::new(path, error.line(), message)
    })
}
