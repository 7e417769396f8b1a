//! A domain: one folder below `models/`, found by its name.

mod entities;

use std::path::{Path, PathBuf};

use crate::contract::Contract;
use crate::error::ConfigError;
pub(crate) use entities::Entity;

/// The file that makes a folder a domain.
const CONTRACT: &str = "contract.json";

/// One domain with its contract.
#[derive(Debug, Clone)]
pub struct Domain {
    /// The domain's name, also the name of its folder.
    pub name: String,
    /// The folder with the contract, the SQL models and the seeds.
    pub dir: PathBuf,
    /// What an event of the domain is.
    pub contract: Contract,
}

impl Domain {
    /// Loads the domain `name` of the folder `models`.
    pub fn load(models: &Path, name: &str) -> Result<Self, ConfigError> {
        let known = known(models)?;
        if !known.iter().any(|known| known == name) {
            return Err(ConfigError::UnknownDomain {
                name: name.to_owned(),
                dir: models.to_owned(),
                known,
            });
        }
        let dir = models.join(name);
        let file = dir.join(CONTRACT);
        let contract = Contract::load(&file)?;
        let contract = contract.with_keys(entities::columns(&dir).iter().map(String::as_str));
        if contract.domain() != name {
            let found = contract.domain();
            return Err(ConfigError::Contract {
                file,
                pointer: "/x-domain".to_owned(),
                message: format!(
                    "the contract is of `{found}`, but its folder is `{name}`: make them one name"
                ),
            });
        }
        Ok(Self {
            name: name.to_owned(),
            dir,
            contract,
        })
    }
}

/// The domains of the folder `models`, by name.
pub fn known(models: &Path) -> Result<Vec<String>, ConfigError> {
    let unreadable = |source| ConfigError::NoModels {
        dir: models.to_owned(),
        source,
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(models).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if entry.path().join(CONTRACT).is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}
