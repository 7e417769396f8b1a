//! Where the values of one message are: positions, not texts. Filled by `scan`, read by `read`, reset for every message.

use super::bits::Bits;
use super::shape::Shape;

/// What stands at a place of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Absent,
    Null,
    /// A string without escapes: the bytes are the text.
    Text,
    /// A string with escapes.
    Escaped,
    /// A number without fraction and exponent.
    Integer,
    /// Any other number.
    Number,
    True,
    False,
    Object,
    Array,
}

impl Kind {
    /// How a person calls it.
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Absent => "nothing",
            Self::Null => "null",
            Self::Text | Self::Escaped => "a string",
            Self::Integer | Self::Number => "a number",
            Self::True | Self::False => "a boolean",
            Self::Object => "an object",
            Self::Array => "a list",
        }
    }
}

/// Some of the kinds, a bit for each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kinds(u16);

impl Kinds {
    /// Everything but nothing.
    pub(super) const PRESENT: Self = Self(!(1 << Kind::Absent as u16));
    pub(super) const NONE: Self = Self(0);

    pub(super) fn of<'a>(kinds: impl IntoIterator<Item = &'a Kind>) -> Self {
        let bits = kinds.into_iter().map(|kind| 1 << *kind as u16);
        Self(bits.fold(0, |all, bit| all | bit))
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn others(self) -> Self {
        Self(!self.0)
    }

    #[inline]
    pub(super) fn contain(self, kind: Kind) -> bool {
        self.0 >> kind as u16 & 1 == 1
    }
}

/// A value of the message. `start..end` is the value, for a string what is between its quotes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) kind: Kind,
    /// Where the key's quote is.
    pub(super) key: u32,
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Slot {
    const ABSENT: Self = Self {
        kind: Kind::Absent,
        key: 0,
        start: 0,
        end: 0,
    };

    pub(super) fn range(&self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Where the value ends with its quotes, if it has some.
    pub(super) fn outer_end(&self) -> u32 {
        match self.kind {
            Kind::Text | Kind::Escaped => self.end + 1,
            _ => self.end,
        }
    }
}

/// A member that belongs into the `extra` column: `"key": value` is `start..end` of the message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unnamed {
    /// The object that the member is in, or, with `in_place_of_node`, the object of the contract whose place it takes.
    pub(super) node: u16,
    pub(super) in_place_of_node: bool,
    pub(super) start: u32,
    pub(super) end: u32,
}

/// Everything that was found in one message.
#[derive(Debug, Default)]
pub(super) struct Slots {
    pub(super) slots: Vec<Slot>,
    /// The slots that have been filled since the last reset.
    pub(super) found: Bits,
    /// What stands at each object of the contract, by its number in `shape`.
    pub(super) nodes: Vec<Kind>,
    pub(super) unnamed: Vec<Unnamed>,
    /// What stands in place of an object that the contract declares, and is none.
    pub(super) misplaced: Vec<Unnamed>,
}

impl Slots {
    /// Room for the slots of a shape, and behind them for one that no message fills: see [`Slots::nowhere`].
    pub(super) fn new(shape: &Shape) -> Self {
        Self {
            slots: vec![Slot::ABSENT; Self::nowhere(shape) + 1],
            found: Bits::below(Self::nowhere(shape) + 1),
            nodes: vec![Kind::Absent; shape.nodes.len()],
            unnamed: Vec::new(),
            misplaced: Vec::new(),
        }
    }

    /// The slot of a column that is nowhere in the message.
    pub(super) fn nowhere(shape: &Shape) -> usize {
        shape.node_of_slot.len()
    }

    #[inline]
    pub(super) fn fill(&mut self, slot: u16, value: Slot) {
        self.slots[usize::from(slot)] = value;
        self.found.insert(usize::from(slot));
    }

    pub(super) fn reset(&mut self) {
        for index in 0..self.found.words() {
            for slot in self.found.word(index) {
                self.slots[slot] = Slot::ABSENT;
            }
        }
        self.found.clear();
        self.nodes.fill(Kind::Absent);
        self.unnamed.clear();
        self.misplaced.clear();
    }

    /// Forgets everything below an object that appears a second time: the last one counts.
    pub(super) fn forget(&mut self, slots: std::ops::Range<usize>, nodes: std::ops::Range<usize>) {
        self.slots[slots].fill(Slot::ABSENT);
        self.nodes[nodes.clone()].fill(Kind::Absent);
        let outside = |member: &Unnamed| !nodes.contains(&usize::from(member.node));
        self.unnamed.retain(outside);
        self.misplaced.retain(outside);
    }
}
