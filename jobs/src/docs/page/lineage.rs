//! The lineage of a domain: the nodes of the graph and its picture.

use anyhow::Result;
use minijinja::value::Value;

use super::book::Book;
use super::names::{file_of, short};
use crate::docs::catalogue::{Entry, Home, Section};
use crate::docs::graph::{self, Node};

impl Book<'_> {
    /// The nodes of a domain's lineage, in dependency order. What it reads of another domain is a node without its own lineage.
    pub(super) fn nodes(&self, domain: &Section) -> Vec<Node> {
        let named = |name: &str| Node {
            name: name.to_owned(),
            label: name.to_owned(),
            group: "topic".to_owned(),
            link: self.file_of(name),
            reads: Vec::new(),
            shelf: 0,
        };
        let mut nodes = vec![named(&domain.topic)];
        for entry in &domain.entries {
            for read in &entry.reads {
                let own = domain.entries.iter().any(|other| other.name == *read);
                if !own && nodes.iter().all(|node| node.name != *read) {
                    nodes.push(named(read));
                }
            }
        }
        nodes.extend(domain.entries.iter().map(node));
        nodes
    }

    /// The graph of nodes as markup.
    pub(super) fn lineage(&self, id: &str, nodes: &[Node], focus: Option<&str>) -> Result<Value> {
        self.templates
            .markup("lineage.svg", graph::draw(id, nodes, focus))
    }
}

fn node(entry: &Entry) -> Node {
    Node {
        name: entry.name.clone(),
        label: short(&entry.name).to_owned(),
        group: entry.group.clone(),
        link: Some(file_of(&entry.name)),
        reads: entry.reads.clone(),
        shelf: match entry.home {
            Home::Lake => 0,
            Home::Seed => 1,
            Home::Online => 2,
            Home::Service => 3,
        },
    }
}
