//! What is written when: rows to the store, state to checkpoints.
//!
//! One write is under way at a time; meanwhile the engines go on, and what changes again is written once, in its newest form. So the
//! store's speed bounds how fresh rows are, never how fast the topic is read. Without load a change is written at once. Far behind the end
//! of the topic a change waits a share of the time that the backlog still takes: what it says is old anyway, and a row that is written once
//! instead of ten times leaves the store's share of the machine to reading. State is kept only when every row that it made is in the store.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::task::JoinHandle;
use userflow_engine::Rows;
use userflow_lake::failpoint;
use userflow_process::workers;

use super::delivery::deliver;
use super::service::Shared;
use super::store::{Batch, Written, classify_error, passes};
use super::worker::{Worker, micros};

/// A change waits at most this part of the time that the backlog still takes.
const BACKLOG_PART: u32 = 20;
/// How often rows beyond their ttl are removed.
const EXPIRE: Duration = Duration::from_secs(60);
/// How long a checkpoint may wait for the store; reading waits with it.
const CHECKPOINT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long giving partitions back may wait for the store.
pub(super) const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);

/// What became of a checkpoint.
pub(super) enum Checkpointed {
    /// It is there.
    Done,
    /// Another process has the partition, or the store is not as we left it: it was restored.
    Lost,
}

impl Worker {
    pub(super) fn changed(&self) -> usize {
        self.parts
            .values()
            .map(|part| part.engine.changed_rows())
            .sum()
    }

    /// Starts a write when there is something to write, none is under way, and either no more messages wait or the oldest change has
    /// waited long enough.
    pub(super) fn write_if_due(&mut self, full: bool) {
        let interval = self.shared.args.flush_interval;
        let wait = if full || self.backlog_wait > interval {
            interval.max(self.backlog_wait)
        } else {
            Duration::ZERO
        };
        let due = self.round_goes_on() || self.waiting.is_some_and(|since| since.elapsed() >= wait);
        if due && self.writing.is_none() {
            self.start_write(None);
        }
    }

    /// Decides anew how long changes wait, from how far the topic's end is and how fast it came nearer.
    pub(super) fn look_at_backlog(&mut self) {
        let ends = self.shared.ends();
        let (mut left, mut read) = (0, 0);
        for (partition, part) in &mut self.parts {
            let next = part.engine.next_offset();
            read += next - std::mem::replace(&mut part.offset_then, next);
            if let (false, Some(end)) = (part.at_end, ends.get(partition)) {
                left += (end - next).max(0);
            }
        }
        let most = self.shared.args.catch_up_interval;
        self.backlog_wait = backlog_wait(left, read, self.looked_at.elapsed(), most);
    }

    /// A round is what had changed when it began: in pieces, one write after the other, and no partition's changes wait for those that
    /// another has since.
    fn round_goes_on(&self) -> bool {
        (self.parts.values()).any(|part| part.round.iter().any(|rows| *rows > 0))
    }

    /// Starts the next write of the round, or the first one of a new round: of all partitions, or of `one`.
    fn start_write(&mut self, one: Option<i32>) {
        if one.is_some() || !self.round_goes_on() {
            for (partition, part) in &mut self.parts {
                let wanted = one.is_none_or(|one| one == *partition);
                for (view, rows) in part.round.iter_mut().enumerate() {
                    *rows = if wanted {
                        part.engine.changed_rows_of(view)
                    } else {
                        0
                    };
                }
                part.round_at = wanted.then(|| part.engine.next_offset());
            }
            if one.is_none() {
                self.round_began = Instant::now();
            }
        }
        let mut batch = Batch {
            owned: self
                .parts
                .iter()
                .map(|(partition, part)| (*partition, part.epoch))
                .collect(),
            views: Vec::new(),
        };
        let limit = self.shared.delivery.rows();
        for view in 0..self.shared.views.len() {
            let mut rows: Option<Rows> = None;
            for part in self.parts.values_mut() {
                let room = limit.saturating_sub(rows.as_ref().map_or(0, |rows| rows.len));
                let most = part.round[view].min(room);
                let more = part.engine.take(view, most);
                // Fewer than there were: the others need no row any more.
                part.round[view] = if more.len == most {
                    part.round[view] - most
                } else {
                    0
                };
                part.in_flight += more.len;
                match &mut rows {
                    None => rows = Some(more),
                    Some(rows) => rows.append(more),
                }
            }
            let Some(mut rows) = rows else { return };
            let name = &self.shared.views[view].name;
            let split = self.shared.store.tables()[view].admit(&mut rows);
            if split > 0 {
                let split = u64::try_from(split).expect("rows fit in memory");
                (self.shared.metrics.split.with_label_values(&[name])).inc_by(split);
            }
            let count = u64::try_from(rows.len).expect("rows fit in memory");
            self.shared.rows[view].fetch_add(count, Ordering::Relaxed);
            self.shared
                .metrics
                .rows
                .with_label_values(&[name])
                .inc_by(count);
            batch.views.push(rows);
        }
        self.waiting = (self.changed() > 0).then_some(self.round_began);
        self.shared.flushes.fetch_add(1, Ordering::Relaxed);
        self.writing = Some(
            self.shared
                .runtime
                .spawn(deliver(Arc::clone(&self.shared), batch)),
        );
    }

