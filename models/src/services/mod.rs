//! What can be read online, and what is read together: the views that have rows in the schema `online`, and **feature services**, the files
//! `models/<domain>/services/*.yml`.
//!
//! * `view`: a view as whoever reads it sees it: key, features and their types, how old a row may be, how it stands in Redis.
//! * `service`: what a feature service is. `read`: its file, checked against those views.
//! * here: all domains together, because names are of one schema and one server.
//!
//! Not here: what a value is (`features`), a connection to a store or an answer to a client (the crate `serving`).

mod read;
mod service;
mod view;

use std::path::Path;

use crate::domain::{Domain, known};
use crate::error::{ConfigError, Problem};
pub use service::{FeatureRef, FeatureService};
pub use view::{Key, KeyType, Served, ServedView};

/// The folder of a domain's services.
pub(crate) const FOLDER: &str = "services";

/// All that can be read, of all domains.
#[derive(Clone, Debug, Default)]
pub struct Readable {
    /// By domain, then by name.
    pub views: Vec<ServedView>,
    /// By domain, then by name.
    pub services: Vec<FeatureService>,
}

/// Reads the views and services of every domain of the folder `models`.
pub fn all(models: &Path) -> Result<Readable, ConfigError> {
    let mut all = Readable::default();
    for name in known(models)? {
        let domain = Domain::load(models, &name)?;
        let views = view::of_domain(&domain)?;
        all.services.extend(of_domain(&domain, &views)?);
        all.views.extend(views);
    }
    Ok(all)
}

/// The services of a domain, by name. A domain without the folder has none.
pub fn load(domain: &Domain) -> Result<Vec<FeatureService>, ConfigError> {
    of_domain(domain, &view::of_domain(domain)?)
}

fn of_domain(domain: &Domain, views: &[ServedView]) -> Result<Vec<FeatureService>, ConfigError> {
    let dir = domain.dir.join(FOLDER);
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let files = crate::project::files(&dir, "yml")?;
    let (mut services, mut problems) = (Vec::new(), Vec::new());
    for file in files {
        let text = crate::project::read_file(&file);
        let read = text.and_then(|text| read::service(&file, &text, &domain.name, views));
        match read.and_then(|service| alone(domain, &file, service)) {
            Ok(service) => services.push(service),
            Err(problem) => problems.push(problem),
        }
    }
    match problems.is_empty() {
        true => Ok(services),
        false => Err(ConfigError::Project(problems)),
    }
}

/// No other domain has a service of this name: clients ask by name.
fn alone(domain: &Domain, file: &Path, service: FeatureService) -> Result<FeatureService, Problem> {
    let models = domain.dir.parent().unwrap_or(Path::new("."));
    let others = known(models).unwrap_or_default().into_iter();
    let name = &service.name;
    let there = |other: &String| {
        let other = models.join(other).join(FOLDER).join(format!("{name}.yml"));
        other.is_file()
    };
    let other = (others.filter(|other| *other != domain.name)).find(there);
    match other {
        None => Ok(service),
        Some(other) => {
            let message = format!(
                "there is a feature_service `{name}` in {other} as well, and clients ask by name: rename one, for instance to `{}_{name}`",
                domain.name
            );
            Err(Problem::new(file, Some(1), message))
        }
    }
}
