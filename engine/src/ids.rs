//! Numbers of different things, each with a type of its own, so that one is never taken for another.
//!
//! A number is made where the thing is made, and there it is made sure that it fits: afterwards it is an index that cannot miss. A number
//! that does not fit is a broken invariant, and stops the process: going on with another number would mix the state of two users.

/// A record of a table: the state of one entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RecordId(u32);

impl RecordId {
    /// The number of the record at an index of the slab.
    pub(super) fn new(index: usize) -> Self {
        Self(u32::try_from(index).expect("a partition has fewer than 2^32 entities at a time"))
    }

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A view by its place: which table (entity), which view of it. The number by which callers know a view is `ViewPlan::number`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ViewId {
    table: u16,
    view: u16,
}

impl ViewId {
    pub(super) fn new(table: usize, view: usize) -> Self {
        let narrow = |number| u16::try_from(number).expect("a plan has fewer than 2^16 views");
        Self {
            table: narrow(table),
            view: narrow(view),
        }
    }

    pub(super) fn table(self) -> usize {
        usize::from(self.table)
    }

    /// Its place among the views of the table, and its bit in a record's masks.
    pub(super) fn place(self) -> usize {
        usize::from(self.view)
    }

    /// Its bit in a record's masks.
    pub(super) fn bit(self) -> u32 {
        1 << self.view
    }
}

/// A column of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ColumnId(usize);

impl ColumnId {
    pub(super) fn new(column: usize) -> Self {
        Self(column)
    }

    pub(super) fn index(self) -> usize {
        self.0
    }
}

/// A length in the bytes of a key or a checkpoint.
pub(super) fn length(length: usize) -> u32 {
    u32::try_from(length).expect("no text, list or state of a record has 4 GiB")
}
