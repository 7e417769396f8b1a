//! Seeds are judged by their tests before a job reads them: a key that is there twice would double rows in every table that joins it.

use std::time::Duration;

use anyhow::Result;
use userflow_models::project::{Check, Model, Ref, Rule, Seed, Window};
use userflow_process::exit::WrongSetup;

use super::audit::audit;
use super::subject::Subject;
use super::verdict::{Status, Verdict};
use crate::seeds::{SCHEMA, sql_name, table};
use crate::workspace::Workspace;

/// Judges the seeds that these models and their tests read. A failure is a mistake in a file of the models folder, so no retry helps.
pub async fn judge_seeds(workspace: &Workspace, models: &[&Model]) -> Result<()> {
    let tested = |model: &Model, name: &str| {
        (model.checks.iter()).any(|check| {
            matches!(&check.rule, Rule::Relationships { to: Ref::Seed(seed), .. } if seed == name)
        })
    };
    let read = |model: &&Model, name: &str| {
        let mut refs = model.refs.iter();
        refs.any(|input| matches!(input, Ref::Seed(seed) if seed == name)) || tested(model, name)
    };
    let mut failed = Vec::new();
    for seed in workspace.project.seeds() {
        if !models.iter().any(|model| read(model, &seed.name)) {
            continue;
        }
        let name = sql_name(&seed.name);
        let subject = Subject {
            name: &name,
            layer: SCHEMA,
            yml: Some(&seed.yml),
            checks: &seed.checks,
            quarantine: None,
            margin: Duration::ZERO,
        };
        let any = Window::new(Default::default());
        let verdicts = audit(workspace, &subject, table(seed)?, any, 1).await;
        let verdicts =
            verdicts.map_err(|error| WrongSetup(format!("{}: {error:#}", seed.yml.display())))?;
        for check in &seed.checks {
            let mut of_check = verdicts
                .iter()
                .filter(|verdict| verdict.test == check.label);
            let Some(verdict) = of_check.find(|verdict| verdict.status != Status::Pass) else {
                continue;
            };
            let said = said(seed, check, verdict);
            match verdict.status {
                Status::Block => failed.push(said),
                Status::Warn | Status::Pass => tracing::warn!("{said}"),
            }
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(WrongSetup(failed.join("\n")).into()),
    }
}

fn said(seed: &Seed, check: &Check, verdict: &Verdict) -> String {
    let line = check
        .line
        .map_or_else(String::new, |line| format!(":{line}"));
    format!(
        "{}: {} (the test stands in {}{line}): {}",
        seed.path.display(),
        verdict.brief(),
        seed.yml.display(),
        verdict.sample.join(", ")
    )
}
