//! The dialects of a contract, compiled: how each column is read in it, what tells it from the others, what else a message must have.

use super::bits::Bits;
use super::pairs::Pairs;
use super::plan::{self, ColumnPlan, Step};
use super::record::Record;
use super::shape::{Place, Shape, Target};
use super::slots::{Kind, Kinds, Slot, Slots};
use super::text::unescape;
use crate::contract::{Condition, Contract, Dialect, Type};

/// One shape of an event.
#[derive(Debug)]
pub(super) struct DialectPlan {
    /// `None`: every message that speaks none of the dialects before.
    pub(super) when: Option<Test>,
    pub(super) columns: Vec<ColumnPlan>,
    /// One for each column.
    pub(super) steps: Vec<Step>,
    /// The objects that the dialect has.
    pub(super) objects: Vec<usize>,
    /// The columns to look at in every message.
    pub(super) always: Bits,
    /// The places of all other columns, which are null if nothing is there.
    pub(super) optional: Bits,
    /// The column that reads an optional place.
    pub(super) reader: Vec<usize>,
    /// Places of other dialects: here they are fields that nobody names.
    pub(super) foreign: Bits,
    /// Places with a JSON of its own.
    pub(super) inside: Vec<Inside>,
    /// Places with lists of keys and values.
    pub(super) pairs: Vec<Pairs>,
    pub(super) rules: Vec<RulePlan>,
}

/// A JSON of its own at a place, and which columns the fields of its record are.
#[derive(Debug)]
pub(super) struct Inside {
    pub(super) slot: usize,
    pub(super) record: usize,
    pub(super) columns: Vec<usize>,
}

/// What holds when a message contains something.
#[derive(Debug)]
pub(super) struct RulePlan {
    pub(super) when: Test,
    /// Slot, column and pointer of each value that must be there.
    pub(super) needs: Vec<(usize, usize, String)>,
    pub(super) sets: Vec<(usize, String)>,
}

/// A condition, by slots and objects.
#[derive(Debug)]
pub(super) enum Test {
    All(Vec<Test>),
    Any(Vec<Test>),
    Not(Box<Test>),
    Kind(At, Kinds),
    Text(usize, Vec<String>),
}

/// A value or an object of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    Slot(usize),
    Node(usize),
}

/// Compiles all dialects over one shape. The records are those of lists and of JSON inside a string.
pub(super) fn compile(contract: &Contract) -> (Shape, Vec<DialectPlan>, Vec<Record>) {
    let mut places: Vec<Place<'_>> = Vec::new();
    for dialect in &contract.dialects {
        for source in dialect.columns.iter().flat_map(|column| &column.sources) {
            places.push(Place {
                path: &source.path,
                declared: source.declared,
            });
        }
    }
    // What only conditions look at is a place as well, unless it is an object with places inside.
    let mut paths: Vec<&[String]> = (contract.dialects.iter())
        .flat_map(|dialect| {
            dialect
                .when
                .iter()
                .chain(dialect.rules.iter().map(|rule| &rule.when))
        })
        .flat_map(Condition::paths)
        .collect();
    paths.sort_by_key(|path| std::cmp::Reverse(path.len()));
    for path in paths {
        let inside =
            |place: &Place<'_>| place.path.len() > path.len() && place.path.starts_with(path);
        if !places.iter().any(inside) {
            places.push(Place {
                path,
                declared: false,
            });
        }
    }
    let (shape, slots) = Shape::compile(&places);
    let mut records = Vec::new();
    let mut slots = slots.as_slice();
    let mut dialects = Vec::new();
    for dialect in &contract.dialects {
        let count = dialect
            .columns
            .iter()
            .map(|column| column.sources.len())
            .sum();
        let (of_dialect, rest) = slots.split_at(count);
        slots = rest;
        dialects.push(one(contract, dialect, of_dialect, &shape, &mut records));
    }
    (shape, dialects, records)
}

