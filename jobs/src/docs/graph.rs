//! The lineage graph as geometry: columns from left to right by distance from the source, lines between them. Markup is in
//! `templates/lineage.svg`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

const HEIGHT: f64 = 30.0;
const ROW: f64 = 40.0;
const GAP: f64 = 68.0;
const EDGE: f64 = 8.0;
/// Width of a character of the labels' font, and what a box adds around its label.
const CHARACTER: f64 = 6.7;
const AROUND: f64 = 28.0;
const LONGEST: usize = 34;

/// What is drawn as a box.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) name: String,
    /// The text of the box; the name is its title.
    pub(super) label: String,
    /// Name of its style.
    pub(super) group: String,
    pub(super) link: Option<String>,
    pub(super) reads: Vec<String>,
    /// Boxes of a lower shelf stand above those of a higher one.
    pub(super) shelf: u8,
}

#[derive(Debug, Serialize)]
pub(super) struct Drawing {
    /// Prefix of its classes, one for each drawing of a page.
    id: String,
    width: String,
    height: String,
    box_height: String,
    boxes: Vec<Drawn>,
    lines: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Drawn {
    number: usize,
    x: String,
    y: String,
    width: String,
    label: String,
    name: String,
    group: String,
    link: Option<String>,
    focus: bool,
}

#[derive(Debug, Serialize)]
struct Line {
    path: String,
    /// Numbers of the boxes in whose lineage it is: it is lit when one of them is pointed at.
    lit_by: Vec<usize>,
}

/// The nodes that the one named is computed from, itself, and those computed from it.
pub(super) fn around(nodes: &[Node], name: &str) -> Vec<Node> {
    let kin = Kin::of(nodes);
    let related = |node: &&Node| {
        node.name == name || kin.above(&node.name, name) || kin.above(name, &node.name)
    };
    nodes.iter().filter(related).cloned().collect()
}

/// The ancestors of each node.
struct Kin<'a>(BTreeMap<&'a str, BTreeSet<&'a str>>);

impl<'a> Kin<'a> {
    fn of(nodes: &'a [Node]) -> Self {
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
    fn above(&self, ancestor: &str, node: &str) -> bool {
        self.0
            .get(node)
            .is_some_and(|ancestors| ancestors.contains(ancestor))
    }
}

/// Draws nodes that are in dependency order.
pub(super) fn draw(id: &str, nodes: &[Node], focus: Option<&str>) -> Drawing {
    let spots = spots(nodes);
    let kin = Kin::of(nodes);
    let mut boxes = Vec::new();
    let mut lines = Vec::new();
    for (number, node) in nodes.iter().enumerate() {
        let Some(spot) = spots.get(node.name.as_str()) else {
            continue;
        };
        boxes.push(Drawn {
            number,
            x: fixed(spot.x),
            y: fixed(spot.y),
            width: fixed(spot.width),
            label: shortened(&node.label),
            name: node.name.clone(),
            group: node.group.clone(),
            link: node.link.clone(),
            focus: focus == Some(node.name.as_str()),
        });
        for parent in &node.reads {
            let Some(from) = spots.get(parent.as_str()) else {
                continue;
            };
            let above = |name: &str| name == parent || kin.above(name, parent);
            let below = |name: &str| name == node.name || kin.above(&node.name, name);
            let numbered = nodes.iter().enumerate();
            let lit = numbered.filter(|(_, other)| above(&other.name) || below(&other.name));
            lines.push(Line {
                path: curve(from, spot),
                lit_by: lit.map(|(number, _)| number).collect(),
            });
        }
    }
    let right = spots.values().map(|spot| spot.x + spot.width);
    let bottom = spots.values().map(|spot| spot.y + HEIGHT);
    Drawing {
        id: id.to_owned(),
        width: fixed(right.fold(0.0, f64::max) + EDGE),
        height: fixed(bottom.fold(0.0, f64::max) + EDGE),
        box_height: fixed(HEIGHT),
        boxes,
        lines,
    }
}

/// Where a box is.
struct Spot {
    x: f64,
    y: f64,
    width: f64,
}

/// Places every node. A column is as wide as its longest label.
fn spots(nodes: &[Node]) -> BTreeMap<&str, Spot> {
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

/// From the right side of one box to the left side of another.
fn curve(from: &Spot, to: &Spot) -> String {
    let (x1, y1) = (from.x + from.width, from.y + HEIGHT / 2.0);
    let (x2, y2) = (to.x, to.y + HEIGHT / 2.0);
    let middle = fixed((x1 + x2) / 2.0);
    let (x1, y1, x2, y2) = (fixed(x1), fixed(y1), fixed(x2), fixed(y2));
    format!("M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}")
}

/// The nodes, as indexes, by column, each in the order in which it is drawn.
fn columns(nodes: &[Node]) -> Vec<Vec<usize>> {
    let mut rank: BTreeMap<&str, usize> = BTreeMap::new();
    for node in nodes {
        let parents = node
            .reads
            .iter()
            .filter_map(|parent| rank.get(parent.as_str()));
        rank.insert(&node.name, parents.max().map_or(0, |last| last + 1));
    }
    // What reads nothing stands beside its first reader, not at the far left.
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

/// The row of each node. The fullest column is a plain stack; from it outwards, each node stands level with the middle of its
/// neighbours, as far as there is room.
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
        // Downwards each keeps its distance, then upwards so that none falls off the end. Who has no neighbours yet stands low.
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

fn shortened(label: &str) -> String {
    match label.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", label[..end].trim_end()),
        None => label.to_owned(),
    }
}

/// A coordinate with one decimal, the same on every machine.
fn fixed(number: f64) -> String {
    format!("{number:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, reads: &[&str], shelf: u8) -> Node {
        Node {
            name: name.into(),
            label: name.into(),
            group: "g".into(),
            link: None,
            reads: reads.iter().map(|parent| (*parent).to_owned()).collect(),
            shelf,
        }
    }

    fn sample() -> Vec<Node> {
        vec![
            node("topic", &[], 0),
            node("events", &["topic"], 0),
            node("quarantine", &["topic"], 0),
            node("seed", &[], 1),
            node("silver", &["events", "seed"], 0),
            node("gold1", &["silver"], 0),
            node("gold2", &["silver"], 0),
            node("gold3", &["gold2", "silver"], 0),
            node("view1", &["topic"], 2),
            node("view2", &["topic"], 2),
        ]
    }

    #[test]
    fn columns_follow_what_is_read() {
        let nodes = sample();
        let names = |column: &Vec<usize>| {
            column
                .iter()
                .map(|at| nodes[*at].name.clone())
                .collect::<Vec<_>>()
        };
        let found: Vec<_> = columns(&nodes).iter().map(names).collect();
        let expected = [
            vec!["topic"],
            vec!["events", "quarantine", "seed", "view1", "view2"],
            vec!["silver"],
            vec!["gold1", "gold2"],
            vec!["gold3"],
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn no_two_boxes_touch_and_none_is_outside() {
        for nodes in [sample(), around(&sample(), "gold1"), sample()[..1].to_vec()] {
            let drawing = draw("g", &nodes, None);
            let number = |text: &str| text.parse::<f64>().unwrap();
            for one in &drawing.boxes {
                assert!(
                    number(&one.y) >= 0.0 && number(&one.y) + HEIGHT <= number(&drawing.height),
                    "{drawing:#?}"
                );
                assert!(
                    number(&one.x) + number(&one.width) <= number(&drawing.width),
                    "{drawing:#?}"
                );
                for other in drawing
                    .boxes
                    .iter()
                    .filter(|other| other.number != one.number && other.x == one.x)
                {
                    assert!(
                        (number(&one.y) - number(&other.y)).abs() > HEIGHT,
                        "{} and {}",
                        one.name,
                        other.name
                    );
                }
            }
        }
    }

    #[test]
    fn the_surroundings_are_ancestors_and_descendants() {
        let names = |name: &str| {
            around(&sample(), name)
                .into_iter()
                .map(|node| node.name)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            names("gold3"),
            ["topic", "events", "seed", "silver", "gold2", "gold3"]
        );
        assert_eq!(names("view1"), ["topic", "view1"]);
        assert_eq!(names("seed"), ["seed", "silver", "gold1", "gold2", "gold3"]);
    }

    #[test]
    fn a_line_is_lit_by_the_lineages_it_is_in() {
        let drawing = draw("g", &sample(), None);
        // topic -> events is in the lineage of everything that comes from the events, and not in the views'.
        assert_eq!(drawing.lines[0].lit_by, [0, 1, 4, 5, 6, 7]);
        assert_eq!(drawing.lines.len(), 10);
    }
}
