//! What `run`, `backfill` and `check` leave behind besides their tables: rows in the operations log and a message to Slack.

use anyhow::Result;

use crate::notify::{End, Notifier, NotifyArgs};
use crate::ops::{Journal, OpsArgs};
use crate::quality::Verdict;
use crate::summary::{Line, Summary};

/// The log and the notifier of one job.
pub struct Reporting {
    command: &'static str,
    journal: Journal,
    notifier: Notifier,
}

impl Reporting {
    /// Connects to what was configured; what is configured wrong is refused.
    pub async fn open(command: &'static str, ops: &OpsArgs, notify: &NotifyArgs) -> Result<Self> {
        Ok(Self {
            command,
            notifier: Notifier::new(notify)?,
            journal: Journal::open(command, ops).await?,
        })
    }

    /// For a dry run: it logs nothing and tells nobody, because nothing happens.
    pub fn silent(command: &'static str, ops: &OpsArgs) -> Self {
        Self {
            command,
            notifier: Notifier::silent(),
            journal: Journal::closed(command, ops),
        }
    }

    /// Notes a window and its verdicts.
    pub async fn record(&mut self, line: &Line, verdicts: &[Verdict]) {
        self.journal.record(line, verdicts).await;
    }

    /// Writes what is left to write and tells how the job ended. Never fails: the tables are what they are.
    pub async fn close(self, summary: &Summary, error: Option<&anyhow::Error>) {
        let asked_by = self.journal.asked_by().to_owned();
        let recovered = self.journal.close().await;
        let end = End {
            command: self.command,
            asked_by: &asked_by,
            lines: summary.lines(),
            quality: summary.quality(),
            recovered: &recovered,
            error,
        };
        self.notifier.tell(&end).await;
    }
}
