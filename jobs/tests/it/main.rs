//! The jobs on a small domain of the tests' own, through the real binary, over a real lake folder.
//!
//! What the tables must hold is computed here by hand or by plain loops, and read back from the Parquet files without a query engine.

mod backfills;
mod commands;
mod faults;
mod messages;
mod plans;
mod runs;
mod upkeep;
mod world;
