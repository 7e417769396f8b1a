//! The YAML of a feature view: what may be written, checked against the contract. What it means is in `features/view.rs`.
//!
//! `view`: the view as a whole. `entity`, `join`, `window`, `batch`, `online`: its parts. `feature`, `aggregation`, `case`, `pattern`: what is
//! computed. `filter`: conditions on values. `reader`: what every check asks of the contract. `fingerprint`: what the view means, as a hash;
//! `former`: the hash that earlier releases gave it.
//!
//! The YAML parser keeps no positions, so the line of an error is found again by the text of its key.

mod aggregation;
mod batch;
mod case;
mod entity;
mod feature;
mod filter;
mod fingerprint;
mod former;
mod join;
mod online;
mod pattern;
mod reader;
mod view;
mod window;

pub(super) use view::view;
