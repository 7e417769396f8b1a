//! What can be wrong with a model project, said once for the person who edits the files.
//!
//! A problem names its file, its line where there is one, and the fix. Loading collects the problems of all files, because a
//! broken rename shows in several files at once and one message at a time is slow to act on.

use std::fmt;
use std::path::{Path, PathBuf};

/// One thing to repair in one file.
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

/// Why a project cannot be used, or a selection or window in it cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// Files that have to be edited.
    #[error("{}", list(.0))]
    Invalid(Vec<Problem>),
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

impl From<Problem> for ProjectError {
    fn from(problem: Problem) -> Self {
        Self::Invalid(vec![problem])
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
