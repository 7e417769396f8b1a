//! The `extra` column: what a message holds beyond the contract, as the text of a JSON object.
//!
//! Keys and values are the message's own bytes. A member inside an object of the contract stays inside an object of that
//! name. Of a key that is repeated the last member counts, as everywhere.

use std::collections::HashSet;

use super::shape::Shape;
use super::slots::Unnamed;
use super::text::unescape;
use super::word;

/// Writes the object into `out`, or leaves it empty if there is nothing to keep.
pub(super) fn assemble(message: &str, members: &mut Vec<Unnamed>, shape: &Shape, out: &mut String) {
    out.clear();
    if members.is_empty() {
        return;
    }
    // An object of the contract appears once, so by position its members are neighbours.
    members.sort_by_key(|member| member.start);
    last_of_each_key(message, members, shape);

    let mut path: Vec<u16> = Vec::new();
    let mut wanted: Vec<u16> = Vec::new();
    out.push('{');
    for member in members.iter() {
        path_of(parent_of(member, shape), shape, &mut wanted);
        let common = path
            .iter()
            .zip(&wanted)
            .take_while(|(open, want)| open == want)
            .count();
        for _ in common..path.len() {
            out.push('}');
        }
        path.truncate(common);
        for node in &wanted[common..] {
            comma(out);
            out.push_str(&shape.nodes[usize::from(*node)].token);
            out.push('{');
            path.push(*node);
        }
        comma(out);
        out.push_str(&message[member.start as usize..member.end as usize]);
    }
    for _ in &path {
        out.push('}');
    }
    out.push('}');
}

/// Adds the members of an envelope, as the object `_envelope`.
pub(super) fn with_envelope(out: &mut String, members: &[&str]) {
    if members.is_empty() {
        return;
    }
    match out.pop() {
        Some(_) => comma(out),
        None => out.push('{'),
    }
    out.push_str("\"_envelope\":{");
    out.push_str(&members.join(","));
    out.push_str("}}");
}

fn comma(out: &mut String) {
    if !out.ends_with('{') {
        out.push(',');
    }
}

/// The object that a member is in. A value that stands where an object was expected is in the object around it.
fn parent_of(member: &Unnamed, shape: &Shape) -> u16 {
    match member.in_place_of_node {
        true => (shape.nodes[usize::from(member.node)].parent)
            .expect("the message itself stands in place of no object"),
        false => member.node,
    }
}

/// The objects from the message down to `node`, the message itself left out.
fn path_of(node: u16, shape: &Shape, path: &mut Vec<u16>) {
    path.clear();
    let mut node = node;
    while let Some(parent) = shape.nodes[usize::from(node)].parent {
        path.push(node);
        node = parent;
    }
    path.reverse();
}

fn last_of_each_key(message: &str, members: &mut Vec<Unnamed>, shape: &Shape) {
    if members.len() < 2 {
        return;
    }
    let mut seen: HashSet<(u16, String)> = HashSet::with_capacity(members.len());
    let mut last: Vec<Unnamed> = Vec::with_capacity(members.len());
    for member in members.iter().rev() {
        let mut key = String::new();
        unescape(key_of(message, member), &mut key);
        if seen.insert((parent_of(member, shape), key)) {
            last.push(*member);
        }
    }
    last.reverse();
    *members = last;
}

/// The key between its quotes, as written.
fn key_of<'a>(message: &'a str, member: &Unnamed) -> &'a str {
    let start = member.start as usize + 1;
    let mut end = start;
    loop {
        end = word::plain_until(message.as_bytes(), end);
        match message.as_bytes().get(end) {
            Some(b'\\') => end += 2,
            _ => return &message[start..end],
        }
    }
}
