//! The SQL of one run.

use std::collections::HashMap;
use std::path::Path;

use minijinja::value::{Kwargs, Rest, Value};

use super::environment::{add_ref, add_var, environment, evaluate};
use super::vars::Vars;
use crate::error::Problem;
use crate::project::names::{Names, Ref};

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
