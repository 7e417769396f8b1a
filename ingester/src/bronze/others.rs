//! What others have committed: ingesters of the group commit partitions that this process does not have, and the table knows.

use std::time::Duration;

use anyhow::{Context, Result};
use userflow_lake::Txns;

use super::shared::Shared;

/// How long a look waits for the table.
const LAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Looks into the table, again and again.
#[derive(Default)]
pub(super) struct Others {
    /// What the last look saw.
    seen: Option<Txns>,
}

impl Others {
    /// Notes how far the table is.
    pub(super) fn look(&mut self, shared: &Shared) -> Result<()> {
        let table = shared.tables.events.table.clone();
        let seen = self.seen.take();
        let reading = async {
            match seen {
                None => table.txns().await,
                Some(mut seen) => seen.catch_up(&table).await.map(|()| seen),
            }
        };
        let seen = shared
            .runtime
            .block_on(async { tokio::time::timeout(LAKE_TIMEOUT, reading).await })
            .with_context(|| format!("the lake has not answered within {LAKE_TIMEOUT:?}"))??;
        let positions = shared.ids.pick(&seen.by_id);
        self.seen = Some(seen);
        for (partition, next) in &positions {
            shared.progress.committed(*partition, *next);
        }
        Ok(())
    }
}
