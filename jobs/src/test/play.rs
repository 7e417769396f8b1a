//! One case, step by step: messages through the decoder into the streaming engine and the bronze tables, and what must be so after them.

use std::collections::BTreeMap;

use anyhow::Result;
use chrono::{NaiveDate, NaiveTime};
use datafusion::arrow::array::RecordBatch;
use userflow_models::bronze::Origin;
use userflow_models::cases::{Case, Clock, Doing, Sent};
use userflow_models::decode::{Decoder, Rejection};
use userflow_process::exit::WrongSetup;

use super::bench::Bench;
use super::failure::{Difference, Failure};
use super::refusal::problems;
use super::story::Story;
use super::tables::Tables;
use super::{bronze, twin};
use crate::stream::Stream;
use crate::value::cell;

/// A case while it is played.
pub(super) struct Play<'a> {
    pub(super) bench: &'a Bench,
    pub(super) case: &'a Case,
    pub(super) clock: Clock,
    pub(super) decoder: Decoder,
    pub(super) stream: Stream,
    pub(super) tables: Tables<'a>,
    pub(super) story: Story,
    /// The wall clock, microseconds UTC; none before the first message.
    pub(super) now: Option<i64>,
    /// Messages so far.
    pub(super) sent: i64,
    /// What was refused and not yet expected.
    pub(super) refused: Vec<Rejection>,
    /// Names of the contract's columns.
    pub(super) columns: Vec<String>,
    pub(super) failures: Vec<Failure>,
}

/// Plays a case. What does not hold are its failures; an error is a mistake in a file.
pub(super) async fn play(bench: &Bench, case: &Case) -> Result<Vec<Failure>> {
    let contract = &bench.domain.contract;
    let columns = contract.columns().iter();
    let mut play = Play {
        bench,
        case,
        clock: Clock { date: case.date },
        decoder: Decoder::new(contract),
        stream: Stream::new(&bench.domain, &bench.views, &case.dimensions)?,
        tables: Tables::new(bench, &case.dimensions),
        story: Story::default(),
        now: None,
        sent: 0,
        refused: Vec::new(),
        columns: columns.map(|column| column.name.clone()).collect(),
        failures: Vec::new(),
    };
    for step in &case.steps {
        match &step.doing {
            Doing::Send(sent) => play.send(sent, step.line)?,
            Doing::Pass(micros) => {
                let to = play.now.map(|now| now.saturating_add(*micros));
                play.pass(to, step.line)?;
            }
            Doing::PassTo(time) => play.pass(Some(*time), step.line)?,
            Doing::Expect(all) => {
                for expectation in all {
                    play.expect(expectation).await?;
                }
            }
        }
    }
    play.end().await?;
    Ok(play.failures)
}

impl Play<'_> {
    /// A mistake in the file of the case.
    pub(super) fn wrong(&self, line: usize, message: &str) -> anyhow::Error {
        WrongSetup(format!("{}:{line}: {message}", self.case.file.display())).into()
    }

    /// A message comes. One without an own time of arrival comes when it happened, but never before the one before it.
    fn send(&mut self, sent: &Sent, line: usize) -> Result<()> {
        let now = match (sent.arrives, sent.time, self.now) {
            (Some(arrives), _, Some(now)) if arrives < now => {
                let message = format!(
                    "`{}` arrives before the message before it: steps stand in the order in which they come",
                    sent.title
                );
                return Err(self.wrong(line, &message));
            }
            (Some(arrives), ..) => arrives,
            (None, Some(time), Some(now)) => now.max(time),
            (None, Some(time), None) => time,
            (None, None, now) => now.unwrap_or_else(|| midnight(self.case.date)),
        };
        // What passed between two messages passes for a silent partition first.
        self.stream.idle(now)?;
        self.now = Some(now);
        let origin = Origin {
            partition: 0,
            offset: self.sent,
            time_ms: Some(now / 1_000),
        };
        self.sent += 1;
        match self.decoder.decode(&sent.bytes, now / 1_000) {
            Ok(()) => {
                let decoded = self.decoder.finish();
                let effect = self.stream.event(&decoded, 0, Some(now))?;
                let mut notes = Vec::new();
                if effect.repeat {
                    notes.push("a repeat".to_owned());
                }
                if effect.capped {
                    notes.push("its clock is ahead".to_owned());
                }
                let late = effect
                    .late
                    .iter()
                    .map(|view| format!("late for {}", self.bench.views[*view].name));
                notes.extend(late);
                self.story.message(sent, Some(first_row(&decoded)?), &notes);
                self.tables
                    .add(bronze::events(&self.bench.events.schema, &decoded, origin)?);
            }
            Err(rejection) => {
                self.stream.refused(Some(now));
                self.story
                    .message(sent, None, &[format!("refused: {rejection}")]);
                let schema = &self.bench.quarantine.schema;
                self.tables
                    .refuse(bronze::quarantine(schema, &rejection, &sent.bytes, origin)?);
                self.refused.push(rejection);
            }
        }
        Ok(())
    }

    fn pass(&mut self, to: Option<i64>, line: usize) -> Result<()> {
        let Some((to, now)) = to.zip(self.now) else {
            return Err(self.wrong(line, "time passes after the first event: begin with one"));
        };
        if to < now {
            let message = format!("it is {} already", self.clock.short(now));
            return Err(self.wrong(line, &message));
        }
        self.now = Some(to);
        self.stream.idle(to)?;
        self.story
            .time(format!("time passes to {}", self.clock.short(to)));
        Ok(())
    }

    /// After the last step: nothing was refused unexpectedly, and stream and batch agree.
    async fn end(&mut self) -> Result<()> {
        let refused = std::mem::take(&mut self.refused);
        if !refused.is_empty() {
            let whole: Vec<String> = refused.iter().map(Rejection::to_string).collect();
            let short: Vec<String> = refused.iter().flat_map(problems).collect();
            let told = format!(
                "a message was refused and no step expects it: {}; if that is right, write `- expect: {{quarantine: [{}]}}` after it",
                whole.join("; "),
                short.join(", ")
            );
            self.fail(self.case.line, "quarantine", Difference::Told(told), &[]);
        }
        for (subject, difference) in twin::compare(
            self.bench,
            self.case,
            &mut self.stream,
            &mut self.tables,
            self.clock,
        )
        .await?
        {
            self.fail_row(self.case.line, &subject, difference);
        }
        Ok(())
    }
}

/// The cells of a decoded row, as text.
fn first_row(decoded: &RecordBatch) -> Result<BTreeMap<String, String>> {
    let names = cell::names(&decoded.schema());
    let row = cell::rows(std::slice::from_ref(decoded))?.swap_remove(0);
    Ok(names
        .into_iter()
        .zip(row.iter().map(|cell| cell.text()))
        .collect())
}

fn midnight(date: NaiveDate) -> i64 {
    date.and_time(NaiveTime::MIN).and_utc().timestamp_micros()
}
