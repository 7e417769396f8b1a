//! How a partition is claimed in the store: from then on no other process can write rows of it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use userflow_process::exit::WrongSetup;

use super::delivery::STORE_TIMEOUT;
use super::shared::Shared;
use super::store::{Claim, Taken};

/// Claims a partition. A server that is away for a while is waited for.
pub(super) async fn claim(shared: &Shared, partition: i32) -> Result<Taken> {
    let mut removed = false;
    let started = Instant::now();
    let mut pause = Duration::from_millis(50);
    loop {
        let claimed = (shared.store)
            .claim(partition, &shared.topic_id, &shared.owner)
            .await;
        match claimed {
            Ok(Claim::Taken(taken)) => return Ok(taken),
            Ok(Claim::OtherTopic(id)) if shared.args.accept_data_loss && !removed => {
                let rows = shared.store.remove(partition).await?;
                tracing::error!(
                    partition,
                    rows,
                    "removed the online rows of the topic with id {id}, which is gone"
                );
                removed = true;
            }
            Ok(Claim::OtherTopic(id)) => {
                return Err(WrongSetup(format!(
                    "the online rows are of a topic {} with id {id}, but now it has id {}: it was made anew, and its offsets with it; \
                     --accept-data-loss removes those rows and goes on",
                    shared.topic, shared.topic_id
                ))
                .into());
            }
            Err(e) if e.passes() && started.elapsed() < STORE_TIMEOUT => {
                tracing::warn!(
                    partition,
                    "{}: {e}; the partition is claimed again in {pause:?}",
                    shared.store.name()
                );
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(2));
            }
            Err(e) => {
                return Err(anyhow::Error::from(e))
                    .with_context(|| format!("claim partition {partition}"));
            }
        }
    }
}