fn one(
    contract: &Contract,
    dialect: &Dialect,
    slots: &[u16],
    shape: &Shape,
    records: &mut Vec<Record>,
) -> DialectPlan {
    let mut columns = Vec::new();
    let mut inside: Vec<(Inside, Vec<&crate::contract::Column>)> = Vec::new();
    let mut pairs: Vec<Pairs> = Vec::new();
    let mut read = vec![false; shape.node_of_slot.len()];
    let mut slots = slots;
    for (index, column) in dialect.columns.iter().enumerate() {
        let (own, rest) = slots.split_at(column.sources.len());
        slots = rest;
        own.iter().for_each(|slot| read[usize::from(*slot)] = true);
        let most_bytes = plan::most_bytes(contract, index);
        if column.sources.iter().any(|source| source.inside.is_some()) {
            // Its cell is filled from the record afterwards.
            let nowhere = crate::contract::Column {
                sources: Vec::new(),
                ..column.clone()
            };
            columns.push(plan::column(&nowhere, &[], shape, most_bytes));
            let slot = usize::from(own[0]);
            if let Some(pair) = &column.sources[0].pair {
                let known = pairs.iter().position(|known| known.slot == slot);
                let at = known.unwrap_or_else(|| {
                    pairs.push(Pairs::at(slot, pair, &column.sources[0].path, records));
                    pairs.len() - 1
                });
                pairs[at].add(index, column, pair, records, most_bytes);
                continue;
            }
            match inside.iter_mut().find(|(known, _)| known.slot == slot) {
                Some((known, fields)) => {
                    known.columns.push(index);
                    fields.push(column);
                }
                None => {
                    let known = Inside {
                        slot,
                        record: 0,
                        columns: vec![index],
                    };
                    inside.push((known, vec![column]));
                }
            }
            continue;
        }
        let mut plan = plan::column(column, own, shape, most_bytes);
        plan.event_time = index == contract.event_time_index();
        let needed = dialect
            .dependencies
            .iter()
            .filter(|rule| rule.needed == index);
        plan.needed_by = needed.map(|rule| rule.given).collect();
        if !column.items.is_empty() {
            plan.record = Some(Record::add(
                records,
                &column.items.iter().collect::<Vec<_>>(),
            ));
        }
        columns.push(plan);
    }
    let inside = inside.into_iter().map(|(mut known, fields)| {
        known.record = Record::add(records, &fields);
        known
    });
    let sources = || dialect.columns.iter().flat_map(|column| &column.sources);
    let declared = |node: &usize| {
        let inside = sources().filter(|source| source.declared);
        inside.into_iter().any(|source| {
            let outer =
                (1..source.path.len()).filter_map(|depth| shape.node_at(&source.path[..depth]));
            outer.into_iter().any(|outer| outer == *node)
        })
    };
    let several = contract.dialects.len() > 1 || !dialect.rules.is_empty();
    let mut foreign = Bits::below(read.len() + 1);
    (0..read.len())
        .filter(|slot| several && !read[*slot])
        .for_each(|slot| foreign.insert(slot));
    let mut always = Bits::below(columns.len());
    let mut optional = Bits::below(read.len() + 1);
    let mut reader = vec![columns.len(); read.len()];
    for (index, plan) in columns.iter().enumerate() {
        let slots = || plan.sources.iter().map(|source| source.slot);
        // A place that two columns read is noted for the first of them.
        if plan.is_optional() && slots().all(|slot| reader[slot] == columns.len()) {
            for slot in slots() {
                optional.insert(slot);
                reader[slot] = index;
            }
        } else {
            always.insert(index);
        }
    }
    DialectPlan {
        when: dialect.when.as_ref().map(|when| test(when, shape)),
        objects: (1..shape.nodes.len()).filter(declared).collect(),
        always,
        optional,
        reader,
        foreign,
        inside: inside.collect(),
        pairs,
        rules: dialect
            .rules
            .iter()
            .map(|rule| self::rule(rule, shape))
            .collect(),
        steps: columns.iter().map(ColumnPlan::step).collect(),
        columns,
    }
}

