//! What can be done with what the store has of a feature view.

use serde::Serialize;

/// What is done with what the store has of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It was not there.
    Created,
    /// It was dropped with its rows and made again.
    Recreated,
    /// A release up to 0.1 made a table of its own: its rows were moved into the table of its entity.
    Moved,
    /// Its rows were there; a SQL view over them was not, or not as it should be, and was made again.
    Repaired,
    /// It was there.
    Unchanged,
}

impl Action {
    /// The word for people, the same as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Recreated => "recreated",
            Self::Moved => "moved",
            Self::Repaired => "repaired",
            Self::Unchanged => "unchanged",
        }
    }
}
