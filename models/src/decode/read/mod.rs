//! From the slots of a message to the cells of a row, with every problem on the way.
//!
//! Here: which place a column is read from and what it means that there is no value. What a value becomes: `values`, by type
//! in `texts`, `numbers` and `times`.

mod flaw;
mod numbers;
mod pairs;
mod records;
mod texts;
mod times;
mod values;

use super::bits::Bits;
use super::dialect::{DialectPlan, RulePlan};
use super::plan::{ColumnPlan, Need, SourcePlan};
use super::problem::{Problem, Reason};
use super::record::Record;
use super::row::{Cell, Row};
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
    pub(in crate::decode) row: Row,
    /// The columns that the message at hand has to do with.
    due: Bits,
    /// The cells of the records in lists.
    pub(in crate::decode) items: Vec<Cell>,
    /// Whether an item of the list at hand has members that are no field.
    unnamed_in_items: bool,
    event_day: Option<i32>,
    pub(in crate::decode) problems: Vec<Problem>,
    records: Vec<Record>,
    /// The text of a JSON that came as a string.
    inner: String,
    max_depth: usize,
}

/// The message at hand.
#[derive(Clone, Copy)]
pub(in crate::decode) struct Message<'a> {
    pub(in crate::decode) text: &'a str,
    /// Where the text begins in the whole message; `None` if it stands elsewhere.
    pub(in crate::decode) start: Option<u32>,
    /// The event times that are believed, in UTC milliseconds.
    pub(in crate::decode) earliest_ms: i64,
    pub(in crate::decode) latest_ms: i64,
}

impl Reader {
    pub(in crate::decode) fn new(records: Vec<Record>, max_depth: usize) -> Self {
        Self {
            records,
            max_depth,
            ..Self::default()
        }
    }

    /// Fills `row`, and `problems` if there are any. Aliases that were not used, and what only other dialects have, move to the unnamed
    /// members.
    pub(in crate::decode) fn read(
        &mut self,
        message: Message<'_>,
        dialect: &DialectPlan,
        shape: &Shape,
        slots: &mut Slots,
    ) {
        self.scratch.clear();
        self.row.clear();
        self.items.clear();
        self.problems.clear();
        self.event_day = None;
        let plans = dialect.columns.as_slice();
        let misplaced = misplaced(&dialect.objects, slots);
        self.due(dialect, slots, misplaced.is_empty());
        for index in 0..self.due.words() {
            for column in self.due.word(index) {
                let step = &dialect.steps[column];
                let slot = slots.slots[step.slot as usize];
                let length = slot.end.wrapping_sub(slot.start);
                let plain = slot.kind == Kind::Text && step.plain_text;
                if plain && 0 < length && length <= step.most_bytes {
                    self.row.fill(column, Cell::Text(slot.start, slot.end));
                } else {
                    self.checked_cell(column, message, plans, shape, slots, &misplaced);
                }
            }
        }
        for inside in &dialect.inside {
            self.inside(message, inside, slots);
        }
        for pairs in &dialect.pairs {
            self.pairs(message, pairs, shape, slots, &misplaced);
        }
        if !dialect.rules.is_empty() {
            self.obey(&dialect.rules, plans, message, slots);
        }
        unread(dialect, shape, slots);
        if let Some(day) = self.event_day {
            self.row.fill(plans.len(), Cell::Date(day));
        }
    }

    /// Which columns are to be looked at: all if objects are not `in_place`, otherwise those that are not null by themselves.
    #[inline]
    fn due(&mut self, dialect: &DialectPlan, slots: &Slots, in_place: bool) {
        self.due.copy(&dialect.always);
        if !in_place {
            (0..dialect.columns.len()).for_each(|column| self.due.insert(column));
            return;
        }
        for index in 0..dialect.optional.words() {
            for slot in slots.found.common(&dialect.optional, index) {
                self.due.insert(dialect.reader[slot]);
            }
        }
    }