fn rule(rule: &crate::contract::Rule, shape: &Shape) -> RulePlan {
    let slot = |path: &[String]| match shape.target_at(path) {
        Some(Target::Slot(slot)) => usize::from(slot),
        _ => unreachable!("the contract's reader found a column at {path:?}"),
    };
    RulePlan {
        when: test(&rule.when, shape),
        needs: (rule.needs.iter())
            .map(|(path, column)| (slot(path), *column, format!("/{}", path.join("/"))))
            .collect(),
        sets: rule.sets.clone(),
    }
}

fn test(condition: &Condition, shape: &Shape) -> Test {
    let at = |path: &[String]| match shape.target_at(path) {
        Some(Target::Slot(slot)) => At::Slot(usize::from(slot)),
        Some(Target::Node(node)) => At::Node(usize::from(node)),
        None => unreachable!("every path of a condition is a place: {path:?}"),
    };
    match condition {
        Condition::All(inner) => {
            let mut tests = merged(inner.iter().map(|one| test(one, shape)), Kinds::and);
            match tests.len() {
                1 => tests.remove(0),
                _ => Test::All(tests),
            }
        }
        Condition::Any(inner) => {
            let mut tests = merged(inner.iter().map(|one| test(one, shape)), Kinds::or);
            match tests.len() {
                1 => tests.remove(0),
                _ => Test::Any(tests),
            }
        }
        Condition::Not(inner) => match test(inner, shape) {
            Test::Kind(at, kinds) => Test::Kind(at, kinds.others()),
            inner => Test::Not(Box::new(inner)),
        },
        Condition::Present(path) => Test::Kind(at(path), Kinds::PRESENT),
        Condition::Type(path, types) => {
            let kinds = types.iter().flat_map(|one| kinds(*one));
            Test::Kind(at(path), Kinds::of(kinds))
        }
        Condition::Text(path, texts) => match at(path) {
            At::Slot(slot) => Test::Text(slot, texts.clone()),
            node @ At::Node(_) => Test::Kind(node, Kinds::NONE),
        },
    }
}

/// Tests of what stands at one place become one test.
fn merged(tests: impl Iterator<Item = Test>, of_two: fn(Kinds, Kinds) -> Kinds) -> Vec<Test> {
    let mut merged: Vec<Test> = Vec::new();
    for test in tests {
        if let Test::Kind(at, kinds) = &test {
            let known = merged.iter_mut().find_map(|known| match known {
                Test::Kind(place, known) if place == at => Some(known),
                _ => None,
            });
            if let Some(known) = known {
                *known = of_two(*known, *kinds);
                continue;
            }
        }
        merged.push(test);
    }
    merged
}

fn kinds(of: Type) -> &'static [Kind] {
    match of {
        Type::Text => &[Kind::Text, Kind::Escaped],
        Type::Number => &[Kind::Integer, Kind::Number],
        Type::Boolean => &[Kind::True, Kind::False],
        Type::Object => &[Kind::Object],
        Type::List => &[Kind::Array],
        Type::Null => &[Kind::Null],
    }
}

impl Test {
    /// Whether the message satisfies it.
    pub(super) fn holds(&self, message: &str, slots: &Slots) -> bool {
        match self {
            Self::All(inner) => inner.iter().all(|test| test.holds(message, slots)),
            Self::Any(inner) => inner.iter().any(|test| test.holds(message, slots)),
            Self::Not(inner) => !inner.holds(message, slots),
            Self::Kind(At::Slot(slot), kinds) => kinds.contain(slots.slots[*slot].kind),
            Self::Kind(At::Node(node), kinds) => kinds.contain(slots.nodes[*node]),
            Self::Text(slot, texts) => is_text(slots.slots[*slot], message, texts),
        }
    }
}

/// Apart, so that the tests of kinds need few registers.
#[inline(never)]
fn is_text(slot: Slot, message: &str, texts: &[String]) -> bool {
    let raw = &message[slot.range()];
    match slot.kind {
        Kind::Text => texts.iter().any(|text| text == raw),
        Kind::Escaped => {
            let mut text = String::new();
            unescape(raw, &mut text);
            texts.contains(&text)
        }
        _ => false,
    }
}
