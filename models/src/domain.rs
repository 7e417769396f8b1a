//! A domain: one folder below `models/`, found by its name.

use std::path::{Path, PathBuf};

use crate::contract::{Contract, ContractError};
use crate::features;

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

/// A domain that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DomainError {
    /// There is no folder of models.
    #[error("cannot read the models folder {}: {source}; point --models to the folder that holds the domains", dir.display())]
    Models {
        /// The folder asked for.
        dir: PathBuf,
        /// Why it cannot be read.
        source: std::io::Error,
    },
    /// No such domain.
    #[error("unknown domain `{name}`: {} has {}", dir.display(), list(known))]
    Unknown {
        /// The domain asked for.
        name: String,
        /// The folder of models.
        dir: PathBuf,
        /// The domains that are there.
        known: Vec<String>,
    },
    /// The contract belongs to another domain.
    #[error("{} at /x-domain: the contract is of `{found}`, but its folder is `{name}`: make them one name", file.display())]
    Misnamed {
        /// The contract.
        file: PathBuf,
        /// The folder's name.
        name: String,
        /// The contract's name.
        found: String,
    },
    /// The contract cannot be used.
    #[error(transparent)]
    Contract(#[from] ContractError),
}

impl Domain {
    /// Loads the domain `name` of the folder `models`.
    pub fn load(models: &Path, name: &str) -> Result<Self, DomainError> {
        let known = known(models)?;
        if !known.iter().any(|known| known == name) {
            return Err(DomainError::Unknown {
                name: name.to_owned(),
                dir: models.to_owned(),
                known,
            });
        }
        let dir = models.join(name);
        let file = dir.join(CONTRACT);
        let contract = Contract::load(&file)?;
        let entities = features::entity_columns(&dir);
        let contract = contract.with_keys(entities.iter().map(String::as_str));
        if contract.domain() != name {
            let found = contract.domain().to_owned();
            return Err(DomainError::Misnamed {
                file,
                name: name.to_owned(),
                found,
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
pub fn known(models: &Path) -> Result<Vec<String>, DomainError> {
    let unreadable = |source| DomainError::Models {
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

fn list(known: &[String]) -> String {
    match known {
        [] => "no domains (a domain is a folder with a contract.json)".to_owned(),
        names => names.join(", "),
    }
}
