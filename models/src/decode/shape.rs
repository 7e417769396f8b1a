//! The places of a contract as a tree that the scanner walks, with a guess of the key that comes next.
//!
//! Producers write their keys in one order, give or take an optional field. So for each key the two keys that last followed
//! it are remembered, and the next key is first compared with those, quotes and colon included, before it is looked up.

use std::collections::HashMap;
use std::ops::Range;

/// No guess yet.
const NONE: u16 = u16::MAX;

/// What a key of the contract leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// A value, by its number among all places.
    Slot(u16),
    /// An object with places inside, by its number.
    Node(u16),
}

#[derive(Debug)]
struct Member {
    token: Token,
    target: Target,
}

/// `"key":` as a producer writes it. Keys are short: up to 32 bytes are compared as four words, without a call.
#[derive(Debug)]
struct Token {
    text: Box<[u8]>,
    words: [u64; 4],
    masks: [u64; 4],
}

impl Token {
    fn new(text: &str) -> Self {
        let mut padded = [0; 32];
        let mut mask = [0; 32];
        for (index, byte) in text.bytes().take(32).enumerate() {
            padded[index] = byte;
            mask[index] = 0xFF;
        }
        Self {
            text: text.as_bytes().into(),
            words: words(&padded),
            masks: words(&mask),
        }
    }

    #[inline]
    fn starts(&self, rest: &[u8]) -> bool {
        match rest.first_chunk::<32>() {
            Some(head) if self.text.len() <= 32 => {
                let head = words(head);
                let differs = |i: usize| (head[i] ^ self.words[i]) & self.masks[i];
                differs(0) | differs(1) | differs(2) | differs(3) == 0
            }
            _ => rest.starts_with(&self.text),
        }
    }
}

#[inline]
fn words(bytes: &[u8; 32]) -> [u64; 4] {
    let (words, _) = bytes.as_chunks::<8>();
    [words[0], words[1], words[2], words[3]].map(u64::from_le_bytes)
}

/// An object that has places inside. The first is the message itself.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) parent: Option<u16>,
    /// `"key":`, or nothing for the message itself.
    pub(super) token: String,
    pub(super) pointer: String,
    /// Declared as an object in the contract, not only passed through by an alias.
    pub(super) declared: bool,
    /// All places inside, at any depth.
    pub(super) slots: Range<usize>,
    /// The object itself and all objects inside.
    pub(super) nodes: Range<usize>,
    by_name: HashMap<String, u16>,
}

/// The tree. Objects and places are numbered depth first, so what is inside an object is a range.
#[derive(Debug)]
pub(super) struct Shape {
    members: Vec<Member>,
    pub(super) nodes: Vec<Node>,
    /// The object that each place is in.
    pub(super) node_of_slot: Vec<u16>,
    /// For each member, and after them each object's start: the members that followed it, latest first.
    next: Vec<[u16; 2]>,
}

/// A place on the way from one key to the next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Previous(usize);

