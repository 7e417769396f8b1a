//! Who is an ancestor of whom.

use std::collections::{BTreeMap, BTreeSet};

use super::node::Node;

/// The nodes that the one named is computed from, itself, and those computed from it.
pub(in crate::docs) fn around(nodes: &[Node], name: &str) -> Vec<Node> {
    let kin = Kin::of(nodes);
    let related = |node: &&Node| {
        node.name == name || kin.above(&node.name, name) || kin.above(name, &node.name)
    };
    nodes.iter().filter(related).cloned().collect()
}

/// The ancestors of each node.
pub(super) struct Kin<'a>(BTreeMap<&'a str, BTreeSet<&'a str>>);

impl<'a> Kin<'a> {
    /// Of nodes in dependency order.
    pub(super) fn of(nodes: &'a [Node]) -> Self {
        let mut ancestors: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for node in nodes {
            let mut all = BTreeSet::new();
            for parent in &node.reads {
                all.insert(parent.as_str());
                all.extend(ancestors.get(parent.as_str()).into_iter().flatten());
            }
            ancestors.insert(&node.name, all);
        }
        Self(ancestors)
    }

    /// Whether one is an ancestor of the other.
    pub(super) fn above(&self, ancestor: &str, node: &str) -> bool {
        self.0
            .get(node)
            .is_some_and(|ancestors| ancestors.contains(ancestor))
    }
}
