//! The tables that were asked for.

use anyhow::Result;
use userflow_models::project::{Model, Source, glob};
use userflow_process::exit::WrongSetup;

use super::args::CheckArgs;
use crate::quality::Subject;
use crate::workspace::Workspace;

/// The tables asked for, sources before models, models in dependency order.
pub(super) fn subjects<'a>(workspace: &'a Workspace, args: &CheckArgs) -> Result<Vec<Subject<'a>>> {
    let project = &workspace.project;
    let wanted = |domain: &str| args.domain.as_ref().is_none_or(|only| only == domain);
    let all = (project.declared_sources().iter())
        .filter(|source: &&Source| wanted(&source.domain))
        .map(Subject::from)
        .chain(
            (project.models().iter())
                .filter(|model: &&Model| wanted(&model.domain))
                .map(Subject::from),
        );
    let all: Vec<Subject<'_>> = all.collect();
    if args.tables.is_empty() {
        return Ok(all);
    }
    let mut chosen = vec![false; all.len()];
    for pattern in &args.tables {
        let matches = |subject: &Subject<'_>| glob(pattern, subject.name);
        if !all.iter().any(matches) {
            let names: Vec<&str> = all.iter().map(|subject| subject.name).collect();
            let message = format!(
                "no table matches `{pattern}`; there are {}",
                names.join(", ")
            );
            return Err(WrongSetup(message).into());
        }
        for (chosen, subject) in chosen.iter_mut().zip(&all) {
            *chosen |= matches(subject);
        }
    }
    let chosen = all.into_iter().zip(chosen);
    Ok(chosen
        .filter_map(|(subject, chosen)| chosen.then_some(subject))
        .collect())
}
