//! The last warnings and errors that were logged, for the status page: whoever looks there need not find the log first.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// How many are kept.
const KEPT: usize = 20;
/// Longest text that is kept of one, in bytes.
const LONGEST: usize = 1_000;

/// What was logged is of the process, as the log is.
static RECENT: Recent = Recent(Mutex::new(VecDeque::new()));

/// A warning or an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When it was logged last.
    pub at: SystemTime,
    /// Whether it is an error.
    pub error: bool,
    /// What it says, with its fields.
    pub text: String,
    /// How often it was logged while it was among the last.
    pub times: u64,
}

struct Recent(Mutex<VecDeque<Line>>);

/// The last warnings and errors, the newest first.
pub fn lines() -> Vec<Line> {
    RECENT.lines()
}

/// What keeps them.
pub(crate) fn layer<S: Subscriber>() -> impl Layer<S> {
    &RECENT
}

impl Recent {
    fn lines(&self) -> Vec<Line> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().rev().cloned().collect()
    }

    fn note(&self, at: SystemTime, error: bool, text: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What is said again and again, in turn with something else, would drive out everything before it.
        let before = (lines.iter()).position(|line| line.error == error && line.text == text);
        let times = before.and_then(|index| lines.remove(index));
        lines.push_back(Line {
            at,
            error,
            text,
            times: times.map_or(0, |line| line.times) + 1,
        });
        if lines.len() > KEPT {
            lines.pop_front();
        }
    }
}

impl<S: Subscriber> Layer<S> for &'static Recent {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = *event.metadata().level();
        if level > Level::WARN {
            return;
        }
        let mut words = Words::default();
        event.record(&mut words);
        let mut text = words.message + &words.fields;
        if text.len() > LONGEST {
            let end = text.floor_char_boundary(LONGEST);
            text.truncate(end);
            text.push('…');
        }
        self.note(SystemTime::now(), level == Level::ERROR, text);
    }
}

/// The words of a line: its message, then its fields.
#[derive(Default)]
struct Words {
    message: String,
    fields: String,
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value}"),
            name => write!(self.fields, " {name}={value}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn the_last_warnings_and_errors_are_kept_and_repeats_are_counted() {
        static HERE: Recent = Recent(Mutex::new(VecDeque::new()));
        let subscriber = tracing_subscriber::registry().with(&HERE);
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("not kept");
            tracing::warn!(partition = 3, who = "me", "slow {}", "store");
            for attempt in 0..3 {
                tracing::error!("away");
                if attempt < 2 {
                    tracing::warn!("again");
                }
            }
        });
        let lines = HERE.lines();
        let said: Vec<_> = (lines.iter())
            .map(|line| (line.error, line.text.as_str(), line.times))
            .collect();
        assert_eq!(
            said,
            [
                (true, "away", 3),
                (false, "again", 2),
                (false, "slow store partition=3 who=me", 1)
            ]
        );
    }

    #[test]
    fn what_is_kept_has_bounds() {
        static HERE: Recent = Recent(Mutex::new(VecDeque::new()));
        let subscriber = tracing_subscriber::registry().with(&HERE);
        tracing::subscriber::with_default(subscriber, || {
            for number in 0..100 {
                tracing::warn!("{number} {}", "ü".repeat(1_000));
            }
        });
        let lines = HERE.lines();
        assert_eq!(lines.len(), KEPT);
        assert!(lines[0].text.starts_with("99 ") && lines[0].text.len() <= LONGEST + 3);
    }
}
