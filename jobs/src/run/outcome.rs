//! What became of one run.

use userflow_models::project::{Model, Window};

use crate::quality::{self, Verdict};
use crate::summary::{Line, Status, rounded};

/// What a run did.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Rows that left the scans of the inputs.
    pub rows_read: u64,
    /// Rows in the partition now.
    pub rows_written: u64,
    /// Files added.
    pub files_added: usize,
    /// Files removed.
    pub files_removed: usize,
    /// The table's version with the result; `None` for a dry run and for what was blocked.
    pub version: Option<i64>,
    /// What was read, as `table@version`.
    pub inputs: Vec<String>,
    /// What the gate found.
    pub verdicts: Vec<Verdict>,
    /// The tests of gates before the model that block, each with its table and counts.
    pub before: Vec<String>,
    /// Whether a gate kept the result from being computed or published.
    pub blocked: bool,
    /// Times that it was computed.
    pub attempts: u32,
    /// Seconds, all attempts and waits.
    pub seconds: f64,
}

impl Outcome {
    /// The line of the summary.
    pub fn line(&self, model: &Model, window: Window) -> Line {
        let blocking = (self.verdicts.iter())
            .filter(|verdict| verdict.status == quality::Status::Block)
            .filter(|verdict| verdict.model == model.name);
        let blocking = blocking.map(Verdict::brief);
        let blocking: Vec<String> = self.before.iter().cloned().chain(blocking).collect();
        let (status, reason) = match (self.blocked, blocking.is_empty()) {
            (true, _) => (Status::Blocked, Some(blocking.join("; "))),
            (false, false) => {
                let tests = blocking.join("; ");
                (
                    Status::Done,
                    Some(format!("published although blocked: {tests}")),
                )
            }
            (false, true) => (Status::Done, None),
        };
        Line {
            rows_read: self.rows_read,
            rows_written: self.rows_written,
            files_added: self.files_added,
            files_removed: self.files_removed,
            version: self.version,
            attempts: self.attempts,
            seconds: rounded(self.seconds),
            inputs: self.inputs.clone(),
            ..Line::of(model, window, status, reason)
        }
    }
}
