//! A place in a contract file while it is being read. One error says one thing: the place and the fix.

use std::path::Path;

use crate::error::ConfigError;

/// A place inside a contract, so that every error can say where it arose.
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

    pub(super) fn error(&self, message: impl Into<String>) -> ConfigError {
        let pointer = if self.pointer.is_empty() {
            "/".to_owned()
        } else {
            self.pointer.clone()
        };
        ConfigError::Contract {
            file: self.file.to_owned(),
            pointer,
            message: message.into(),
        }
    }
}
