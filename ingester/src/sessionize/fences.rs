//! How often in a row a worker may find that another process has claimed its partitions: two that fight for them never come to an end.

use userflow_process::exit::Fenced;

/// Times in a row.
const LIMIT: u32 = 10;

/// What a worker remembers of it.
#[derive(Debug, Default)]
pub(super) struct Fences {
    in_a_row: u32,
    /// Writes that had been done when it happened last.
    done: u64,
}

impl Fences {
    /// It happened, after so many writes in all; one of them in between begins a new row. Returns what happened, in words; fails when it
    /// has happened too often.
    pub(super) fn met(&mut self, done: u64) -> Result<&'static str, Fenced> {
        if std::mem::replace(&mut self.done, done) < done {
            self.in_a_row = 0;
        }
        self.in_a_row += 1;
        let why = "another process has claimed a partition of ours; what it writes counts";
        tracing::warn!(attempt = self.in_a_row, "{why}, asking the group anew");
        if self.in_a_row >= LIMIT {
            return Err(Fenced(format!(
                "{why}; gave up after {LIMIT} attempts: does another sessionizer read the same topic under another --group?"
            )));
        }
        Ok(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_in_between_begins_a_new_row() {
        let mut fences = Fences::default();
        for _ in 0..LIMIT - 1 {
            fences.met(5).unwrap();
        }
        fences.met(6).unwrap();
        for _ in 0..LIMIT - 2 {
            fences.met(6).unwrap();
        }
        let error = fences.met(6).unwrap_err();
        assert!(error.to_string().contains("gave up after 10"), "{error}");
    }
}