    /// Looks whether the write under way has come to an end.
    pub(super) fn finish_write(&mut self) -> Result<()> {
        if self.writing.as_ref().is_some_and(JoinHandle::is_finished) {
            self.await_write()?;
        }
        Ok(())
    }

    fn await_write(&mut self) -> Result<()> {
        let Some(writing) = self.writing.take() else {
            return Ok(());
        };
        match workers::joined(self.shared.runtime.block_on(writing))
            .context("the write was cut off")??
        {
            Written::Done => {
                self.fenced_in_a_row = 0;
                for part in self.parts.values_mut() {
                    part.in_flight = 0;
                    if part.round.iter().all(|rows| *rows == 0)
                        && let Some(at) = part.round_at.take()
                    {
                        part.written = at;
                    }
                }
                if self.shared.store.moves() > self.moves {
                    // A standby that was promoted may lack the last rows of the server before: from the checkpoint on, all are made again.
                    let why = "PostgreSQL's address leads to another server now";
                    tracing::warn!("{why}");
                    return self.rejoin(why);
                }
                Ok(())
            }
            Written::Fenced => self.start_over(),
        }
    }

    /// Writes everything, or everything of one partition; false if the store does not take it in time.
    pub(super) fn drain(&mut self, one: Option<i32>, patience: Duration) -> Result<bool> {
        let until = Instant::now() + patience;
        loop {
            while let Some(writing) = &self.writing {
                if writing.is_finished() {
                    self.await_write()?;
                } else if Instant::now() > until {
                    return Ok(false);
                } else {
                    std::thread::sleep(Duration::from_micros(200));
                }
            }
            let left = match one {
                None => self.changed(),
                Some(one) => (self.parts.get(&one)).map_or(0, |part| part.engine.changed_rows()),
            };
            if left == 0 {
                if one.is_none() {
                    self.waiting = None;
                }
                return Ok(true);
            }
            self.start_write(one);
        }
    }

    /// Keeps the state of each partition from time to time, one after the other: state being made into bytes takes memory and keeps
    /// events waiting. First every row of the partition is written: a restart makes only later rows again.
    pub(super) fn checkpoint_if_due(&mut self) -> Result<()> {
        if self
            .checkpointing
            .as_ref()
            .is_some_and(JoinHandle::is_finished)
            && let Err(e) = self.await_checkpoint()
        {
            tracing::error!("no checkpoint this time: {e:#}");
        }
        let interval = self.shared.args.checkpoints.interval;
        let turns = u32::try_from(self.parts.len()).unwrap_or(u32::MAX).max(1);
        if self.checkpointing.is_some() || self.saved_at.elapsed() < interval / turns {
            return Ok(());
        }
        self.saved_at = Instant::now();
        let longest = (self.parts.iter())
            .filter(|(_, part)| part.at() != part.saved)
            .filter(|(_, part)| part.kept.is_none_or(|kept| kept.elapsed() >= interval))
            .min_by_key(|(_, part)| part.kept);
        let Some((partition, _)) = longest else {
            return Ok(());
        };
        let partition = *partition;
        if self.drain(Some(partition), CHECKPOINT_TIMEOUT)? {
            self.checkpoint(Some(partition));
        } else {
            tracing::warn!("PostgreSQL is slow or away: no checkpoint this time");
        }
        Ok(())
    }

