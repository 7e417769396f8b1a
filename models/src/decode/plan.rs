//! The contract's columns, prepared so that reading a cell asks nothing of the contract any more.

use super::shape::Shape;
use super::slots::Slots;
use crate::contract::{Column, ColumnType, Contract, Presence, Unit, Zone};
use crate::number;

/// How one column is read.
#[derive(Debug)]
pub(super) struct ColumnPlan {
    pub(super) name: String,
    pub(super) column_type: ColumnType,
    pub(super) sources: Vec<SourcePlan>,
    /// The place that is read first.
    pub(super) slot: usize,
    /// The only place, and a text there is taken as it is.
    pub(super) plain_text: bool,
    /// Bytes of a text at most.
    pub(super) most_bytes: u32,
    pub(super) need: Need,
    /// Columns that need this one when they have a value.
    pub(super) needed_by: Vec<usize>,
    pub(super) bounds: Bounds,
    pub(super) values: Vec<(String, String)>,
    pub(super) known: Vec<String>,
    pub(super) zone: Option<Zone>,
    pub(super) event_time: bool,
    /// For a list: the record that an item is, by its number.
    pub(super) record: Option<usize>,
}

/// What decides whether a column is read without a look at its plan. All columns of a contract fit into a few cache lines.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) slot: u32,
    pub(super) plain_text: bool,
    pub(super) most_bytes: u32,
}

#[derive(Debug)]
pub(super) struct SourcePlan {
    pub(super) slot: usize,
    pub(super) pointer: String,
    pub(super) text: bool,
    pub(super) number: bool,
    pub(super) object: bool,
    pub(super) date_time: bool,
    pub(super) written_time: bool,
    /// What a number counts where it is a time, and whether it may have a fraction.
    pub(super) unit: Unit,
    pub(super) fraction: bool,
}

/// When a column must have a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Never,
    Always,
    /// When the message has this object.
    With(usize),
}

/// The range of a number, in the form in which its values are compared.
#[derive(Debug)]
pub(super) enum Bounds {
    None,
    Units {
        low: Option<(i128, bool)>,
        high: Option<(i128, bool)>,
        text: String,
    },
    Double {
        low: Option<(f64, bool)>,
        high: Option<(f64, bool)>,
        text: String,
    },
}

/// How a column is read whose value is at `slots` of `shape`, one for each of its sources. `most_bytes`: of a text.
pub(super) fn column(column: &Column, slots: &[u16], shape: &Shape, most_bytes: u32) -> ColumnPlan {
    ColumnPlan {
        name: column.name.clone(),
        column_type: column.column_type,
        slot: slots
            .first()
            .map_or(Slots::nowhere(shape), |slot| usize::from(*slot)),
        plain_text: plain_text(column),
        most_bytes,
        sources: sources(column, slots),
        need: need(&column.presence, shape),
        needed_by: Vec::new(),
        bounds: bounds(column),
        values: column.checks.values.clone(),
        known: column.checks.known.clone(),
        zone: column.checks.default_zone,
        event_time: false,
        record: None,
    }
}

impl ColumnPlan {
    /// Without a value it is null, and nothing more is to be said.
    pub(super) fn is_optional(&self) -> bool {
        self.need == Need::Never && self.needed_by.is_empty()
    }

    pub(super) fn step(&self) -> Step {
        Step {
            slot: u32::try_from(self.slot).expect("places are counted in 16 bits"),
            plain_text: self.plain_text,
            most_bytes: self.most_bytes,
        }
    }
}

/// Bytes that a text of the contract's column `index` has at most.
pub(super) fn most_bytes(contract: &Contract, index: usize) -> u32 {
    match contract.is_key(index) {
        true => u32::try_from(contract.limits().max_key_bytes)
            .expect("the contract's reader allows no more than a few kB"),
        false => u32::MAX,
    }
}

fn sources(column: &Column, slots: &[u16]) -> Vec<SourcePlan> {
    let plans = column
        .sources
        .iter()
        .zip(slots)
        .map(|(source, slot)| SourcePlan {
            slot: usize::from(*slot),
            pointer: source.pointer.clone(),
            text: source.accepts.text,
            number: source.accepts.number,
            object: source.accepts.object,
            date_time: source.date_time,
            written_time: source.written_time,
            unit: source.unit,
            fraction: source.accepts.fraction,
        });
    plans.collect()
}

fn plain_text(column: &Column) -> bool {
    let [source] = column.sources.as_slice() else {
        return false;
    };
    let text = matches!(column.column_type, ColumnType::String | ColumnType::Id);
    let unchecked = column.checks.known.is_empty() && column.checks.values.is_empty();
    text && unchecked && source.accepts.text && !source.date_time && source.inside.is_none()
}

fn need(presence: &Presence, shape: &Shape) -> Need {
    match presence {
        Presence::Optional => Need::Never,
        Presence::Required => Need::Always,
        Presence::RequiredIn(path) => shape.node_at(path).map_or(Need::Never, Need::With),
    }
}

fn bounds(column: &Column) -> Bounds {
    let (low, high) = (&column.checks.low, &column.checks.high);
    let side = |sign: &str, bound: &crate::contract::Bound| {
        let equal = if bound.inclusive { "=" } else { "" };
        format!("{sign}{equal} {}", bound.text)
    };
    let sides = [
        low.as_ref().map(|b| side(">", b)),
        high.as_ref().map(|b| side("<", b)),
    ];
    let text = sides
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" and ");
    if text.is_empty() {
        return Bounds::None;
    }
    if column.column_type == ColumnType::Double {
        let double = |bound: &Option<crate::contract::Bound>| {
            let bound = bound.as_ref()?;
            Some((bound.text.parse().ok()?, bound.inclusive))
        };
        return Bounds::Double {
            low: double(low),
            high: double(high),
            text,
        };
    }
    let scale = match column.column_type {
        ColumnType::Decimal { scale, .. } => scale,
        _ => 0,
    };
    let units = |bound: &Option<crate::contract::Bound>| {
        let bound = bound.as_ref()?;
        Some((
            number::exact(bound.text.as_bytes(), scale)?.units,
            bound.inclusive,
        ))
    };
    Bounds::Units {
        low: units(low),
        high: units(high),
        text,
    }
}

impl Bounds {
    /// The range that the number breaks, in words.
    #[inline]
    pub(super) fn broken_by_units(&self, number: number::Exact) -> Option<&str> {
        let Self::Units { low, high, text } = self else {
            return None;
        };
        let below = low.is_some_and(|(bound, inclusive)| {
            let order = number.compare(bound);
            order.is_lt() || (order.is_eq() && !inclusive)
        });
        let above = high.is_some_and(|(bound, inclusive)| {
            let order = number.compare(bound);
            order.is_gt() || (order.is_eq() && !inclusive)
        });
        (below || above).then_some(text.as_str())
    }

    /// The range that the number breaks, in words.
    pub(super) fn broken_by_double(&self, number: f64) -> Option<&str> {
        let Self::Double { low, high, text } = self else {
            return None;
        };
        let below =
            low.is_some_and(|(bound, inclusive)| number < bound || (number == bound && !inclusive));
        let above = high
            .is_some_and(|(bound, inclusive)| number > bound || (number == bound && !inclusive));
        (below || above).then_some(text.as_str())
    }
}
