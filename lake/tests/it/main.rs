//! The lake over a store that fails: answers lost, refusals, storms of 503, silence, entries that are cleaned away.
//!
//! The store is `userflow_tests::faulty`. `commits`: commits one by one, by class of answer. `writers`: several writers at once, seeded. `places`: lakes
//! in folders with any name.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops at the first surprise, and says what it injected"
)]

mod commits;
mod places;
mod table;
mod writers;
