//! Feature tests: `models/<domain>/tests/*.yml`, read and checked as far as the contract tells.
//!
//! A case is what happens (events, repeats, broken messages, time that passes) and what must then be so (rows of feature views and of
//! tables, what is in quarantine). Here: the files, and the bytes of the messages. Not here: playing a case and judging it
//! (`jobs/src/test`), which views and tables there are.
//!
//! ```text
//! *.yml -> read (file, cases, defaults) -> step (what a line means) -> send (what is sent) -> message (fields and defaults -> bytes)
//!                └ given (dimensions)        └ expect (rows)                                └ sample (valid values)
//! ```

mod case;
mod clock;
mod expect;
mod given;
mod lines;
mod message;
mod read;
mod sample;
mod send;
mod sent;
mod step;

use std::path::Path;

pub use case::{Case, Given};
pub use clock::Clock;
pub use expect::{Expectation, Expected, ExpectedRow, Rows, Subject};
pub use sent::Sent;
pub use step::{Doing, Step};

use crate::domain::Domain;
use crate::error::{ConfigError, Problem};
use crate::features::{self, Dimension};

/// The folder of a domain's cases.
pub const FOLDER: &str = "tests";

/// The cases of a domain, in the order of its files. A domain without a `tests` folder has none.
pub fn load(domain: &Domain) -> Result<Vec<Case>, ConfigError> {
    let dir = domain.dir.join(FOLDER);
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let files = crate::project::files(&dir, "yml")?;
    let dimensions = features::dimensions(domain)?;
    let (mut cases, mut problems) = (Vec::new(), Vec::new());
    for file in files {
        match one(&file, domain, &dimensions) {
            Ok(found) => cases.extend(found),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        Ok(cases)
    } else {
        Err(ConfigError::Project(problems))
    }
}

fn one(file: &Path, domain: &Domain, dimensions: &[Dimension]) -> Result<Vec<Case>, Problem> {
    let text = crate::project::read_file(file)?;
    read::cases(file, &text, &domain.contract, dimensions)
}

/// Reads cases from text: for tests of what is made of them.
pub fn parse(text: &str, contract: &crate::contract::Contract) -> Result<Vec<Case>, ConfigError> {
    Ok(read::cases(Path::new("cases.yml"), text, contract, &[])?)
}
