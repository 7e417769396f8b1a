//! One worker: a thread that lands its contents, one after the other, through a buffer and two commits as `ingest` does.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Result;
use userflow_lake::failpoint;
use userflow_models::bronze::{Origin, content_topic_id};
use userflow_process::exit::Fenced;
use userflow_process::terminal::escaped;

use super::super::budget::Budget;
use super::super::buffer::{Buffer, Known};
use super::super::flush::{Committer, Flushed};
use super::content::Unreadable;
use super::outcome::{Lines, State};
use super::shared::Shared;

/// Times in a row that a worker may find its contents being landed by another process.
const FENCED_LIMIT: u32 = 10;

/// A worker's state.
pub(super) struct Worker<'a> {
    shared: &'a Shared,
    committer: Committer,
    buffer: Buffer,
    slots: Vec<i32>,
    /// What the buffer holds, by slot: counted when it is committed.
    pending: BTreeMap<i32, Lines>,
    oldest: Option<Instant>,
    fenced_in_a_row: u32,
}

/// How the landing of one content went on.
enum Went {
    /// Its lines are in the buffer, or in the tables.
    On,
    /// Another process has committed one of the worker's contents, and this is said of it.
    Fenced(String),
}

impl<'a> Worker<'a> {
    pub(super) fn new(shared: &'a Shared, slots: Vec<i32>) -> Self {
        let budget = Budget::of(shared.memory_per_worker());
        Self {
            committer: Committer::new(shared.tables.clone(), shared.ids.clone()),
            // The names come with the first content.
            buffer: Buffer::new(&shared.plan.contract, &shared.tables, ("", ""), budget),
            slots,
            pending: BTreeMap::new(),
            oldest: None,
            fenced_in_a_row: 0,
            shared,
        }
    }

    /// Lands all contents, or those of which there is time until the process is told to stop.
    pub(super) fn run(mut self) -> Result<()> {
        self.load()?;
        for slot in self.slots.clone() {
            let from = self.start_of(slot);
            let all = self.shared.plan.content(slot).lines;
            self.shared.plan.outcomes.change(slot, |outcome| {
                if from > all {
                    outcome.state = State::LandedBefore;
                } else if from > 1 {
                    outcome.resumed_at = Some(from);
                }
            });
        }
        while let Some(why) = self.pass()? {
            self.start_over(&why)?;
        }
        Ok(())
    }

    /// Lands what is not yet landed. Returns why not, if another process came between.
    fn pass(&mut self) -> Result<Option<String>> {
        for slot in self.slots.clone() {
            if self.shared.plan.stop.asked() {
                break;
            }
            if let Went::Fenced(why) = self.land(slot)? {
                return Ok(Some(why));
            }
        }
        self.flush()
    }

    /// The next line of a content, from 1.
    fn start_of(&self, slot: i32) -> i64 {
        self.committer.position(slot).unwrap_or(1)
    }

    fn land(&mut self, slot: i32) -> Result<Went> {
        let content = self.shared.plan.content(slot);
        let start = self.start_of(slot);
        if start > content.lines {
            return Ok(Went::On);
        }
        let topic_id = content_topic_id(&content.id, &content.file);
        (self.buffer).turn_to(&content.file, &topic_id, self.shared.plan.read_ms)?;
        match self.lines(slot, start)? {
            Ok(went) => {
                if content.has_changed() && !self.shared.plan.stop.asked() {
                    let lines = content.lines;
                    self.failed(slot, &Unreadable::Grew { lines });
                }
                Ok(went)
            }
            Err(unreadable) => {
                self.failed(slot, &unreadable);
                Ok(Went::On)
            }
        }
    }

