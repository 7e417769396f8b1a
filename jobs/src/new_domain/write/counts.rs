//! What is counted of each event type: one name for it in feature views and in models alike.

use crate::new_domain::guess::{Guesses, numbered, snake};
use crate::new_domain::sample::quoted;

/// Event types that get a count of their own; the others are in the count of all.
const MOST_COUNTED: usize = 25;
/// Names that rows of feature views, or our models, have already.
const TAKEN: [&str; 16] = [
    "event_date",
    "event_time",
    "event_type",
    "events",
    "sessions",
    "version",
    "updated_at",
    "is_final",
    "window_end",
    "timed_out",
    "first_event_at",
    "last_event_at",
    "started_at",
    "last_event_type",
    "recent_event_types",
    "copies",
];

/// A count of one event type.
pub(super) struct Count {
    pub(super) name: String,
    pub(super) event_type: String,
}

impl Count {
    /// A text in SQL.
    pub(super) fn sql(&self) -> String {
        format!("'{}'", self.event_type.replace('\'', "''"))
    }

    /// A text in YAML.
    pub(super) fn yaml(&self) -> String {
        quoted(&self.event_type)
    }
}

/// The counts, most frequent types first.
pub(super) fn counts(guesses: &Guesses) -> Vec<Count> {
    let mut taken: Vec<String> = TAKEN.map(str::to_owned).into();
    taken.extend(guesses.columns.iter().map(|column| column.name.clone()));
    taken.extend(guesses.columns.iter().flat_map(|column| {
        ["sum", "distinct", "recent"].map(|word| format!("{word}_{}", column.name))
    }));
    let types = guesses.types.iter().take(MOST_COUNTED);
    let common = common(guesses);
    let counts = types.map(|(event_type, _)| {
        let name = format!("{}_count", snake(&event_type[common..], 38));
        let name = numbered(&name, &taken);
        taken.push(name.clone());
        Count {
            name,
            event_type: event_type.clone(),
        }
    });
    counts.collect()
}

/// Whether every event type has a count of its own.
pub(super) fn are_all(guesses: &Guesses) -> bool {
    guesses.types.len() <= MOST_COUNTED
}

/// Bytes of what all event types begin with, up to a separator: `com.example.` in `com.example.opened` and `com.example.closed`.
fn common(guesses: &Guesses) -> usize {
    let Some((first, _)) = guesses.types.first() else {
        return 0;
    };
    let ends = first
        .char_indices()
        .filter(|(_, letter)| "./:".contains(*letter));
    let prefixes = ends.map(|(at, _)| at + 1);
    let shared = |end: &usize| {
        let mut types = guesses.types.iter();
        types.all(|(name, _)| name.len() > *end && name.starts_with(&first[..*end]))
    };
    prefixes.filter(shared).max().unwrap_or(0)
}
