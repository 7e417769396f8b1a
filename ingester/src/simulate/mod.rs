//! `simulate`: a population of users as a stream of events, the same bytes for the same seed.
//!
//! ```text
//! simulation.yml ─▶ compile ─▶ program ─┐
//! flags ─▶ plan (extent, starts) ───────┴▶ stream ─▶ session ─▶ message ─▶ sink | topic
//!                                              └▶ summary
//! ```
//!
//! What is played is data under `models/<domain>/`: nothing here knows an event type, a field or an attribute. What is Rust are the
//! primitives: weighted choices that stay with a user, a catalogue with Zipf popularity, sessions as steps with gaps, rates,
//! steps that follow steps or are one of several, and outcomes, values that are drawn for each event, measures (a progress that rises, a counter, the time elapsed, a basket and its total), forms
//! of a message, five faults, and ways to damage or spoil a message.
//!
//! Bytes must not depend on hash maps, clocks, threads or floating point: every choice comes from `draws.rs`.

mod any;
mod basket;
mod calendar;
mod catalogue;
mod clock;
mod compile;
mod config;
mod damage;
mod draws;
mod durations;
mod error;
mod event;
mod extent;
mod fields;
mod garbage;
mod knobs;
mod measure;
mod message;
mod moment;
mod names;
mod plan;
mod program;
mod script;
mod session;
mod sink;
mod skeleton;
mod starts;
mod steps;
mod stream;
mod summary;
mod tally;
#[cfg(test)]
mod tests;
mod text;
mod topic;
mod values;

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use anyhow::Context;

pub use config::{SimulateArgs, Start};
pub use sink::Sink;
pub use stream::Message;
pub use summary::Summary;

use config::Target;
use draws::Streams;
use plan::Plan;
use program::Program;
use sink::{Lines, Pace};
use stream::Stream;
use userflow_process::exit::WrongSetup;

/// Runs `simulate`: plays, sends, and ends with the summary.
pub fn run(args: &SimulateArgs) -> anyhow::Result<()> {
    let began = Instant::now();
    let target = args.target().map_err(WrongSetup::from)?;
    let program = compile::load(&args.models.models, &args.domain).map_err(WrongSetup::from)?;
    let summary = match target {
        Target::File(path) => play(args, &program, &mut Lines::open(path)?)?,
        Target::Kafka { brokers, topic } => play(
            args,
            &program,
            &mut topic::Topic::open(args, brokers, &topic)?,
        )?,
    };
    if let Some(path) = &args.summary {
        let json = serde_json::to_string_pretty(&summary)? + "\n";
        std::fs::write(path, json).with_context(|| format!("write {}", path.display()))?;
    }
    let seconds = began.elapsed().as_secs_f64();
    let pace = summary.messages as f64 / seconds.max(0.001);
    writeln!(
        std::io::stderr(),
        "{summary}  {:<14} {seconds:.1} s, {pace:.0} messages/s",
        "took"
    )
    .ok();
    Ok(())
}

/// Plays into any target, for tests and for other parts of the program.
pub fn simulate(args: &SimulateArgs, sink: &mut dyn Sink) -> anyhow::Result<Summary> {
    play(
        args,
        &compile::load(&args.models.models, &args.domain).map_err(WrongSetup::from)?,
        sink,
    )
}

fn play(args: &SimulateArgs, program: &Program, sink: &mut dyn Sink) -> anyhow::Result<Summary> {
    let streams = Streams::new(args.seed);
    let plan = Plan::new(args, program, &streams).map_err(WrongSetup::from)?;
    let mut stream = Stream::new(program, &plan, &streams);
    let mut progress = Progress::new();
    let pace = args.rate.map(Pace::new);
    let mut number = 0;
    while let Some(message) = stream.next_message() {
        if let Some(pace) = &pace {
            let early = pace.until(number);
            // Shorter waits are not worth a sleep: the next one makes up for them.
            if early >= Duration::from_millis(1) {
                sink.wait(early)?;
            }
        }
        sink.send(&message)?;
        number += 1;
        if number % 8_192 == 0 || pace.is_some() {
            progress.show(number, plan.sessions, stream.tally.sessions());
        }
    }
    sink.finish()?;
    progress.end();
    Ok(stream.tally.summary(args, program, &plan))
}

/// A sign of life for long runs, on a terminal only.
struct Progress {
    shown: Instant,
    terminal: bool,
    dirty: bool,
}

impl Progress {
    const EVERY: Duration = Duration::from_secs(1);

    fn new() -> Self {
        Self {
            shown: Instant::now(),
            terminal: std::io::stderr().is_terminal(),
            dirty: false,
        }
    }

    fn show(&mut self, messages: u64, sessions: u64, begun: u64) {
        if self.terminal && self.shown.elapsed() >= Self::EVERY {
            write!(
                std::io::stderr(),
                "\r  {messages} messages sent, {begun} of {sessions} sessions begun "
            )
            .ok();
            self.shown = Instant::now();
            self.dirty = true;
        }
    }

    fn end(&mut self) {
        if self.dirty {
            write!(std::io::stderr(), "\r{:70}\r", "").ok();
        }
    }
}
