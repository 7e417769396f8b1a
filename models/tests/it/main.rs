//! Contracts and the decoder, through their public face.
//!
//! `reasons`, `times`, `numbers`, `extra` and `grammar` state each rule by example; `properties` compares the decoder with `reference`, which is
//! written on other ground (serde_json, chrono, arithmetic on text) from hand-written tables (`spec`), never from the
//! contract's compiled form.

#![expect(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "a test stops at the first surprise, and json!() reads best as an argument"
)]

mod broken_contracts;
mod broken_dialects;
mod contracts;
mod dialects;
mod domains;
mod envelopes;
mod extra;
mod generate;
mod grammar;
mod identity;
mod numbers;
mod pairs;
mod properties;
mod reasons;
mod reference;
mod rows;
mod spec;
mod times;
