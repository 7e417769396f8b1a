//! Finds where the values of the contract's places are, in one pass over the message.
//!
//! Walks the objects of the contract with [`Scanner`], which knows the grammar. Values are not converted here (see `read`);
//! what the contract does not name is noted for `extra`.

use super::grammar::{Fault, Scanner};
use super::shape::{Previous, Shape, Target};
use super::slots::{Kind, Slots, Unnamed};
use super::text::unescape;

/// What the message is, beyond its slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    Object,
    /// Valid JSON, but no object.
    Other(Kind),
}

/// The same for what stands inside a message or around it: apart, so that the scan of messages has a place of its own in the program.
#[inline(never)]
pub(super) fn scan_apart(
    message: &str,
    max_depth: usize,
    shape: &mut Shape,
    slots: &mut Slots,
) -> Result<Root, (Fault, usize)> {
    scan(message, max_depth, shape, slots)
}

/// Reads `message` into `slots`.
#[inline]
pub(super) fn scan(
    message: &str,
    max_depth: usize,
    shape: &mut Shape,
    slots: &mut Slots,
) -> Result<Root, (Fault, usize)> {
    let mut scanner = Scanner {
        text: message,
        bytes: message.as_bytes(),
        pos: 0,
        depth: 0,
        max_depth,
    };
    let root = scanner.root(shape, slots);
    root.map_err(|fault| (fault, scanner.pos))
}

impl Scanner<'_> {
    fn root(&mut self, shape: &mut Shape, slots: &mut Slots) -> Result<Root, Fault> {
        self.space();
        let root = if self.peek() == Some(b'{') {
            self.object(0, shape, slots)?;
            Root::Object
        } else {
            Root::Other(self.value()?.kind)
        };
        self.space();
        match self.peek() {
            None => Ok(root),
            Some(_) => Err(Fault::AfterTheEnd),
        }
    }

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
            let target = match guessed {
                Some((target, length)) => {
                    self.pos += length;
                    Some(target)
                }
                None => self.look_up(node, &mut previous, shape)?,
            };
            if self.peek() != Some(b'"') {
                self.space();
            }
            match target {
                Some(Target::Slot(slot)) => {
                    let mut value = match self.plain_string() {
                        Some(value) => value,
                        None => self.value()?,
                    };
                    value.key = key as u32;
                    slots.fill(slot, value);
                }
                Some(Target::Node(inner)) => self.node(inner, key, shape, slots)?,
                None => {
                    self.value()?;
                    let (start, end) = (key as u32, self.pos as u32);
                    slots.unnamed.push(Unnamed {
                        node,
                        in_place_of_node: false,
                        start,
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
                _ => return Err(Fault::CommaOrBrace),
            }
            if self.peek() != Some(b'"') {
                self.space();
            }
        }
    }

    /// What a key leads to that was not guessed, its colon included.
    #[cold]
    fn look_up(
        &mut self,
        node: u16,
        previous: &mut Previous,
        shape: &mut Shape,
    ) -> Result<Option<Target>, Fault> {
        let name = self.key()?;
        self.space();
        self.expect(b':', Fault::Colon)?;
        let raw = &self.text[name.range()];
        if name.kind == Kind::Text {
            return Ok(shape.look_up(node, previous, raw));
        }
        let mut decoded = String::new();
        unescape(raw, &mut decoded);
        Ok(shape.look_up(node, previous, &decoded))
    }

    /// The value of a key behind which places are expected.
    fn node(
        &mut self,
        node: u16,
        key: usize,
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
        if slots.nodes[number] != Kind::Null {
            let member = Unnamed {
                node,
                in_place_of_node: true,
                start: key as u32,
                end: self.pos as u32,
            };
            match shape.nodes[number].declared {
                true => slots.misplaced.push(member),
                // Only an alias looks inside: what else stands here is as good as unknown.
                false => slots.unnamed.push(member),
            }
        }
        Ok(())
    }
}
