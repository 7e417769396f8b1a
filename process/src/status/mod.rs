//! The page for people at `/` of a service's metrics address: what the service is and owns, how far it is, how fast, what went wrong last.
//!
//! ```text
//! service ─▶ Status (facts, counters, tables: plain data) ─▶ history (rates) ─▶ page (HTML)
//! ```
//!
//! A service makes a [`Status`] whenever it is asked; everything else is here. What the words in it mean is the service's business, so a new
//! service gets the page by filling in another [`Status`].

mod history;
mod page;
mod plot;
mod text;

pub use history::{EVERY, History};
pub use page::{Look, render};

/// What a service shows of itself, as it is now.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Its name, such as `ingest` and the domain.
    pub name: String,
    /// What it is and where it works, by name.
    pub facts: Vec<(&'static str, String)>,
    /// What is drawn as a rate.
    pub counters: Vec<Counter>,
    /// Everything else.
    pub tables: Vec<Table>,
}

/// A number that only grows. Its rate of the last ten minutes is drawn.
#[derive(Clone, Debug)]
pub struct Counter {
    /// What is counted, such as `messages read`.
    pub name: &'static str,
    /// How many there were since the start.
    pub total: u64,
}

/// Rows that belong together.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// The heading.
    pub title: &'static str,
    /// What it says, in a sentence.
    pub about: String,
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows, each with a cell for every column.
    pub rows: Vec<Vec<Cell>>,
    /// What stands there when there are no rows.
    pub empty: &'static str,
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// The heading.
    pub name: &'static str,
    /// What it says, for whoever points at it.
    pub about: &'static str,
}

/// A value of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Not known, or there is none.
    Nothing,
    /// A text.
    Text(String),
    /// A number of things.
    Count(i64),
    /// A number that names a place, such as an offset: no separators, so that it can be copied.
    Place(i64),
    /// A number of bytes.
    Bytes(i64),
    /// When something happened, in microseconds since 1970: its age is shown.
    Age(i64),
    /// A time of the events, in microseconds since 1970: it is shown with its age, since both are asked for.
    Time(i64),
}
