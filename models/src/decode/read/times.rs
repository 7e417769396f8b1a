//! Instants and dates.

use super::flaw::{Flaw, flaw, no_time, not_a};
use super::numbers::whole;
use super::{Message, Reader};
use crate::decode::plan::{ColumnPlan, SourcePlan};
use crate::decode::problem::Reason;
use crate::decode::row::Cell;
use crate::decode::slots::{Kind, Slot};
use crate::decode::text::unescape;
use crate::decode::timestamp;

impl Reader {
    pub(super) fn time(
        &mut self,
        message: Message<'_>,
        raw: &str,
        plan: &ColumnPlan,
        source: &SourcePlan,
        slot: Slot,
    ) -> Result<Cell, Flaw> {
        let utc_ms = match slot.kind {
            Kind::Text | Kind::Escaped if source.text => {
                self.written_time(raw, plan, source, slot)?
            }
            Kind::Integer | Kind::Number if source.number => {
                if !source.fraction {
                    whole(raw)?;
                }
                epoch(raw, source)?
            }
            _ => {
                let wanted = if source.number {
                    source.unit.described()
                } else {
                    "time"
                };
                return Err(not_a(wanted, source, slot));
            }
        };
        if !timestamp::in_range(utc_ms) {
            return Err(flaw(
                Reason::OutOfRange,
                "outside of the years 1970 to 2200",
            ));
        }
        if plan.event_time && utc_ms > message.latest_ms {
            return Err(flaw(
                Reason::ClockSkew,
                format!(
                    "{} ms later than an event may be when it is received",
                    utc_ms - message.latest_ms
                ),
            ));
        }
        if plan.event_time && utc_ms < message.earliest_ms {
            return Err(flaw(
                Reason::ClockSkew,
                format!(
                    "{} ms earlier than an event may be when it is received",
                    message.earliest_ms - utc_ms
                ),
            ));
        }
        Ok(Cell::Long(utc_ms * 1000))
    }

    fn written_time(
        &mut self,
        raw: &str,
        plan: &ColumnPlan,
        source: &SourcePlan,
        slot: Slot,
    ) -> Result<i64, Flaw> {
        if source.written_time {
            return self.people_time(raw, plan, source, slot);
        }
        let written = if slot.kind == Kind::Text {
            self.clock.read(raw.as_bytes())
        } else {
            let mut text = String::new();
            unescape(raw, &mut text);
            self.clock.read(text.as_bytes())
        };
        let zone = if source.date_time { None } else { plan.zone };
        let Some(written) = written.filter(|time| time.offset.is_some() || zone.is_some()) else {
            let offset = if zone.is_some() {
                ""
            } else {
                " with an offset"
            };
            return Err(no_time(source, &format!("an RFC 3339 time{offset}")));
        };
        Ok(match (written.utc_ms(), zone) {
            (None, Some(zone)) => {
                let (seconds, ms) = written.local();
                zone.to_utc(seconds) * 1000 + ms
            }
            (utc_ms, _) => utc_ms.unwrap_or(i64::MIN),
        })
    }

    /// A time as people write it: with a blank for the `T`, the name of a zone behind it, or an epoch in digits.
    #[inline(never)]
    fn people_time(
        &mut self,
        raw: &str,
        plan: &ColumnPlan,
        source: &SourcePlan,
        slot: Slot,
    ) -> Result<i64, Flaw> {
        let mut unescaped = String::new();
        let mut text = raw;
        if slot.kind == Kind::Escaped {
            unescape(raw, &mut unescaped);
            text = &unescaped;
        }
        if text.is_empty() {
            let detail = format!("empty text at {}", source.pointer);
            return Err(flaw(Reason::MissingField, detail));
        }
        if timestamp::is_epoch(text.as_bytes()) {
            return epoch(text, source);
        }
        let Some((written, zone)) = self.clock.read_as_people_write(text) else {
            return Err(no_time(source, "a time such as 2026-11-01 12:00:00 UTC"));
        };
        match (written.utc_ms(), zone.or(plan.zone)) {
            (Some(utc_ms), _) => Ok(utc_ms),
            (None, Some(zone)) => {
                let (seconds, ms) = written.local();
                Ok(zone.to_utc(seconds) * 1000 + ms)
            }
            (None, None) => Err(no_time(source, "a time with an offset or a zone")),
        }
    }

    pub(super) fn date(
        &mut self,
        raw: &str,
        source: &SourcePlan,
        slot: Slot,
    ) -> Result<Cell, Flaw> {
        let (Kind::Text | Kind::Escaped) = slot.kind else {
            return Err(not_a("date", source, slot));
        };
        let (text, _) = self.plain(raw, slot);
        let days = <&[u8; 10]>::try_from(text.as_bytes())
            .ok()
            .and_then(timestamp::days);
        match days {
            Some(days) if timestamp::YEARS.contains(&i64::from(days)) => Ok(Cell::Date(days)),
            Some(_) => Err(flaw(
                Reason::OutOfRange,
                "outside of the years 1970 to 2200",
            )),
            None => Err(no_time(source, "a date such as 2026-11-01")),
        }
    }
}

/// The milliseconds of a number that counts the source's unit.
fn epoch(number: &str, source: &SourcePlan) -> Result<i64, Flaw> {
    (source.unit.milliseconds(number.as_bytes()))
        .ok_or_else(|| flaw(Reason::OutOfRange, "more than 64 bits"))
}
