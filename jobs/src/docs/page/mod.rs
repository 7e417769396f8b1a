//! The pages: what stands on each, put together from the catalogue, the lake's state and the history. The markup is in
//! `templates/`; everything that comes from outside is escaped there by the engine.

mod book;
mod index;
mod lineage;
mod names;
mod quality;
mod table;
mod templates;

use std::collections::BTreeMap;

use anyhow::Result;

use super::catalogue::Catalogue;
use super::history::History;
use super::state::State;
use book::Book;
use names::file_of;
use templates::Templates;

/// The page to begin with.
pub(super) const INDEX: &str = "index.html";

/// All pages by file name.
pub(super) fn render(
    catalogue: &Catalogue,
    states: &BTreeMap<String, State>,
    history: &History,
) -> Result<BTreeMap<String, String>> {
    let book = Book {
        catalogue,
        states,
        history,
        templates: Templates::new()?,
    };
    let mut pages = BTreeMap::from([(INDEX.to_owned(), book.index()?)]);
    for domain in &catalogue.domains {
        for entry in &domain.entries {
            pages.insert(file_of(&entry.name), book.table(domain, entry)?);
        }
    }
    Ok(pages)
}
