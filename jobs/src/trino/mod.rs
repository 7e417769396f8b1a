//! Trino: statements over its HTTP protocol, and what its refusals mean. Which tables are there is not known here
//! ([`crate::register`]).

mod address;
mod client;

pub use address::TrinoUrl;
pub use client::Trino;