    fn lines(&mut self, slot: i32, start: i64) -> Result<Result<Went, Unreadable>> {
        let content = self.shared.plan.content(slot);
        let mut blocks = match content.blocks(start, &self.shared.plan.counted) {
            Ok(blocks) => blocks,
            Err(error) => return Ok(Err(error)),
        };
        loop {
            let lines = match blocks.next() {
                Ok(Some(lines)) => lines,
                Ok(None) => return Ok(Ok(Went::On)),
                Err(error) => return Ok(Err(error)),
            };
            let end = lines.end;
            if end <= start {
                continue;
            }
            for (number, line) in lines.skip_while(|(number, _)| *number < start) {
                self.line(slot, start, number, line)?;
                // A block is a number of bytes of text, and rows may need any number.
                if self.buffer.is_full()
                    && let Some(why) = self.flush()?
                {
                    return Ok(Ok(Went::Fenced(why)));
                }
            }
            // Blank lines at the end have been read too.
            self.buffer.passed(slot, start, end);
            self.oldest.get_or_insert_with(Instant::now);
            if self.should_flush()
                && let Some(why) = self.flush()?
            {
                return Ok(Ok(Went::Fenced(why)));
            }
            if self.shared.plan.stop.asked() {
                return Ok(Ok(Went::On));
            }
        }
    }

    fn line(&mut self, slot: i32, start: i64, number: i64, line: &[u8]) -> Result<()> {
        let counts = self.pending.entry(slot).or_default();
        if line.trim_ascii().is_empty() {
            counts.blank += 1;
            return Ok(());
        }
        let origin = Origin {
            partition: 0,
            offset: number,
            time_ms: None,
        };
        let kept = self.committer.is_kept(slot, origin);
        let known = Known { slot, start, kept };
        match self.buffer.push(origin, Some(line), known)? {
            0 => counts.quarantined += 1,
            rows => counts.accepted(rows),
        }
        failpoint::reached("load.pushed");
        Ok(())
    }

    fn should_flush(&self) -> bool {
        let flush = &self.shared.flush;
        self.buffer.encoded() >= flush.flush_size
            || self.buffer.is_full()
            || (self.oldest).is_some_and(|oldest| oldest.elapsed() >= flush.flush_interval)
    }

    /// Commits what is held. Returns why nothing was committed, if another process has committed one of the contents.
    fn flush(&mut self) -> Result<Option<String>> {
        self.oldest = None;
        let pending = std::mem::take(&mut self.pending);
        if self.buffer.is_empty() {
            return Ok(None);
        }
        let flushing = self.committer.flush(&mut self.buffer);
        let done = match self.shared.runtime.block_on(flushing)? {
            Flushed::Committed(done) => done,
            Flushed::Fenced(why) => return Ok(Some(why)),
        };
        failpoint::reached("load.committed");
        self.fenced_in_a_row = 0;
        self.shared.committed(&done, &self.committer.take_dates());
        for (slot, lines) in pending {
            (self.shared.plan.outcomes).change(slot, |outcome| outcome.lines.add(lines));
        }
        for (slot, next) in &done.next {
            let all = self.shared.plan.content(*slot).lines;
            self.shared.plan.outcomes.change(*slot, |outcome| {
                if *next > all && outcome.state == State::Stopped {
                    outcome.state = State::Landed;
                }
            });
        }
        Ok(None)
    }

    fn failed(&self, slot: i32, why: &Unreadable) {
        let file = &self.shared.plan.content(slot).file;
        tracing::error!("{}: {why}", escaped(file));
        let state = State::Failed(why.to_string());
        (self.shared.plan.outcomes).change(slot, |outcome| outcome.state = state);
    }

    /// Another process committed one of the contents: go on where the table stands.
    fn start_over(&mut self, why: &str) -> Result<()> {
        self.fenced_in_a_row += 1;
        tracing::warn!(
            attempt = self.fenced_in_a_row,
            "{why}; reading on from the table's positions"
        );
        if self.fenced_in_a_row >= FENCED_LIMIT {
            return Err(Fenced(format!(
                "{why}; gave up after {FENCED_LIMIT} attempts: is another `load` of the same files running?"
            ))
            .into());
        }
        self.pending.clear();
        self.load()?;
        for slot in &self.slots {
            let all = self.shared.plan.content(*slot).lines;
            let landed = self.start_of(*slot) > all;
            self.shared.plan.outcomes.change(*slot, |outcome| {
                if landed && outcome.state == State::Stopped {
                    outcome.state = State::Landed;
                }
            });
        }
        Ok(())
    }

    fn load(&mut self) -> Result<()> {
        let loading = self.committer.load(self.slots.clone());
        self.shared.runtime.block_on(loading)
    }
}
