//! The contracts under test: the one that ships, and one that uses everything that it does not.

use std::path::Path;

use userflow_models::contract::Contract;
use userflow_models::domain::Domain;

pub(crate) fn webtoon() -> Contract {
    Domain::load(Path::new(env!("CARGO_MANIFEST_DIR")), "webtoon")
        .unwrap()
        .contract
}

pub(crate) fn nested() -> Contract {
    Contract::parse(Path::new("nested.json"), NESTED).unwrap()
}

/// Objects in objects, aliases inside objects and inside undeclared ones, a value map, every column type, a named zone.
pub(crate) const NESTED: &str = include_str!("nested.json");
