//! What stands around an event is peeled off before it is read: a list of events, Kafka Connect's `payload`, CloudEvents' `data`.
//!
//! A message that has no such form is taken as it stands. Not here: what becomes of several events of one message (the decoder).

use std::ops::Range;

use super::grammar::Scanner;
use super::scan::{Root, scan_apart};
use super::shape::{Place, Shape};
use super::slots::{Kind, Slots};
use crate::contract::{Contract, Envelope};

/// Where the envelopes have what they are told by, and the event: in the order of the slots.
const PLACES: [&str; 4] = ["schema", "payload", "specversion", "data"];
const SCHEMA: usize = 0;
const PAYLOAD: usize = 1;
const SPECVERSION: usize = 2;
const DATA: usize = 3;

/// The envelopes of a contract, and room for looking into one.
#[derive(Debug)]
pub(super) struct Envelopes {
    lists: bool,
    connect: bool,
    cloud_events: bool,
    max_depth: usize,
    shape: Shape,
    slots: Slots,
}

/// An event without what was around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Peeled {
    pub(super) event: Range<usize>,
    /// What stood beside it and is kept.
    pub(super) beside: Vec<Range<usize>>,
}

impl Envelopes {
    /// `None`: the contract knows no envelopes.
    pub(super) fn compile(contract: &Contract) -> Option<Self> {
        let envelopes = contract.envelopes();
        if envelopes.is_empty() {
            return None;
        }
        let paths = PLACES.map(|place| vec![place.to_owned()]);
        let places = paths.each_ref().map(|path| Place {
            path,
            declared: false,
        });
        let (shape, _) = Shape::compile(&places);
        Some(Self {
            lists: envelopes.contains(&Envelope::Array),
            connect: envelopes.contains(&Envelope::KafkaConnect),
            cloud_events: envelopes.contains(&Envelope::CloudEvents),
            max_depth: contract.limits().max_depth,
            slots: Slots::new(&shape),
            shape,
        })
    }

    /// The values of a list, if the message is one and lists are known. A list that is broken is no list: the decoder says why.
    pub(super) fn list(&self, message: &str) -> Option<Vec<Range<usize>>> {
        if !self.lists || !message.trim_start().starts_with('[') {
            return None;
        }
        let mut scanner = Scanner {
            text: message,
            bytes: message.as_bytes(),
            pos: 0,
            depth: 0,
            max_depth: self.max_depth,
        };
        scanner.space();
        let whole = scanner.value().ok()?;
        scanner.space();
        if scanner.peek().is_some() {
            return None;
        }
        (scanner.pos, scanner.depth) = (whole.start as usize + 1, 1);
        scanner.space();
        let mut items = Vec::new();
        while scanner.peek() != Some(b']') {
            let start = scanner.pos;
            scanner.value().ok()?;
            items.push(start..scanner.pos);
            scanner.space();
            if scanner.peek() == Some(b',') {
                scanner.pos += 1;
                scanner.space();
            }
        }
        Some(items)
    }

    /// Peels one event.
    pub(super) fn peel(&mut self, message: &str) -> Peeled {
        let as_it_stands = Peeled {
            event: 0..message.len(),
            beside: Vec::new(),
        };
        if !(self.connect || self.cloud_events) {
            return as_it_stands;
        }
        self.slots.reset();
        let Ok(Root::Object) =
            scan_apart(message, self.max_depth, &mut self.shape, &mut self.slots)
        else {
            return as_it_stands;
        };
        let [schema, payload, specversion, data] =
            [SCHEMA, PAYLOAD, SPECVERSION, DATA].map(|slot| self.slots.slots[slot]);
        if self.connect && schema.kind != Kind::Absent && payload.kind == Kind::Object {
            // A schema says how its payload is typed, which is known from the payload itself.
            return Peeled {
                event: payload.range(),
                beside: Vec::new(),
            };
        }
        let cloud_event = matches!(specversion.kind, Kind::Text | Kind::Escaped);
        if self.cloud_events && cloud_event && data.kind == Kind::Object {
            let mut beside: Vec<Range<usize>> = (self.slots.unnamed.iter())
                .map(|member| member.start as usize..member.end as usize)
                .collect();
            beside.extend(
                [schema, payload, specversion]
                    .iter()
                    .filter(|slot| slot.kind != Kind::Absent)
                    .map(|slot| slot.key as usize..slot.outer_end() as usize),
            );
            beside.sort_by_key(|range| range.start);
            return Peeled {
                event: data.range(),
                beside,
            };
        }
        as_it_stands
    }
}
