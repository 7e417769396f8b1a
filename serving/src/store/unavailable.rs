//! Why rows cannot be had now.

use crate::refusal::Refusal;

/// Rows cannot be had now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unavailable {
    /// The store is away, or too slow.
    #[error("the online store does not answer")]
    Away,
    /// Its tables are not those of the models.
    #[error("the online store has no such table or column yet: run userflow-jobs init")]
    NotMade,
}

impl From<Unavailable> for Refusal {
    fn from(why: Unavailable) -> Self {
        Self::unavailable(why.to_string())
    }
}
