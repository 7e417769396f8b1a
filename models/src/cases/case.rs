//! A case once it is read.

use std::path::PathBuf;

use arrow::array::RecordBatch;
use chrono::NaiveDate;

use super::step::{Doing, Step};

/// The rows of a dimension in a case.
#[derive(Clone, Debug)]
pub struct Given {
    /// Its name.
    pub dimension: String,
    /// All columns that are declared.
    pub rows: RecordBatch,
}

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it shows, as a sentence.
    pub name: String,
    /// Its file.
    pub file: PathBuf,
    /// The line of its name.
    pub line: usize,
    /// The date of times that say none.
    pub date: NaiveDate,
    /// Rows of dimensions that stand for those of their files.
    pub dimensions: Vec<Given>,
    /// In order.
    pub steps: Vec<Step>,
    /// Views that are known to differ from their batch table in this case, with the reason.
    pub skew: Vec<(String, String)>,
}

impl Case {
    /// Whether its events are in more than one Kafka partition.
    pub fn is_spread(&self) -> bool {
        let mut sent = self.steps.iter().filter_map(|step| match &step.doing {
            Doing::Send(sent) => Some(sent.partition),
            _ => None,
        });
        let first = sent.next();
        sent.any(|partition| Some(partition) != first)
    }

    /// The name of its file without the ending.
    pub fn group(&self) -> String {
        let stem = self.file.file_stem().unwrap_or_default();
        stem.to_string_lossy().into_owned()
    }
}
