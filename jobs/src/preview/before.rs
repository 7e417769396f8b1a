//! The definition of a view before it was edited: from a folder that is named, or from git's HEAD.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use userflow_models::domain::Domain;
use userflow_models::features::{self, FeatureView};
use userflow_process::exit::WrongSetup;

/// A definition and where it is from.
pub(super) struct Before {
    pub(super) view: FeatureView,
    pub(super) from: String,
}

/// The earlier definition, if it is another one. It is read with the contract of today, because the events are.
pub(super) fn before(
    domain: &Domain,
    view: &FeatureView,
    folder: Option<&Path>,
) -> Result<Option<Before>> {
    let file = format!("{}.yml", view.name);
    let (text, from) = match folder {
        Some(folder) => {
            let path = folder.join(&domain.name).join("features").join(&file);
            let text = std::fs::read_to_string(&path)
                .map_err(|error| WrongSetup(format!("--against: {}: {error}", path.display())))?;
            (text, path.display().to_string())
        }
        None => match head(&domain.dir.join("features"), &file) {
            Some(text) => (text, "git HEAD".to_owned()),
            None => return Ok(None),
        },
    };
    let dimensions = features::dimensions(domain)?;
    let read = features::parse_with(&text, &domain.contract, &dimensions);
    let before = read.map_err(|error| {
        WrongSetup(format!(
            "the definition of {from} does not fit the contract of today: {error}"
        ))
    })?;
    let same = before.fingerprint == view.fingerprint;
    Ok((!same || folder.is_some()).then_some(Before { view: before, from }))
}

/// The file as git's HEAD has it; none: no git, no repository, no such file there.
fn head(dir: &Path, file: &str) -> Option<String> {
    let mut git = Command::new("git");
    git.arg("-C")
        .arg(dir)
        .args(["show", &format!("HEAD:./{file}")]);
    let shown = git.output().ok().filter(|shown| shown.status.success())?;
    String::from_utf8(shown.stdout).ok()
}
