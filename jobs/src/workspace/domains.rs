//! The domains of the models folder. Each is read when it is first asked for and then kept, so that a job about one domain does not
//! depend on the contracts of the others.

use std::path::PathBuf;
use std::sync::OnceLock;

use userflow_models::ConfigError;
use userflow_models::domain::{self, Domain};

/// Every domain, by name.
pub struct Domains {
    folder: PathBuf,
    read: Vec<(String, OnceLock<Domain>)>,
}

impl Domains {
    /// Looks which domains there are.
    pub fn open(folder: PathBuf) -> Result<Self, ConfigError> {
        let names = domain::known(&folder)?.into_iter();
        Ok(Self {
            read: names.map(|name| (name, OnceLock::new())).collect(),
            folder,
        })
    }

    /// Their names.
    pub fn names(&self) -> Vec<&str> {
        self.read.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// The domain of this name.
    pub fn one(&self, name: &str) -> Result<&Domain, ConfigError> {
        let found = self.read.iter().find(|(known, _)| known == name);
        let Some((name, slot)) = found else {
            let known = self.read.iter().map(|(known, _)| known.clone());
            return Err(ConfigError::UnknownDomain {
                name: name.to_owned(),
                dir: self.folder.clone(),
                known: known.collect(),
            });
        };
        if let Some(domain) = slot.get() {
            return Ok(domain);
        }
        let domain = Domain::load(&self.folder, name)?;
        Ok(slot.get_or_init(|| domain))
    }

    /// The domain asked for, or all.
    pub fn chosen(&self, only: Option<&str>) -> Result<Vec<&Domain>, ConfigError> {
        match only {
            Some(name) => Ok(vec![self.one(name)?]),
            None => self.read.iter().map(|(name, _)| self.one(name)).collect(),
        }
    }
}
