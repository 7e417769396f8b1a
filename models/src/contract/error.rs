//! What can be wrong with a contract file. One error says one thing: the place and the fix.

use std::path::{Path, PathBuf};

/// A contract that cannot be used. The message names the file, the place in it and what to change.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// The file cannot be read at all.
    #[error("cannot read contract {}: {source}", file.display())]
    Read {
        /// The file asked for.
        file: PathBuf,
        /// Why reading it failed.
        source: std::io::Error,
    },
    /// The file is not JSON, or repeats a key.
    #[error("{}:{line}:{column}: {message}", file.display())]
    Syntax {
        /// The contract's file.
        file: PathBuf,
        /// Line of the fault, from 1.
        line: usize,
        /// Column of the fault, from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// The file is JSON, but says something that the decoder cannot do or that contradicts itself.
    #[error("{} at {pointer}: {message}", file.display())]
    Meaning {
        /// The contract's file.
        file: PathBuf,
        /// JSON pointer to the offending value.
        pointer: String,
        /// What is wrong there and how to put it right.
        message: String,
    },
}

/// A place inside a contract while it is being read, so that every error can say where it arose.
#[derive(Clone)]
pub(super) struct Place<'a> {
    file: &'a Path,
    pointer: String,
}

impl<'a> Place<'a> {
    pub(super) fn root(file: &'a Path) -> Self {
        Self {
            file,
            pointer: String::new(),
        }
    }

    /// The place of member `key` of the object here.
    pub(super) fn key(&self, key: &str) -> Self {
        let key = key.replace('~', "~0").replace('/', "~1");
        Self {
            file: self.file,
            pointer: format!("{}/{key}", self.pointer),
        }
    }

    /// The place of element `index` of the list here.
    pub(super) fn index(&self, index: usize) -> Self {
        Self {
            file: self.file,
            pointer: format!("{}/{index}", self.pointer),
        }
    }

    pub(super) fn error(&self, message: impl Into<String>) -> ContractError {
        let pointer = if self.pointer.is_empty() {
            "/".to_owned()
        } else {
            self.pointer.clone()
        };
        ContractError::Meaning {
            file: self.file.to_owned(),
            pointer,
            message: message.into(),
        }
    }
}
