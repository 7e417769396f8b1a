//! The zone of times that are written without one, from another time of the same events.

use std::collections::BTreeMap;

use super::field::pointer;
use super::fields::Fields;
use super::times::{self, Form, Unit};
use crate::new_domain::sample::{Json, Sample};

/// Offsets of zones are multiples of it.
const STEP_MS: i64 = 15 * 60_000;
/// How far the other time may be from a multiple: events are received a little later than they happen.
const NEAR_MS: i64 = 5 * 60_000;

/// A default zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Zone {
    /// As the contract writes it.
    pub(crate) name: String,
    pub(crate) why: String,
    pub(crate) sure: bool,
}

/// The zone of the field at `path`; none if its times say where they are.
pub(super) fn of(sample: &Sample, fields: &Fields, path: &[String]) -> Option<Zone> {
    let field = fields.get(path)?;
    if !field.forms.contains_key(&Form::Plain) {
        return None;
    }
    let others = fields.all().filter(|other| {
        let plain = other.forms.contains_key(&Form::Plain);
        other.path != path && other.is_time() && !plain && other.filled() * 2 >= fields.events
    });
    for other in others {
        let mut offsets: BTreeMap<i64, usize> = BTreeMap::new();
        let mut compared = 0;
        for (_, event) in &sample.events {
            if let (Some(local), Some(utc)) = (instant(event, path), instant(event, &other.path)) {
                compared += 1;
                let steps = (local - utc + STEP_MS / 2).div_euclid(STEP_MS);
                if (local - utc - steps * STEP_MS).abs() <= NEAR_MS {
                    *offsets.entry(steps).or_default() += 1;
                }
            }
        }
        let most = offsets.into_iter().max_by_key(|(_, count)| *count);
        if let Some((steps, count)) = most
            && count * 10 >= compared * 8
            && (-48..=56).contains(&steps)
        {
            let minutes = steps.abs() * 15;
            let sign = if steps < 0 { '-' } else { '+' };
            return Some(Zone {
                name: match steps {
                    0 => "UTC".to_owned(),
                    _ => format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60),
                },
                why: format!("held against {}, which says its zone", pointer(&other.path)),
                sure: true,
            });
        }
    }
    Some(Zone {
        name: "UTC".to_owned(),
        why: "the sample does not say".to_owned(),
        sure: false,
    })
}

fn instant(event: &Json, path: &[String]) -> Option<i64> {
    match event.at(path)? {
        Json::Text(text) => times::read(text).map(|(_, at)| at),
        Json::Integer(epoch) => Some(Unit::of(*epoch)?.milliseconds(*epoch)),
        _ => None,
    }
}
