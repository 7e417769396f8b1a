//! Conditions on values: which events count, which case applies. How they are written: `read/filter.rs`.

/// All of these columns pass their tests. A null passes none.
#[derive(Clone, Debug, PartialEq)]
pub struct Predicate(pub Vec<(usize, Test)>);

/// A test of one value.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// One of these texts.
    OneOf(Vec<String>),
    /// This truth value.
    Is(bool),
    /// Within bounds, in the units of the column (a decimal's: its digits without the point; a rounded feature's: its own).
    Within {
        /// At least.
        from: Option<i64>,
        /// At most.
        to: Option<i64>,
        /// The bounds themselves do not pass: (from, to).
        open: (bool, bool),
    },
}

impl Test {
    /// Whether a number passes.
    pub fn number(&self, value: i64) -> bool {
        match self {
            Self::Within { from, to, open } => {
                from.is_none_or(|from| value > from || (value == from && !open.0))
                    && to.is_none_or(|to| value < to || (value == to && !open.1))
            }
            _ => false,
        }
    }

    /// Whether a text passes.
    pub fn text(&self, value: &str) -> bool {
        matches!(self, Self::OneOf(known) if known.iter().any(|known| known == value))
    }

    /// Whether a truth value passes.
    pub fn truth(&self, value: bool) -> bool {
        matches!(self, Self::Is(wanted) if *wanted == value)
    }
}
