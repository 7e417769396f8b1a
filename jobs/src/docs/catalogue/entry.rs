//! The shape of everything in the catalogue: what a table, a seed and a feature view have in common.

/// Everything, by domain.
pub(in crate::docs) struct Catalogue {
    pub(in crate::docs) domains: Vec<Section>,
}

impl Catalogue {
    pub(in crate::docs) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.domains.iter().flat_map(|domain| &domain.entries)
    }
}

/// One domain.
pub(in crate::docs) struct Section {
    pub(in crate::docs) name: String,
    pub(in crate::docs) description: String,
    pub(in crate::docs) topic: String,
    /// In dependency order.
    pub(in crate::docs) entries: Vec<Entry>,
}

/// Where the rows of an entry are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::docs) enum Home {
    /// A Delta table.
    Lake,
    /// A CSV file of the models folder.
    Seed,
    /// A table or SQL view of the online store.
    Online,
    /// A feature service: rows of several views, put together by who serves them.
    Service,
}

/// A table, a feature view or a feature service.
pub(in crate::docs) struct Entry {
    /// The SQL name, which no other entry has.
    pub(in crate::docs) name: String,
    /// What stands before the dot: the heading under which it is listed.
    pub(in crate::docs) group: String,
    pub(in crate::docs) home: Home,
    pub(in crate::docs) description: String,
    /// The columns that tell rows apart; empty when nothing declares them.
    pub(in crate::docs) grain: Vec<String>,
    pub(in crate::docs) columns: Vec<Column>,
    /// Tests of the whole row.
    pub(in crate::docs) tests: Vec<Rule>,
    /// What else there is to know: label and text.
    pub(in crate::docs) facts: Vec<(&'static str, String)>,
    /// Names of the entries, or the topic, that it is computed from.
    pub(in crate::docs) reads: Vec<String>,
    /// The file that defines it, and its text.
    pub(in crate::docs) file: String,
    pub(in crate::docs) definition: Option<String>,
    /// Of a quarantine: the table that its messages wait for.
    pub(in crate::docs) waits_for: Option<String>,
}

pub(in crate::docs) struct Column {
    pub(in crate::docs) name: String,
    pub(in crate::docs) data_type: String,
    pub(in crate::docs) description: String,
    pub(in crate::docs) tests: Vec<Rule>,
}

/// A test: a name of dbt's with its arguments, or a rule of a contract in words.
pub(in crate::docs) struct Rule {
    pub(in crate::docs) name: String,
    pub(in crate::docs) arguments: String,
}

impl Rule {
    /// A rule in words.
    pub(super) fn in_words(words: String) -> Self {
        Self {
            name: words,
            arguments: String::new(),
        }
    }
}

/// The group of a SQL name.
pub(super) fn group(name: &str) -> String {
    name.split('.').next().unwrap_or_default().to_owned()
}
