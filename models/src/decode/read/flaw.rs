//! Why a place holds a value that its column cannot take.

use crate::decode::plan::SourcePlan;
use crate::decode::problem::Reason;
use crate::decode::slots::Slot;

/// Why a cell has no value.
pub(super) struct Flaw {
    pub(super) reason: Reason,
    pub(super) detail: String,
}

pub(super) fn flaw(reason: Reason, detail: impl Into<String>) -> Flaw {
    Flaw {
        reason,
        detail: detail.into(),
    }
}

/// A value of another JSON type.
pub(super) fn not_a(wanted: &str, source: &SourcePlan, slot: Slot) -> Flaw {
    flaw(
        Reason::WrongType,
        format!(
            "found {} at {}, expected a {wanted}",
            slot.kind.describe(),
            source.pointer
        ),
    )
}

/// A text that cannot be read as what it should be.
pub(super) fn no_time(source: &SourcePlan, wanted: &str) -> Flaw {
    flaw(
        Reason::WrongType,
        format!("the text at {} is not {wanted}", source.pointer),
    )
}
