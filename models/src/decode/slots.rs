//! Where the values of one message are: positions, not texts. Filled by `scan`, read by `read`, reset for every message.

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
    /// Everything but nothing.
    pub(super) const PRESENT: [Self; 9] = [
        Self::Null,
        Self::Text,
        Self::Escaped,
        Self::Integer,
        Self::Number,
        Self::True,
        Self::False,
        Self::Object,
        Self::Array,
    ];

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
            nodes: vec![Kind::Absent; shape.nodes.len()],
            unnamed: Vec::new(),
            misplaced: Vec::new(),
        }
    }

    /// The slot of a column that is nowhere in the message.
    pub(super) fn nowhere(shape: &Shape) -> usize {
        shape.node_of_slot.len()
    }

    pub(super) fn reset(&mut self) {
        self.slots.fill(Slot::ABSENT);
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