    /// Makes sure of what a message of its kind must have, and fills in what it need not say.
    #[inline(never)]
    fn obey(
        &mut self,
        rules: &[RulePlan],
        plans: &[ColumnPlan],
        message: Message<'_>,
        slots: &Slots,
    ) {
        for rule in rules
            .iter()
            .filter(|rule| rule.when.holds(message.text, slots))
        {
            for (slot, column, pointer) in &rule.needs {
                let field = &plans[*column].name;
                let said = || self.problems.iter().any(|problem| problem.field == *field);
                if slots.slots[*slot].kind <= Kind::Null && !said() {
                    self.problems.push(Problem {
                        reason: Reason::MissingField,
                        field: field.clone(),
                        detail: format!("no value at {pointer}, which such an event has"),
                    });
                }
            }
            for (column, text) in &rule.sets {
                if self.row.is_null(*column) {
                    let cell = self.keep(text);
                    self.row.fill(*column, cell);
                }
            }
        }
        if self.problems.is_empty() {
            return;
        }
        let place = |problem: &Problem| plans.iter().position(|plan| plan.name == problem.field);
        self.problems.sort_by_key(place);
    }

    /// Fills the cell of a column that asks for more than to be taken as it is.
    fn checked_cell(
        &mut self,
        column: usize,
        message: Message<'_>,
        plans: &[ColumnPlan],
        shape: &Shape,
        slots: &mut Slots,
        misplaced: &[usize],
    ) {
        let plan = &plans[column];
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
                let cell = self.cell(message, plan, source, slot);
                if plan.record.is_some() && std::mem::take(&mut self.unnamed_in_items) {
                    // What the items of a list have beyond their fields is kept with the list around it.
                    slots.unnamed.push(Unnamed {
                        node: shape.node_of_slot[source.slot],
                        in_place_of_node: false,
                        start: slot.key,
                        end: slot.outer_end(),
                    });
                }
                cell
            }
            None => absent(plan, plans, shape, slots, misplaced),
        };
        match cell {
            Ok(Cell::Null) => {}
            Ok(cell) => {
                if let (true, Cell::Long(micros)) = (plan.event_time, cell) {
                    self.event_day = Some(timestamp::date_of(micros.div_euclid(1000)));
                }
                self.row.fill(column, cell);
            }
            Err(Flaw { reason, detail }) => {
                self.problems.push(Problem {
                    reason,
                    field: plan.name.clone(),
                    detail,
                });
            }
        }
    }
}

/// The first place with a value.
#[inline]
fn find<'a>(plan: &'a ColumnPlan, slots: &Slots) -> Option<(&'a SourcePlan, Slot)> {
    let found = |source: &'a SourcePlan| {
        let slot = slots.slots[source.slot];
        (slot.kind > Kind::Null).then_some((source, slot))
    };
    match plan.sources.as_slice() {
        [only] => found(only),
        several => several.iter().find_map(found),
    }
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
fn misplaced(objects: &[usize], slots: &Slots) -> Vec<usize> {
    let wrong = |node: &usize| {
        let kind = slots.nodes[*node];
        kind > Kind::Null && kind != Kind::Object
    };
    objects.iter().copied().filter(wrong).collect()
}

/// What only other dialects have is a field that nobody names.
fn unread(dialect: &DialectPlan, shape: &Shape, slots: &mut Slots) {
    for index in 0..dialect.foreign.words() {
        for slot in slots.found.common(&dialect.foreign, index) {
            let found = slots.slots[slot];
            // What an object held that came a second time is forgotten.
            if found.kind != Kind::Absent {
                slots.unnamed.push(Unnamed {
                    node: shape.node_of_slot[slot],
                    in_place_of_node: false,
                    start: found.key,
                    end: found.outer_end(),
                });
            }
        }
    }
    if slots.misplaced.is_empty() {
        return;
    }
    let ours = |member: &Unnamed| dialect.objects.contains(&usize::from(member.node));
    let Slots {
        unnamed, misplaced, ..
    } = slots;
    unnamed.extend(misplaced.iter().filter(|member| !ours(member)));
}

fn not_an_object(plan: &ColumnPlan, pointer: &str, kind: Kind) -> Problem {
    Problem {
        reason: Reason::WrongType,
        field: plan.name.clone(),
        detail: format!("found {} at {pointer}, expected an object", kind.describe()),
    }
}
