//! Numbers: exact as far as the column goes, and inside of the contract's range.

use super::flaw::{Flaw, flaw, not_a};
use crate::decode::plan::{ColumnPlan, SourcePlan};
use crate::decode::problem::Reason;
use crate::decode::row::Cell;
use crate::decode::slots::{Kind, Slot};
use crate::number;

/// A JSON number that is an integer, in 64 bits.
#[inline]
pub(super) fn whole(raw: &str) -> Result<i64, Flaw> {
    let Some(exact) = number::exact(raw.as_bytes(), 0) else {
        return Err(flaw(Reason::OutOfRange, "more than 64 bits"));
    };
    if exact.inexact {
        return Err(flaw(
            Reason::WrongType,
            "found a number with a fraction, expected an integer",
        ));
    }
    i64::try_from(exact.units).map_err(|_| flaw(Reason::OutOfRange, "more than 64 bits"))
}

#[inline]
pub(super) fn big_int(raw: &str, plan: &ColumnPlan, slot: Slot) -> Result<Cell, Flaw> {
    let (Kind::Integer | Kind::Number) = slot.kind else {
        return Err(not_a("integer", &plan.sources[0], slot));
    };
    let value = whole(raw)?;
    within(
        plan,
        number::Exact {
            units: i128::from(value),
            inexact: false,
            negative: value < 0,
        },
    )?;
    Ok(Cell::Long(value))
}

/// An exact number; digits beyond the scale are cut.
#[inline]
pub(super) fn decimal(
    raw: &str,
    plan: &ColumnPlan,
    source: &SourcePlan,
    slot: Slot,
    precision: u8,
    scale: u8,
) -> Result<Cell, Flaw> {
    let (Kind::Integer | Kind::Number) = slot.kind else {
        return Err(not_a("number", source, slot));
    };
    let too_long = || flaw(Reason::OutOfRange, "more digits than the column holds");
    let exact = number::exact(raw.as_bytes(), scale).ok_or_else(too_long)?;
    within(plan, exact)?;
    let limit = number::limit(precision);
    if exact.units <= -limit || exact.units >= limit {
        return Err(too_long());
    }
    Ok(Cell::units(exact.units))
}

#[inline]
fn within(plan: &ColumnPlan, number: number::Exact) -> Result<(), Flaw> {
    match plan.bounds.broken_by_units(number) {
        Some(range) => Err(flaw(Reason::OutOfRange, format!("expected {range}"))),
        None => Ok(()),
    }
}

pub(super) fn double(
    raw: &str,
    plan: &ColumnPlan,
    source: &SourcePlan,
    slot: Slot,
) -> Result<Cell, Flaw> {
    let (Kind::Integer | Kind::Number) = slot.kind else {
        return Err(not_a("number", source, slot));
    };
    let value: f64 = raw.parse().unwrap_or(f64::INFINITY);
    if !value.is_finite() {
        return Err(flaw(Reason::OutOfRange, "more than a double holds"));
    }
    match plan.bounds.broken_by_double(value) {
        Some(range) => Err(flaw(Reason::OutOfRange, format!("expected {range}"))),
        None => Ok(Cell::Double(value)),
    }
}
