//! The definition of a view or a model before it was edited: from a folder that is named, or from git's HEAD. A model without either
//! is compared with what its table holds (`model`).

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use userflow_models::domain::Domain;
use userflow_models::features::{self, FeatureView};
use userflow_models::project::{Model, Project};
use userflow_process::exit::WrongSetup;

/// Where a definition is from that nobody named.
const HEAD: &str = "git HEAD";

/// A definition and where it is from.
pub(super) struct Before<T> {
    pub(super) definition: T,
    pub(super) from: String,
}

/// What is known of a model before it was edited.
pub(super) enum Earlier {
    /// Another definition.
    Other(Box<Before<Model>>),
    /// The same.
    Same,
    /// Nothing: its files are not in git.
    Unknown,
}

/// The earlier definition, if it is another one. It is read with the contract of today, because the events are.
pub(super) fn before(
    domain: &Domain,
    view: &FeatureView,
    folder: Option<&Path>,
) -> Result<Option<Before<FeatureView>>> {
    let file = format!("{}.yml", view.name);
    let (text, from) = match folder {
        Some(folder) => {
            let path = folder.join(&domain.name).join("features").join(&file);
            let text = std::fs::read_to_string(&path)
                .map_err(|error| WrongSetup(format!("--against: {}: {error}", path.display())))?;
            (text, path.display().to_string())
        }
        None => match head(&domain.dir.join("features"), &file) {
            Some(text) => (text, HEAD.to_owned()),
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
    Ok((!same || folder.is_some()).then_some(Before {
        definition: before,
        from,
    }))
}

/// The earlier definition of a model: its two files as they were. What it reads is of today.
pub(super) fn of_model(project: &Project, model: &Model, folder: Option<&Path>) -> Result<Earlier> {
    let [sql, yml] = [&model.path, &model.yml];
    let (texts, from) = match folder {
        Some(folder) => {
            let folder = folder.join(&model.domain).join(&model.layer);
            let read = |path: &Path| {
                let path = folder.join(file_name(path));
                let wrong = |error| WrongSetup(format!("--against: {}: {error}", path.display()));
                std::fs::read_to_string(&path).map_err(wrong)
            };
            let texts = (read(sql)?, read(yml)?);
            (texts, folder.join(file_name(sql)).display().to_string())
        }
        None => {
            let folder = sql.parent().unwrap_or(Path::new("."));
            let head = |path: &Path| head(folder, &file_name(path));
            match head(sql).zip(head(yml)) {
                Some(texts) => (texts, HEAD.to_owned()),
                None => return Ok(Earlier::Unknown),
            }
        }
    };
    let read = project.with_texts(model, texts.0, &texts.1);
    let before = read.map_err(|error| {
        WrongSetup(format!(
            "the definition of {from} does not fit the files of today: {error}"
        ))
    })?;
    let same = before.fingerprint == model.fingerprint;
    Ok(match same && folder.is_none() {
        true => Earlier::Same,
        false => Earlier::Other(Box::new(Before {
            definition: before,
            from,
        })),
    })
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
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
