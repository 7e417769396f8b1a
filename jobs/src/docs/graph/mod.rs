//! The lineage graph as geometry: columns from left to right by distance from the source, lines between them. Markup is in
//! `templates/lineage.svg`.

mod kin;
mod layout;
mod node;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub(super) use kin::around;
pub(super) use node::Node;

use kin::Kin;
use layout::{EDGE, HEIGHT, LONGEST, Spot, spots};

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

/// From the right side of one box to the left side of another.
fn curve(from: &Spot, to: &Spot) -> String {
    let (x1, y1) = (from.x + from.width, from.y + HEIGHT / 2.0);
    let (x2, y2) = (to.x, to.y + HEIGHT / 2.0);
    let middle = fixed((x1 + x2) / 2.0);
    let (x1, y1, x2, y2) = (fixed(x1), fixed(y1), fixed(x2), fixed(y2));
    format!("M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}")
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
