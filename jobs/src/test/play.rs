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
use super::story::{Row, Story};
use super::tables::Tables;
use super::{bronze, twin};
use crate::stream::{Effect, Key, Stream};
use crate::value::cell::{self, Cell};

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
    /// Messages so far, by partition.
    pub(super) sent: BTreeMap<i32, i64>,
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
        stream: match case.is_spread() {
            false => Stream::new(&bench.domain, &bench.views, &case.dimensions)?,
            true => Stream::spread(&bench.domain, &bench.views, &case.dimensions)?,
        },
        tables: Tables::new(bench, &case.dimensions),
        story: Story::default(),
        now: None,
        sent: BTreeMap::new(),
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
        let next = self.sent.entry(sent.partition).or_default();
        let origin = Origin {
            partition: sent.partition,
            offset: *next,
            time_ms: Some(now / 1_000),
        };
        *next += 1;
        match self.decoder.decode(&sent.bytes, now / 1_000) {
            Ok(()) => {
                let decoded = self.decoder.finish();
                let rows = 0..decoded.num_rows();
                let effect = (self.stream).message(sent.partition, &decoded, rows, Some(now))?;
                if let Some((view, key, other)) = effect.strays.first() {
                    return Err(self.stray(line, (*view, key), [*other, sent.partition]));
                }
                let notes = self.notes(&effect, decoded.num_rows());
                self.story
                    .message(sent, Some(story_rows(&decoded)?), &notes);
                self.tables
                    .add(bronze::events(&self.bench.events.schema, &decoded, origin)?);
            }
            Err(rejection) => {
                self.stream.refused(sent.partition, Some(now));
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

    /// What became of a message.
    fn notes(&self, effect: &Effect, events: usize) -> Vec<String> {
        let of = |count: u64, one: &str, some: &str| match (count, events) {
            (0, _) => None,
            (_, 1) => Some(one.to_owned()),
            (count, events) => Some(format!("{count} of {events} {some}")),
        };
        let mut notes = Vec::new();
        notes.extend(of(effect.repeats, "a repeat", "events repeats"));
        let clocks = "events with clocks that are ahead";
        notes.extend(of(effect.capped, "its clock is ahead", clocks));
        let late = effect.late.iter();
        notes.extend(late.map(|view| format!("late for {}", self.bench.views[*view].name)));
        notes
    }

    /// An entity in two partitions, of a view that is local to one.
    fn stray(&self, line: usize, (view, key): (usize, &Key), of: [i32; 2]) -> anyhow::Error {
        let view = &self.bench.views[view];
        let message = format!(
            "{} has `partition_local: true`, and the case has events of {} in the partitions {} and {}: put them into one, or remove \
             `partition_local` from the view",
            view.name,
            key.join(", "),
            of[0],
            of[1]
        );
        self.wrong(line, &message)
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

/// The cells of decoded rows, as text.
fn story_rows(decoded: &RecordBatch) -> Result<Vec<Row>> {
    let names = cell::names(&decoded.schema());
    let rows = cell::rows(std::slice::from_ref(decoded))?;
    let named = |row: &Vec<Cell>| {
        let texts = row.iter().map(Cell::text);
        names.iter().cloned().zip(texts).collect()
    };
    Ok(rows.iter().map(named).collect())
}

fn midnight(date: NaiveDate) -> i64 {
    date.and_time(NaiveTime::MIN).and_utc().timestamp_micros()
}
