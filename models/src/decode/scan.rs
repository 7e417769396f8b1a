//! Finds where the values of the contract's places are, in one pass over the message.
//!
//! Walks the objects of the contract with [`Scanner`], which knows the grammar. Values are not converted here (see `read`);
//! what the contract does not name is noted for `extra`.

use super::grammar::{Fault, Scanner};
use super::shape::{Shape, Target};
use super::slots::{Kind, Slots, Unnamed};
use super::text::unescape;

/// What the message is, beyond its slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    Object,
    /// Valid JSON, but no object.
    Other(Kind),
}

/// Reads `message` into `slots`.
pub(super) fn scan(
    message: &str,
    max_depth: usize,
    shape: &mut Shape,
    slots: &mut Slots,
) -> Result<Root, Fault> {
    let mut scanner = Scanner {
        text: message,
        bytes: message.as_bytes(),
        pos: 0,
        depth: 0,
        max_depth,
    };
    scanner.space();
    let root = if scanner.peek() == Some(b'{') {
        scanner.object(0, shape, slots)?;
        Root::Object
    } else {
        Root::Other(scanner.value()?.kind)
    };
    scanner.space();
    match scanner.peek() {
        None => Ok(root),
        Some(_) => Err(scanner.fault("more text after the end of the value")),
    }
}

impl Scanner<'_> {
    /// An object that has places inside; `pos` is at its brace.
    fn object(&mut self, node: u16, shape: &mut Shape, slots: &mut Slots) -> Result<(), Fault> {
        self.enter()?;
        self.space();
        if self.peek() == Some(b'}') {
            self.leave();
            return Ok(());
        }
        let mut previous = shape.start(node);
        loop {
            let key = self.pos;
            let guessed = shape.guess(&mut previous, self.bytes.get(key..).unwrap_or_default());
            let (target, key_end) = match guessed {
                Some((target, length)) => {
                    self.pos += length;
                    (Some(target), key + length - 1)
                }
                None => {
                    let name = self.key()?;
                    let key_end = name.end as usize + 1;
                    self.space();
                    self.expect(b':', "expected `:` after a key")?;
                    let raw = &self.text[name.range()];
                    let target = if name.kind == Kind::Text {
                        shape.look_up(node, &mut previous, raw)
                    } else {
                        let mut decoded = String::new();
                        unescape(raw, &mut decoded);
                        shape.look_up(node, &mut previous, &decoded)
                    };
                    (target, key_end)
                }
            };
            self.space();
            match target {
                Some(Target::Slot(slot)) => {
                    let mut value = self.value()?;
                    value.key = key as u32;
                    value.key_end = key_end as u32;
                    slots.slots[usize::from(slot)] = value;
                }
                Some(Target::Node(inner)) => self.node(inner, key, key_end, shape, slots)?,
                None => {
                    self.value()?;
                    let (start, key_end, end) = (key as u32, key_end as u32, self.pos as u32);
                    slots.unnamed.push(Unnamed {
                        node,
                        in_place_of_node: false,
                        start,
                        key_end,
                        end,
                    });
                }
            }
            if self.peek() != Some(b',') {
                self.space();
            }
            match self.peek() {
                Some(b',') => self.pos += 1,
                Some(b'}') => {
                    self.leave();
                    return Ok(());
                }
                _ => return Err(self.fault("expected `,` or `}` after a value")),
            }
            if self.peek() != Some(b'"') {
                self.space();
            }
        }
    }

    /// The value of a key behind which places are expected.
    fn node(
        &mut self,
        node: u16,
        key: usize,
        key_end: usize,
        shape: &mut Shape,
        slots: &mut Slots,
    ) -> Result<(), Fault> {
        let number = usize::from(node);
        if slots.nodes[number] != Kind::Absent {
            let entry = &shape.nodes[number];
            slots.forget(entry.slots.clone(), entry.nodes.clone());
        }
        if self.peek() == Some(b'{') {
            slots.nodes[number] = Kind::Object;
            return self.object(node, shape, slots);
        }
        slots.nodes[number] = self.value()?.kind;
        if !shape.nodes[number].declared && slots.nodes[number] != Kind::Null {
            // Only an alias looks inside: what else stands here is as good as unknown.
            let (start, key_end, end) = (key as u32, key_end as u32, self.pos as u32);
            slots.unnamed.push(Unnamed {
                node,
                in_place_of_node: true,
                start,
                key_end,
                end,
            });
        }
        Ok(())
    }
}
