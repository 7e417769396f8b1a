//! The values of one event on their way from `read` to the columns.

/// The value of one column of one event.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) enum Cell {
    #[default]
    Null,
    /// A range of the message.
    Text(u32, u32),
    /// A range of the scratch text: what had escapes, or is stored as another text.
    Scratch(u32, u32),
    Double(f64),
    /// A `bigint`, or a time in microseconds.
    Long(i64),
    /// An `i128` in two halves, high and low, which keeps every cell at three words.
    Units(i64, u64),
    Boolean(bool),
    Date(i32),
    /// A range of the items: the cells of one after the other.
    List(u32, u32),
}

/// What the cells of a row point into.
#[derive(Clone, Copy)]
pub(super) struct Texts<'a> {
    pub(super) message: &'a str,
    pub(super) scratch: &'a str,
    pub(super) items: &'a [Cell],
}

impl Cell {
    pub(super) fn units(value: i128) -> Self {
        Self::Units((value >> 64) as i64, value as u64)
    }
}

/// The values of one event, each with the number of its column, in any order. A column that is not named is null.
#[derive(Debug, Default)]
pub(super) struct Row(Vec<(u32, Cell)>);

impl Row {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Gives the column its value, which it must not have yet.
    #[inline]
    pub(super) fn fill(&mut self, column: usize, cell: Cell) {
        self.0.push((column as u32, cell));
    }

    /// The columns that have a value, and it.
    #[inline]
    pub(super) fn filled(&self) -> impl Iterator<Item = (usize, Cell)> {
        (self.0.iter()).map(|(column, cell)| (*column as usize, *cell))
    }

    pub(super) fn is_null(&self, column: usize) -> bool {
        self.0.iter().all(|(filled, _)| *filled as usize != column)
    }
}
