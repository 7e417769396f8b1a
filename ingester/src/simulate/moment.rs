//! How an event's time is written where the words of `time` do not do: as an epoch of any unit, or by a pattern of its own, perhaps some
//! time before or after the event.

use chrono::{DateTime, FixedOffset, Utc};
use chrono_tz::Tz;

use super::any::below;
use super::draws::Span;
use super::error::{SimulateError, script_error};
use super::names::json_text;
use super::script::{self, Epoch};

/// A way to write a time.
#[derive(Debug)]
pub(crate) struct Moment {
    form: Form,
    /// Written as a text although it is a number.
    text: bool,
    /// Milliseconds behind the event's time.
    after: Span,
}

#[derive(Debug)]
enum Form {
    Epoch { unit: Epoch, decimals: u32 },
    Pattern { pattern: String, zone: Place },
}

#[derive(Debug)]
enum Place {
    Fixed(FixedOffset),
    Named(Tz),
}

impl Moment {
    pub(super) fn compile(script: &script::Moment, place: &str) -> Result<Self, SimulateError> {
        let script::Moment {
            epoch,
            decimals,
            text,
            pattern,
            zone,
            after_ms: [from, to],
        } = script;
        let form = match (epoch, pattern) {
            (Some(unit), None) if zone.is_none() && *decimals <= 9 => Form::Epoch {
                unit: *unit,
                decimals: *decimals,
            },
            (None, Some(pattern)) if *decimals == 0 && !text => {
                let items: Vec<_> = chrono::format::StrftimeItems::new(pattern).collect();
                if items.contains(&chrono::format::Item::Error) {
                    return script_error(format!(
                        "{place}: moment.pattern `{pattern}`: write one such as %Y-%m-%d %H:%M:%S"
                    ));
                }
                let name = zone.as_deref().unwrap_or("UTC");
                let zone = match (name.parse::<Tz>(), name.parse::<FixedOffset>()) {
                    (Ok(zone), _) => Place::Named(zone),
                    (_, Ok(offset)) => Place::Fixed(offset),
                    _ => {
                        return script_error(format!(
                            "{place}: moment.zone `{name}` is no zone; write one such as Asia/Seoul or +09:00"
                        ));
                    }
                };
                Form::Pattern {
                    pattern: pattern.clone(),
                    zone,
                }
            }
            _ => {
                return script_error(format!(
                    "{place}: moment: write epoch (with decimals and text) or pattern (with zone), one of them"
                ));
            }
        };
        if to < from || from.abs().max(to.abs()) > script::MOST_AFTER_MS {
            return script_error(format!(
                "{place}: moment.after_ms: a range that rises, of at most a year"
            ));
        }
        Ok(Self {
            form,
            text: *text,
            after: Span {
                from: *from,
                to: *to,
            },
        })
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>, at: i64, bits: &mut dyn FnMut() -> u64) {
        let Span { from, to } = self.after;
        let at = at + from + below(bits, (to - from) as u64 + 1) as i64;
        let utc: DateTime<Utc> = DateTime::from_timestamp_millis(at).unwrap_or_default();
        let quote: &[u8] = if self.text { b"\"" } else { b"" };
        match &self.form {
            Form::Epoch { unit, decimals } => {
                out.extend_from_slice(quote);
                out.extend_from_slice(unit.write(at, *decimals).as_bytes());
                out.extend_from_slice(quote);
            }
            Form::Pattern { pattern, zone } => {
                let text = match zone {
                    Place::Fixed(offset) => utc.with_timezone(offset).format(pattern).to_string(),
                    Place::Named(zone) => utc.with_timezone(zone).format(pattern).to_string(),
                };
                out.extend_from_slice(&json_text(&text));
            }
        }
    }
}

impl Epoch {
    /// Milliseconds since 1970 in this unit.
    fn write(self, ms: i64, decimals: u32) -> String {
        let nanos = i128::from(ms) * 1_000_000;
        let unit: i128 = match self {
            Self::S => 1_000_000_000,
            Self::Ms => 1_000_000,
            Self::Us => 1_000,
            Self::Ns => 1,
        };
        let whole = nanos.div_euclid(unit);
        if decimals == 0 {
            return whole.to_string();
        }
        let part = nanos.rem_euclid(unit) * 10_i128.pow(decimals) / unit;
        format!("{whole}.{part:0width$}", width = decimals as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-01T12:00:00.250Z.
    const AT: i64 = 1_793_534_400_250;

    fn written(yaml: &str) -> String {
        let script: script::Moment = serde_yaml_ng::from_str(yaml).unwrap();
        let moment = Moment::compile(&script, "here").unwrap();
        let mut out = Vec::new();
        moment.write(&mut out, AT, &mut || u64::MAX);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_time_is_written_in_every_unit_and_by_pattern() {
        for (yaml, text) in [
            ("{epoch: s}", "1793534400"),
            ("{epoch: s, decimals: 3}", "1793534400.250"),
            ("{epoch: ms, after_ms: [-20, 750]}", "1793534401000"),
            ("{epoch: us, text: true}", "\"1793534400250000\""),
            ("{epoch: ns}", "1793534400250000000"),
            ("{pattern: '%Y-%m-%d %H:%M:%S'}", "\"2026-11-01 12:00:00\""),
            (
                "{pattern: '%Y-%m-%dT%H:%M:%S%.6f+09:00', zone: '+09:00'}",
                "\"2026-11-01T21:00:00.250000+09:00\"",
            ),
            (
                "{pattern: '%Y-%m-%d %H:%M:%S Asia/Seoul', zone: Asia/Seoul}",
                "\"2026-11-01 21:00:00 Asia/Seoul\"",
            ),
        ] {
            assert_eq!(written(yaml), text, "{yaml}");
        }
    }

    #[test]
    fn mistakes_are_told() {
        for (yaml, said) in [
            ("{}", "one of them"),
            ("{epoch: s, pattern: '%Y'}", "one of them"),
            ("{pattern: '%Q'}", "moment.pattern `%Q`"),
            ("{pattern: '%Y', zone: Mars}", "moment.zone `Mars`"),
            ("{epoch: s, after_ms: [1, 0]}", "a range that rises"),
        ] {
            let script: script::Moment = serde_yaml_ng::from_str(yaml).unwrap();
            let error = Moment::compile(&script, "here").unwrap_err().to_string();
            assert!(error.contains("here") && error.contains(said), "{error}");
        }
    }
}
