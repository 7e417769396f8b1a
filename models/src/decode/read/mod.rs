//! From the slots of a message to the cells of a row, with every problem on the way.
//!
//! Here: which place a column is read from and what it means that there is no value. What a value becomes: `values`, by type
//! in `texts`, `numbers` and `times`.

mod flaw;
mod numbers;
mod texts;
mod times;
mod values;

use super::columns::Cell;
use super::plan::{ColumnPlan, Need, SourcePlan};
use super::problem::{Problem, Reason};
use super::shape::Shape;
use super::slots::{Kind, Slot, Slots, Unnamed};
use super::timestamp::{self, Clock};
use flaw::{Flaw, flaw};

/// What reading needs besides the plan: all of it is reused from message to message.
#[derive(Debug, Default)]
pub(in crate::decode) struct Reader {
    clock: Clock,
    local_clock: Clock,
    /// Texts that are not as they stand in the message.
    pub(in crate::decode) scratch: String,
    pub(in crate::decode) cells: Vec<Cell>,
    event_day: Cell,
    pub(in crate::decode) problems: Vec<Problem>,
}

/// The message at hand.
#[derive(Clone, Copy)]
pub(in crate::decode) struct Message<'a> {
    pub(in crate::decode) text: &'a str,
    /// The event times that are believed, in UTC milliseconds.
    pub(in crate::decode) earliest_ms: i64,
    pub(in crate::decode) latest_ms: i64,
}

impl Reader {
    /// Fills `cells`, and `problems` if there are any. Aliases that were not used move to the unnamed members.
    pub(in crate::decode) fn read(
        &mut self,
        message: Message<'_>,
        plans: &[ColumnPlan],
        shape: &Shape,
        slots: &mut Slots,
    ) {
        self.scratch.clear();
        self.cells.clear();
        self.problems.clear();
        self.event_day = Cell::Null;
        let misplaced = misplaced(shape, slots);
        for plan in plans {
            let slot = slots.slots[plan.slot];
            let length = slot.end.wrapping_sub(slot.start);
            if plan.plain_text && slot.kind == Kind::Text && 0 < length && length <= plan.most_bytes
            {
                self.cells.push(Cell::Text(slot.start, slot.end));
                continue;
            }
            self.checked_cell(plan, message, plans, shape, slots, &misplaced);
        }
        let event_day = self.event_day;
        self.cells.push(event_day);
    }

    /// Pushes the cell of a column that asks for more than to be taken as it is.
    fn checked_cell(
        &mut self,
        plan: &ColumnPlan,
        message: Message<'_>,
        plans: &[ColumnPlan],
        shape: &Shape,
        slots: &mut Slots,
        misplaced: &[usize],
    ) {
        for node in misplaced {
            let first = shape.nodes[*node].slots.start;
            if plan.sources.iter().any(|source| source.slot == first) {
                self.problems.push(not_an_object(
                    plan,
                    &shape.nodes[*node].pointer,
                    slots.nodes[*node],
                ));
            }
        }
        let cell = match find(plan, slots) {
            Some((source, slot)) => {
                if plan.sources.len() > 1 {
                    unused_aliases(plan, source, shape, slots);
                }
                self.cell(message, plan, source, slot)
            }
            None => absent(plan, plans, shape, slots, misplaced),
        };
        match cell {
            Ok(cell) => {
                if let (true, Cell::Long(micros)) = (plan.event_time, cell) {
                    self.event_day = Cell::Date(timestamp::date_of(micros.div_euclid(1000)));
                }
                self.cells.push(cell);
            }
            Err(Flaw { reason, detail }) => {
                self.problems.push(Problem {
                    reason,
                    field: plan.name.clone(),
                    detail,
                });
                self.cells.push(Cell::Null);
            }
        }
    }
}

/// The first place with a value.
#[inline]
fn find<'a>(plan: &'a ColumnPlan, slots: &Slots) -> Option<(&'a SourcePlan, Slot)> {
    plan.sources.iter().find_map(|source| {
        let slot = slots.slots[source.slot];
        (slot.kind > Kind::Null).then_some((source, slot))
    })
}

fn unused_aliases(plan: &ColumnPlan, used: &SourcePlan, shape: &Shape, slots: &mut Slots) {
    for source in &plan.sources {
        let slot = slots.slots[source.slot];
        if source.slot != used.slot && slot.kind > Kind::Null {
            slots.unnamed.push(Unnamed {
                node: shape.node_of_slot[source.slot],
                in_place_of_node: false,
                start: slot.key,
                end: slot.outer_end(),
            });
        }
    }
}

#[inline]
fn absent(
    plan: &ColumnPlan,
    plans: &[ColumnPlan],
    shape: &Shape,
    slots: &Slots,
    misplaced: &[usize],
) -> Result<Cell, Flaw> {
    let needed = match plan.need {
        Need::Never => false,
        Need::Always => true,
        Need::With(node) => slots.nodes[node] == Kind::Object,
    };
    if needed {
        // What is around the place is no object: that has been said already.
        let said = plan.sources.iter().any(|source| {
            misplaced
                .iter()
                .any(|node| shape.nodes[*node].slots.contains(&source.slot))
        });
        if said {
            return Ok(Cell::Null);
        }
        let pointers: Vec<&str> = plan
            .sources
            .iter()
            .map(|source| source.pointer.as_str())
            .collect();
        return Err(flaw(
            Reason::MissingField,
            format!("no value at {}", pointers.join(" or ")),
        ));
    }
    for given in &plan.needed_by {
        let given = &plans[*given];
        if find(given, slots).is_some() {
            return Err(flaw(
                Reason::MissingField,
                format!(
                    "no value at {}, which goes with {}",
                    plan.sources[0].pointer, given.name
                ),
            ));
        }
    }
    Ok(Cell::Null)
}

/// The objects of the contract that are something else in this message.
fn misplaced(shape: &Shape, slots: &Slots) -> Vec<usize> {
    let wrong = |node: &usize| {
        let kind = slots.nodes[*node];
        shape.nodes[*node].declared && kind > Kind::Null && kind != Kind::Object
    };
    (1..shape.nodes.len()).filter(wrong).collect()
}

fn not_an_object(plan: &ColumnPlan, pointer: &str, kind: Kind) -> Problem {
    Problem {
        reason: Reason::WrongType,
        field: plan.name.clone(),
        detail: format!("found {} at {pointer}, expected an object", kind.describe()),
    }
}
