//! Which cases somebody means.

use userflow_models::cases::Case;
use userflow_process::exit::WrongSetup;

/// A case by its names.
pub(super) struct Named<'a> {
    pub(super) domain: &'a str,
    pub(super) case: &'a Case,
}

impl Named<'_> {
    /// Whether a word names it: its domain, its file (`music/sessions`), or a part of its name.
    pub(super) fn is(&self, word: &str) -> bool {
        self.domain == word
            || format!("{}/{}", self.domain, self.case.group()) == word
            || self.case.name.to_lowercase().contains(&word.to_lowercase())
    }
}

/// Refuses a word that names no case, and the absence of all.
pub(super) fn check(words: &[String], all: &[Named<'_>]) -> Result<(), WrongSetup> {
    if all.is_empty() {
        return Err(WrongSetup(
            "there are no cases: write models/<domain>/tests/<name>.yml (`userflow-jobs test --help` shows one)"
                .to_owned(),
        ));
    }
    let unknown = words
        .iter()
        .find(|word| !all.iter().any(|named| named.is(word)));
    let Some(word) = unknown else { return Ok(()) };
    let mut groups: Vec<String> = all
        .iter()
        .map(|named| format!("{}/{}", named.domain, named.case.group()))
        .collect();
    groups.dedup();
    Err(WrongSetup(format!(
        "no case is called `{word}`: name a domain, a file or words of a case's name; there are {}",
        groups.join(", ")
    )))
}
