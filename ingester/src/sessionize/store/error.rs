//! An error of an online store by what is to be done about it. Which error of a store is which kind is decided in its own folder.

use std::fmt;

use userflow_process::exit::WrongSetup;

/// What is to be done about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Kind {
    /// The same may be sent again, later.
    Retry {
        /// It was too much at once: a smaller part may pass at once.
        too_much: bool,
    },
    /// Nothing will be accepted until somebody mends the set-up.
    WrongSetup,
    /// Something in the rows will never be accepted; other rows may be.
    Poison,
}

/// An error of an online store. Shown, it is what the store said; as an [`anyhow::Error`] it says what to do as well.
#[derive(Debug)]
pub(in super::super) struct StoreError {
    pub(in super::super) kind: Kind,
    /// A word for why rows are refused, one of `OnlineStore::reasons`.
    pub(in super::super) reason: &'static str,
    /// The store's own name for the error; empty if it has none.
    pub(in super::super) code: String,
    said: String,
    error: anyhow::Error,
}

impl StoreError {
    /// An error that says `said`, and to people `error`.
    pub(in super::super) fn new(kind: Kind, said: String, error: anyhow::Error) -> Self {
        Self {
            kind,
            reason: "other",
            code: String::new(),
            said,
            error,
        }
    }

    /// With the store's own words for it.
    pub(super) fn named(self, reason: &'static str, code: String) -> Self {
        Self {
            reason,
            code,
            ..self
        }
    }

    /// Something that somebody has to mend.
    pub(super) fn wrong_setup(message: String) -> Self {
        let error = WrongSetup(message.clone()).into();
        Self::new(Kind::WrongSetup, message, error)
    }

    /// Whether the same may be sent again.
    pub(in super::super) fn passes(&self) -> bool {
        matches!(self.kind, Kind::Retry { .. })
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)
    }
}

/// No `std::error::Error`: `?` must keep the kind, which decides the exit code.
impl From<StoreError> for anyhow::Error {
    fn from(error: StoreError) -> Self {
        error.error
    }
}
