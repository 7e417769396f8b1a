//! What a number counts where it is a time: seconds, milliseconds, microseconds or nanoseconds since 1970.

use super::place::Place;
use super::tree::Tree;
use crate::error::ConfigError;
use crate::number;

/// A unit of time since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    #[default]
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// Nanoseconds.
    Nanoseconds,
}

impl Unit {
    pub(super) fn parse(tree: &Tree, place: &Place<'_>) -> Result<Self, ConfigError> {
        Ok(match tree.text(place)? {
            "s" => Self::Seconds,
            "ms" => Self::Milliseconds,
            "us" => Self::Microseconds,
            "ns" => Self::Nanoseconds,
            other => {
                return Err(place.error(format!("unknown unit `{other}`: use s, ms, us or ns")));
            }
        })
    }

    /// A time in microseconds, counted in this unit.
    pub(crate) fn of_microseconds(self, time: i64) -> i64 {
        match self {
            Self::Seconds => time / 1_000_000,
            Self::Milliseconds => time / 1_000,
            Self::Microseconds => time,
            Self::Nanoseconds => time.saturating_mul(1_000),
        }
    }

    /// What may stand where a time of this unit is expected.
    pub(crate) fn described(self) -> &'static str {
        match self {
            Self::Seconds => "time or integer of seconds",
            Self::Milliseconds => "time or integer of milliseconds",
            Self::Microseconds => "time or integer of microseconds",
            Self::Nanoseconds => "time or integer of nanoseconds",
        }
    }

    /// The milliseconds of a JSON number, cut; `None` if 64 bits do not hold them.
    pub(crate) fn milliseconds(self, number: &[u8]) -> Option<i64> {
        let (scale, divisor) = match self {
            Self::Seconds => (3, 1),
            Self::Milliseconds => (0, 1),
            Self::Microseconds => (0, 1_000),
            Self::Nanoseconds => (0, 1_000_000),
        };
        let units = number::exact(number, scale)?.units;
        i64::try_from(units.div_euclid(divisor)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_gives_the_same_instant_in_milliseconds() {
        for (unit, number) in [
            (Unit::Seconds, "1793577600"),
            (Unit::Seconds, "1793577600.0"),
            (Unit::Milliseconds, "1793577600000"),
            (Unit::Milliseconds, "1793577600000.9"),
            (Unit::Microseconds, "1793577600000999"),
            (Unit::Nanoseconds, "1793577600000999999"),
        ] {
            assert_eq!(
                unit.milliseconds(number.as_bytes()),
                Some(1_793_577_600_000),
                "{number}"
            );
        }
        assert_eq!(
            Unit::Seconds.milliseconds(b"1793577600.1239"),
            Some(1_793_577_600_123)
        );
        assert_eq!(Unit::Seconds.milliseconds(b"1e30"), None);
    }
}
