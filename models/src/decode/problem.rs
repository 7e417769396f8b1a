//! Why a message is refused.

use std::fmt;

/// The kind of a problem, as it stands in the quarantine's `reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The message is no UTF-8 text.
    InvalidUtf8,
    /// The message is no JSON text, or is empty, or nests too deep.
    InvalidJson,
    /// A required field is absent, null or empty.
    MissingField,
    /// A field holds another type than the contract says, or a text that is no time.
    WrongType,
    /// A number or a time lies outside of what the contract or the column allows.
    OutOfRange,
    /// The event type is none of the contract's.
    UnknownEventType,
    /// The message is longer than the contract allows, or a key in it is.
    TooLarge,
    /// The event lies too far ahead of the time at which Kafka received it, or before it.
    ClockSkew,
}

impl Reason {
    /// Every reason, in the order of declaration.
    pub const ALL: [Self; 8] = [
        Self::InvalidUtf8,
        Self::InvalidJson,
        Self::MissingField,
        Self::WrongType,
        Self::OutOfRange,
        Self::UnknownEventType,
        Self::TooLarge,
        Self::ClockSkew,
    ];

    /// The name under which the reason is stored and counted.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidUtf8 => "invalid_utf8",
            Self::InvalidJson => "invalid_json",
            Self::MissingField => "missing_field",
            Self::WrongType => "wrong_type",
            Self::OutOfRange => "out_of_range",
            Self::UnknownEventType => "unknown_event_type",
            Self::TooLarge => "too_large",
            Self::ClockSkew => "clock_skew",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// One thing that is wrong with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What kind of problem it is.
    pub reason: Reason,
    /// The column that has no usable value, or "" when the message as a whole is at fault.
    pub field: String,
    /// What was found and what was expected, for a person. Never the text of a field: that is in the quarantined bytes.
    pub detail: String,
}

/// A message that became no row, with everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// All problems, never empty: one alone for the message as a whole, else in the order of the contract's columns.
    pub problems: Vec<Problem>,
}

impl Rejection {
    pub(super) fn whole(reason: Reason, detail: String) -> Self {
        Self {
            problems: vec![Problem {
                reason,
                field: String::new(),
                detail,
            }],
        }
    }

    /// Says which event of a list the problems are of.
    pub(super) fn of_item(mut self, index: usize, of: usize) -> Self {
        for problem in &mut self.problems {
            problem.detail = format!(
                "event {} of {of} in the list: {}",
                index + 1,
                problem.detail
            );
        }
        self
    }

    /// A message without a value: a tombstone.
    pub fn no_value() -> Self {
        Self::whole(Reason::InvalidJson, "the message has no value".to_owned())
    }

    /// The first problem's reason.
    pub fn reason(&self) -> Reason {
        self.problems
            .first()
            .map_or(Reason::InvalidJson, |problem| problem.reason)
    }

    /// All problems as a JSON list of `{"reason", "field", "detail"}`, for the quarantine.
    pub fn to_json(&self) -> String {
        let list = self.problems.iter().map(|problem| {
            serde_json::json!({
                "reason": problem.reason.as_str(),
                "field": problem.field,
                "detail": problem.detail,
            })
        });
        serde_json::Value::Array(list.collect()).to_string()
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (
            index,
            Problem {
                reason,
                field,
                detail,
            },
        ) in self.problems.iter().enumerate()
        {
            let separator = if index == 0 { "" } else { "; " };
            match field.as_str() {
                "" => write!(out, "{separator}{reason}: {detail}")?,
                field => write!(out, "{separator}{reason} in {field}: {detail}")?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Rejection {}