    /// Keeps the state of all partitions, or of `one`; their rows are written.
    pub(super) fn checkpoint(&mut self, one: Option<i32>) {
        let mut states = Vec::new();
        for (partition, part) in &mut self.parts {
            if one.is_none_or(|one| one == *partition) && part.at() != part.saved {
                part.saved = part.at();
                part.kept = Some(Instant::now());
                let next = part.engine.next_offset();
                let before = part.noted.replace(next);
                states.push((*partition, part.epoch, before, next, part.engine.snapshot()));
                failpoint::reached("sessionize.state-taken");
            }
        }
        if states.is_empty() {
            return;
        }
        let shared = Arc::clone(&self.shared);
        self.checkpointing = Some(self.shared.runtime.spawn(async move {
            for (partition, epoch, before, next, state) in states {
                // First the store says that it has all rows: one that was restored from an older dump then says less than the checkpoint.
                if !note_checkpoint(&shared, partition, epoch, before, next).await? {
                    return Ok(Checkpointed::Lost);
                }
                shared.checkpoints.save(partition, next, state).await?;
                shared.metrics.checkpoints.inc();
                let gauge = shared
                    .metrics
                    .checkpoint_time
                    .with_label_values(&[&partition.to_string()]);
                gauge.set(chrono::Utc::now().timestamp());
            }
            Ok(Checkpointed::Done)
        }));
    }

    pub(super) fn await_checkpoint(&mut self) -> Result<()> {
        let Some(checkpointing) = self.checkpointing.take() else {
            return Ok(());
        };
        let kept = workers::joined(self.shared.runtime.block_on(checkpointing))
            .context("a checkpoint was cut off")??;
        match kept {
            Checkpointed::Done => Ok(()),
            Checkpointed::Lost => self.start_over(),
        }
    }

    /// Rows beyond their ttl go, in the background: a failure only leaves them a minute longer.
    pub(super) fn expire_if_due(&mut self) {
        if self.expired_at.elapsed() < EXPIRE {
            return;
        }
        self.expired_at = Instant::now();
        let owned: Vec<(i32, i64, i64)> = (self.parts.iter())
            .filter_map(|(partition, part)| {
                Some((*partition, part.epoch, part.engine.watermark()?))
            })
            .collect();
        let shared = Arc::clone(&self.shared);
        let expire = async move {
            for (number, view) in shared.views.iter().enumerate() {
                let Some(ttl) = view.ttl else { continue };
                for (partition, epoch, watermark) in &owned {
                    let before = watermark.saturating_sub(micros(ttl));
                    let Some(before) = chrono::DateTime::from_timestamp_micros(before) else {
                        continue;
                    };
                    match shared
                        .store
                        .expire(number, *partition, *epoch, before)
                        .await
                    {
                        Ok(0) => {}
                        Ok(rows) => tracing::debug!(
                            view = view.name,
                            partition,
                            rows,
                            "beyond their ttl, removed"
                        ),
                        Err(e) => tracing::warn!(
                            view = view.name,
                            "rows beyond their ttl stay for now: {e}"
                        ),
                    }
                }
            }
            Ok(())
        };
        let Shared { stop, runtime, .. } = &*self.shared;
        stop.beside(runtime, "the removal of old rows", expire);
    }
}

/// How long a change waits with `left` messages before the topic's end, when `read` came in the last `took`.
fn backlog_wait(left: i64, read: i64, took: Duration, most: Duration) -> Duration {
    let left = u32::try_from(left).unwrap_or(u32::MAX);
    let read = u32::try_from(read.max(1)).unwrap_or(u32::MAX);
    (took / read).saturating_mul(left / BACKLOG_PART).min(most)
}

/// Notes in the store that it has all rows of a state. A server that is away for a moment is waited for.
async fn note_checkpoint(
    shared: &Shared,
    partition: i32,
    epoch: i64,
    before: Option<i64>,
    next: i64,
) -> Result<bool> {
    let until = Instant::now() + CHECKPOINT_TIMEOUT;
    loop {
        let noted = (shared.store)
            .note_kept(partition, epoch, before, next)
            .await;
        match noted {
            Ok(ours) => return Ok(ours),
            Err(e) if passes(&e) && Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(e) => return Err(classify_error(e)).context("note a checkpoint in online._owners"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_waits_a_twentieth_of_what_the_backlog_takes() {
        let second = Duration::from_secs(1);
        let wait = |left, read| backlog_wait(left, read, second / 2, 2 * second).as_millis();
        assert_eq!(wait(0, 5_000), 0);
        // 10,000 messages a second: 20,000 are two seconds, a million are more than a minute.
        assert_eq!(wait(20_000, 5_000), 100);
        assert_eq!(wait(1_000_000, 5_000), 2_000);
        // Nothing came: nobody knows how long it takes.
        assert_eq!(wait(1_000_000, 0), 2_000);
        assert_eq!(wait(i64::MAX, i64::MAX), 0);
        assert_eq!(wait(0, -3), 0);
    }
}
