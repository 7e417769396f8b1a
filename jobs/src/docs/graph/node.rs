//! A box of the graph, before it has a place.

/// What is drawn as a box.
#[derive(Clone, Debug)]
pub(in crate::docs) struct Node {
    pub(in crate::docs) name: String,
    /// The text of the box; the name is its title.
    pub(in crate::docs) label: String,
    /// Name of its style.
    pub(in crate::docs) group: String,
    pub(in crate::docs) link: Option<String>,
    pub(in crate::docs) reads: Vec<String>,
    /// Boxes of a lower shelf stand above those of a higher one.
    pub(in crate::docs) shelf: u8,
}
