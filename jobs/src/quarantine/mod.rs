//! The quarantine as a waiting room: which of its messages have been landed since, and which wait.
//!
//! ```text
//! quarantine (one version) ─▶ select (filters, portions that fit into memory) ─▶ places ─┐
//! bronze (one version)     ─▶ landed (which of these places have a row)                ──┴▶ waiting ─▶ check, docs, show
//!                                                                                        └▶ crate::replay, which lands them
//! ```
//!
//! The quarantine is append-only: a message that was landed stays in it. That it was landed is said by the row of bronze that it has
//! become, which `_replayed_at` marks, and by nothing else; so the two tables cannot disagree, and no second commit has to follow the
//! first. Not here: decoding and committing (`crate::replay`).

mod count;
mod landed;
mod place;
mod portion;
mod select;
mod texts;
mod waiting;

pub use count::{most_rows, replayed, waiting, waiting_in};
pub use landed::{Landed, Rows, Wanted, landed};
pub use place::{Place, Places, Topics};
pub use portion::{Portion, portions};
pub use select::Selection;
pub use waiting::{Counts, Waiting};
