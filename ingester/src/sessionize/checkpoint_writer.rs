//! How a checkpoint is written: the store is told that it has all rows of the state, then the state becomes an object.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::task::JoinHandle;

use super::checkpointer::{Checkpointed, State, WriteCheckpoint};
use super::shared::Shared;
use super::store::OnlineStore;

/// How long the store may take to be told.
const NOTE_TIMEOUT: Duration = Duration::from_secs(5);

/// Writes checkpoints of a process's partitions.
pub(super) struct CheckpointWriter(pub(super) Arc<Shared>);

impl WriteCheckpoint for CheckpointWriter {
    fn write(&self, state: State) -> JoinHandle<Result<Checkpointed>> {
        let shared = Arc::clone(&self.0);
        self.0.runtime.spawn(async move {
            // First the store says that it has all rows: one that was restored from an older dump then says less than the checkpoint.
            if !note(&*shared.store, &state).await? {
                return Ok(Checkpointed::Lost);
            }
            let State {
                partition,
                next,
                bytes,
                ..
            } = state;
            let checkpoints = &shared.restorer.checkpoints;
            checkpoints.save(partition, next, bytes).await?;
            shared.metrics.checkpoints.inc();
            let time = &shared.metrics.checkpoint_time;
            time.with_label_values(&[&partition.to_string()])
                .set(chrono::Utc::now().timestamp());
            Ok(Checkpointed::Done)
        })
    }
}

/// Notes in the store that it has all rows of a state. A server that is away for a moment is waited for.
async fn note(store: &dyn OnlineStore, state: &State) -> Result<bool> {
    let until = Instant::now() + NOTE_TIMEOUT;
    loop {
        let noted = store
            .note_checkpoint(state.partition, state.epoch, state.before, state.next)
            .await;
        match noted {
            Ok(ours) => return Ok(ours),
            Err(e) if e.passes() && Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(e) => {
                let place = format!("note a checkpoint in {}", store.name());
                return Err(anyhow::Error::from(e)).context(place);
            }
        }
    }
}
