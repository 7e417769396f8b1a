//! Which messages of the quarantine have been landed since, and which wait.
//!
//! ```text
//! quarantine (one version) ─▶ select (filters, portions that fit into memory) ─▶ places ─┐
//! bronze (one version)     ─▶ landed (which of these places have a row)                ──┴▶ waiting ─▶ check, docs, show
//!                                                                                        └▶ crate::replay, which lands them
//! ```
//!
//! The quarantine is append-only: a message that was landed stays in it. Only its row in bronze, marked by `_replayed_at`, shows that it
//! was landed. So the two tables cannot disagree, and landing needs one commit and not two. Not here: decoding and committing (`crate::replay`).

mod count;
mod landed;
mod place;
mod portion;
mod refused;
mod select;
mod texts;
mod waiting;

pub use count::{most_rows, waiting, waiting_in};
pub use landed::{Landed, Rows, Wanted, landed, replayed_files};
pub use place::{Place, Places, Topics};
pub use portion::{Portion, portions};
pub use refused::refused;
pub use select::Selection;
pub use waiting::{Counts, Waiting};