impl Shape {
    /// Builds the tree of some places, and returns which slot each of them is. A place that is given twice is one slot.
    pub(super) fn compile(places: &[Place<'_>]) -> (Self, Vec<u16>) {
        let mut shape = Self {
            members: Vec::new(),
            nodes: Vec::new(),
            node_of_slot: Vec::new(),
            next: Vec::new(),
        };
        let mut slots = vec![0; places.len()];
        let numbered: Vec<(usize, Place<'_>)> = places.iter().copied().enumerate().collect();
        shape.grow(None, "", &numbered, 0, &mut slots);
        shape.next = vec![[NONE; 2]; shape.members.len() + shape.nodes.len()];
        (shape, slots)
    }

    fn grow(
        &mut self,
        parent: Option<u16>,
        key: &str,
        places: &[(usize, Place<'_>)],
        depth: usize,
        slots: &mut [u16],
    ) -> u16 {
        let number = self.nodes.len();
        let id = narrow(number);
        let outer = parent.map_or("", |parent| {
            self.nodes[usize::from(parent)].pointer.as_str()
        });
        let pointer = if parent.is_some() {
            format!("{outer}/{key}")
        } else {
            String::new()
        };
        let first_slot = self.node_of_slot.len();
        self.nodes.push(Node {
            parent,
            token: if parent.is_some() {
                token(key)
            } else {
                String::new()
            },
            pointer,
            declared: places.iter().any(|(_, place)| place.declared),
            slots: first_slot..first_slot,
            nodes: number..number,
            by_name: HashMap::new(),
        });
        let mut by_name = HashMap::new();
        for (number, place) in places {
            let name = &place.path[depth];
            if let Some(member) = by_name.get(name) {
                // Known already; if it is a value, this is another reader of it.
                let member: u16 = *member;
                if let Target::Slot(slot) = self.members[usize::from(member)].target {
                    slots[*number] = slot;
                }
                continue;
            }
            let member = narrow(self.members.len());
            by_name.insert(name.clone(), member);
            let slot = narrow(self.node_of_slot.len());
            let target = if place.path.len() == depth + 1 {
                self.node_of_slot.push(id);
                slots[*number] = slot;
                Target::Slot(slot)
            } else {
                Target::Node(NONE)
            };
            self.members.push(Member {
                token: Token::new(&token(name)),
                target,
            });
            if target == Target::Node(NONE) {
                let inside: Vec<(usize, Place<'_>)> = places
                    .iter()
                    .filter(|(_, other)| other.path[depth] == *name)
                    .copied()
                    .collect();
                let node = self.grow(Some(id), name, &inside, depth + 1, slots);
                self.members[usize::from(member)].target = Target::Node(node);
            }
        }
        let (slots_end, nodes_end) = (self.node_of_slot.len(), self.nodes.len());
        let node = &mut self.nodes[number];
        node.slots.end = slots_end;
        node.nodes.end = nodes_end;
        node.by_name = by_name;
        id
    }

    /// The object at a path of keys.
    pub(super) fn node_at(&self, path: &[String]) -> Option<usize> {
        path.iter().try_fold(0, |node: usize, key| {
            let member = *self.nodes[node].by_name.get(key)?;
            match self.members[usize::from(member)].target {
                Target::Node(inner) => Some(usize::from(inner)),
                Target::Slot(_) => None,
            }
        })
    }

    /// The slot or the object at a path of keys.
    pub(super) fn target_at(&self, path: &[String]) -> Option<Target> {
        let (last, outer) = path.split_last()?;
        let member = *self.nodes[self.node_at(outer)?].by_name.get(last)?;
        Some(self.members[usize::from(member)].target)
    }

    /// The start of an object, before its first key.
    pub(super) fn start(&self, node: u16) -> Previous {
        Previous(self.members.len() + usize::from(node))
    }

    /// If `rest` begins with a key that followed `previous` before: what it leads to and the length of `"key":`.
    #[inline]
    pub(super) fn guess(
        &mut self,
        previous: &mut Previous,
        rest: &[u8],
    ) -> Option<(Target, usize)> {
        let [first, second] = self.next[previous.0];
        if let Some(member) = self.members.get(usize::from(first))
            && member.token.starts(rest)
        {
            *previous = Previous(usize::from(first));
            return Some((member.target, member.token.text.len()));
        }
        let member = self.members.get(usize::from(second))?;
        if !member.token.starts(rest) {
            return None;
        }
        self.next[previous.0] = [second, first];
        *previous = Previous(usize::from(second));
        Some((member.target, member.token.text.len()))
    }

    /// Looks a key up by name, and remembers that it followed `previous`.
    pub(super) fn look_up(
        &mut self,
        node: u16,
        previous: &mut Previous,
        key: &str,
    ) -> Option<Target> {
        let member = *self.nodes[usize::from(node)].by_name.get(key)?;
        let last = self.next[previous.0][0];
        if last != member {
            self.next[previous.0] = [member, last];
        }
        *previous = Previous(usize::from(member));
        Some(self.members[usize::from(member)].target)
    }
}

/// A place of a message that somebody reads.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) path: &'a [String],
    /// The contract has a property here, not only an alias.
    pub(super) declared: bool,
}

fn token(key: &str) -> String {
    format!("{}:", serde_json::Value::from(key))
}

/// A contract has far fewer places, and so objects, than 65,535.
fn narrow(number: usize) -> u16 {
    u16::try_from(number)
        .ok()
        .filter(|number| *number != NONE)
        .expect("a contract of fewer than 65,535 places")
}
