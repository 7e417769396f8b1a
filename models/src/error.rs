//! What can be wrong with the files below `models/`, or with what somebody asks of them. Said for the person who edits or types it.
//!
//! None of it passes by waiting: the binaries end with exit code 2. Loading a project collects the problems of all files, because a
//! broken rename shows in several files at once and one message at a time is slow to act on. A contract has one error at a time.

use std::fmt;
use std::path::{Path, PathBuf};

/// Why the models cannot be used as they are, or as they were asked for.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A contract cannot be read at all.
    #[error("cannot read contract {}: {source}", file.display())]
    NoContract {
        /// The file asked for.
        file: PathBuf,
        /// Why reading it failed.
        source: std::io::Error,
    },
    /// A contract is not JSON, or repeats a key.
    #[error("{}:{line}:{column}: {message}", file.display())]
    ContractSyntax {
        /// The contract's file.
        file: PathBuf,
        /// Line of the fault, from 1.
        line: usize,
        /// Column of the fault, from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// A contract is JSON, but says something that the decoder cannot do or that contradicts itself.
    #[error("{} at {pointer}: {message}", file.display())]
    Contract {
        /// The contract's file.
        file: PathBuf,
        /// JSON pointer to the offending value.
        pointer: String,
        /// What is wrong there and how to put it right.
        message: String,
    },
    /// There is no folder of models.
    #[error("cannot read the models folder {}: {source}; point --models to the folder that holds the domains", dir.display())]
    NoModels {
        /// The folder asked for.
        dir: PathBuf,
        /// Why it cannot be read.
        source: std::io::Error,
    },
    /// No such domain.
    #[error("unknown domain `{name}`: {} has {}", dir.display(), domains(known))]
    UnknownDomain {
        /// The domain asked for.
        name: String,
        /// The folder of models.
        dir: PathBuf,
        /// The domains that are there.
        known: Vec<String>,
    },
    /// Files of a project that have to be edited.
    #[error("{}", list(.0))]
    Project(Vec<Problem>),
    /// A selector that matches no model.
    #[error("no model matches `{selector}`{}", hint(close))]
    UnknownModel {
        /// The selector as it was typed.
        selector: String,
        /// Names that are close to it, or all names when none is.
        close: Vec<String>,
    },
    /// A date, date-hour or range that cannot be read.
    #[error("{0}")]
    Window(String),
}

/// One thing to repair in one file of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file to edit.
    pub path: PathBuf,
    /// The line in it, from 1, where one can be named.
    pub line: Option<usize>,
    /// What is wrong and how to repair it.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(path: &Path, line: Option<usize>, message: impl Into<String>) -> Self {
        Self {
            path: path.to_path_buf(),
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self::Project(vec![problem])
    }
}

fn list(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(Problem::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

fn hint(close: &[String]) -> String {
    if close.is_empty() {
        return "; there are no models".to_owned();
    }
    format!("; known models close to it: {}", close.join(", "))
}

fn domains(known: &[String]) -> String {
    match known {
        [] => "no domains (a domain is a folder with a contract.json)".to_owned(),
        names => names.join(", "),
    }
}
