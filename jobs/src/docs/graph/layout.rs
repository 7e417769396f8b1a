//! Where the boxes stand: in columns by their distance from the source, level with their neighbours.

use std::collections::BTreeMap;

use super::node::Node;

/// Height of a box.
pub(super) const HEIGHT: f64 = 30.0;
/// From one row to the next.
const ROW: f64 = 40.0;
/// Between two columns.
const GAP: f64 = 68.0;
/// Around the whole graph.
pub(super) const EDGE: f64 = 8.0;
/// Width of a character of the labels' font, and what a box adds around its label.
const CHARACTER: f64 = 6.7;
const AROUND: f64 = 28.0;
/// Characters of the longest label.
pub(super) const LONGEST: usize = 34;

/// Where a box is.
pub(super) struct Spot {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
}

/// Places every node. A column is as wide as its longest label.
pub(super) fn spots(nodes: &[Node]) -> BTreeMap<&str, Spot> {
    let columns = columns(nodes);
    let rows = rows(nodes, &columns);
    let mut spots = BTreeMap::new();
    let mut x = EDGE;
    for column in &columns {
        let lengths = column
            .iter()
            .map(|index| nodes[*index].label.chars().count());
        let longest = lengths.max().unwrap_or_default().clamp(8, LONGEST);
        let width = float(longest) * CHARACTER + AROUND;
        for index in column {
            let name = nodes[*index].name.as_str();
            let y = EDGE + rows[name] * ROW;
            spots.insert(name, Spot { x, y, width });
        }
        x += width + GAP;
    }
    spots
}

/// The nodes, as indexes, by column, each in the order in which it is drawn.
pub(super) fn columns(nodes: &[Node]) -> Vec<Vec<usize>> {
    let mut rank: BTreeMap<&str, usize> = BTreeMap::new();
    for node in nodes {
        let parents = node
            .reads
            .iter()
            .filter_map(|parent| rank.get(parent.as_str()));
        rank.insert(&node.name, parents.max().map_or(0, |last| last + 1));
    }
    // A node that reads nothing is placed beside its first reader, not at the far left.
    for node in nodes.iter().filter(|node| node.reads.is_empty()) {
        let readers = nodes
            .iter()
            .filter(|other| other.reads.contains(&node.name));
        let first = readers
            .filter_map(|reader| rank.get(reader.name.as_str()))
            .min()
            .copied();
        rank.insert(&node.name, first.unwrap_or_default().saturating_sub(1));
    }
    let last = rank.values().max().copied().unwrap_or_default();
    let mut columns = vec![Vec::new(); last + 1];
    for (index, node) in nodes.iter().enumerate() {
        columns[rank[node.name.as_str()]].push(index);
    }
    for column in &mut columns {
        column.sort_by_key(|index| nodes[*index].shelf);
    }
    columns
}

/// The row of each node. The fullest column is a plain stack. From it outwards, each node is level with the middle of its neighbours
/// where there is room.
fn rows<'a>(nodes: &'a [Node], columns: &[Vec<usize>]) -> BTreeMap<&'a str, f64> {
    let fullest = (0..columns.len())
        .rev()
        .max_by_key(|column| columns[*column].len())
        .unwrap_or_default();
    let last = columns
        .get(fullest)
        .map_or(0.0, |column| float(column.len().saturating_sub(1)));
    let mut rows: BTreeMap<&str, f64> = BTreeMap::new();
    let outwards = (0..=fullest).rev().chain(fullest + 1..columns.len());
    for column in outwards.filter_map(|column| columns.get(column)) {
        let linked = |a: &Node, b: &Node| a.reads.contains(&b.name) || b.reads.contains(&a.name);
        let wanted = |index: &usize| {
            let node = &nodes[*index];
            let neighbours = nodes.iter().filter(|other| linked(node, other));
            let levels: Vec<f64> = neighbours
                .filter_map(|other| rows.get(other.name.as_str()).copied())
                .collect();
            (!levels.is_empty()).then(|| levels.iter().sum::<f64>() / float(levels.len()))
        };
        // First downwards, keeping the distance; then upwards, so that none is below the last row. Nodes without placed neighbours come last.
        let mut placed: Vec<f64> = Vec::with_capacity(column.len());
        for index in column {
            let least = placed.last().map_or(0.0, |above| above + 1.0);
            let free = if columns.get(fullest) == Some(column) {
                0.0
            } else {
                last
            };
            placed.push(wanted(index).unwrap_or(free).max(least));
        }
        let mut most = last;
        for row in placed.iter_mut().rev() {
            *row = row.min(most);
            most = *row - 1.0;
        }
        rows.extend(
            column
                .iter()
                .zip(placed)
                .map(|(index, row)| (nodes[*index].name.as_str(), row)),
        );
    }
    rows
}

/// A number of characters, columns or rows.
fn float(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::MAX, f64::from)
}
