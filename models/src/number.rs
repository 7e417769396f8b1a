//! Exact numbers from the digits of a JSON number, without a float in between.
//!
//! The scanner has already checked the grammar; nothing here is called with text that is no JSON number.

/// Ten to the power of the index, as far as an `i128` goes.
const POWERS: [i128; 39] = {
    let mut powers = [1_i128; 39];
    let mut i = 1;
    while i < 39 {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// A number in units of `10^-scale`, truncated toward zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exact {
    pub(crate) units: i128,
    /// Digits other than zero were cut off.
    pub(crate) inexact: bool,
    pub(crate) negative: bool,
}

impl Exact {
    /// Compares the number as written, cut digits included, with a bound given in the same units.
    pub(crate) fn compare(self, bound: i128) -> std::cmp::Ordering {
        use std::cmp::Ordering;
        match self.units.cmp(&bound) {
            Ordering::Equal if self.inexact && self.negative => Ordering::Less,
            Ordering::Equal if self.inexact => Ordering::Greater,
            other => other,
        }
    }
}

/// `10^precision`: the first number of units that a `decimal(precision, _)` cannot hold.
pub(crate) fn limit(precision: u8) -> i128 {
    POWERS[usize::from(precision)]
}

/// Reads `text`, a JSON number, in units of `10^-scale`. `None`: more digits than 38, far out of any range.
pub(crate) fn exact(text: &[u8], scale: u8) -> Option<Exact> {
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        _ => (false, text),
    };
    if let Some(units) = plain(digits, scale) {
        return Some(Exact {
            units: if negative { -units } else { units },
            inexact: false,
            negative,
        });
    }
    let number = Written::split(digits);
    // How many of the written digits, counted from the left, make up the units.
    let taken = (number.whole.len() as i64)
        .saturating_add(number.exponent)
        .saturating_add(i64::from(scale));
    let written = number.whole.len() + number.fraction.len();
    let mut units: i128 = 0;
    let mut inexact = false;
    for (index, digit) in number.digits().enumerate() {
        if (index as i64) < taken {
            units = units.checked_mul(10)?.checked_add(i128::from(digit))?;
        } else if digit != 0 {
            inexact = true;
            break;
        }
    }
    let missing = taken.saturating_sub(written as i64);
    if missing > 0 && units != 0 {
        let power = usize::try_from(missing)
            .ok()
            .and_then(|missing| POWERS.get(missing))?;
        units = units.checked_mul(*power)?;
    }
    if units >= POWERS[38] {
        return None;
    }
    Some(Exact {
        units: if negative { -units } else { units },
        inexact,
        negative,
    })
}

/// The units of a number without an exponent that is short enough for 64 bits and of which nothing is cut: of nearly every number.
#[inline]
fn plain(digits: &[u8], scale: u8) -> Option<i128> {
    if digits.len() > 18 {
        return None;
    }
    let mut units: u64 = 0;
    let mut point = false;
    let mut behind: u8 = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            // Eighteen digits do not overflow.
            units = units.wrapping_mul(10).wrapping_add(u64::from(digit));
            behind += u8::from(point);
        } else if *byte == b'.' {
            point = true;
        } else {
            return None;
        }
    }
    let missing = scale.checked_sub(behind)?;
    let units = i128::from(units).checked_mul(POWERS[usize::from(missing)])?;
    (units < POWERS[38]).then_some(units)
}

/// An integer as its canonical text: no exponent, no fraction, no leading or negative zero.
pub(crate) enum Integer {
    /// The text as written is already canonical.
    AsWritten,
    /// The canonical text differs.
    Rewritten(String),
    /// There is a fraction: no integer.
    Fraction,
    /// An exponent that would unfold to more digits than any identifier has.
    TooLong,
}

/// Identifiers are not numbers, so any number of plain digits is kept; only what an exponent unfolds to is bounded.
const MAX_UNFOLDED_DIGITS: i64 = 64;

/// Reads `text`, a JSON number, as an integer of any size.
pub(crate) fn integer(text: &[u8]) -> Integer {
    if text.iter().all(u8::is_ascii_digit) {
        return Integer::AsWritten; // the grammar has no leading zeros
    }
    let (sign, digits) = match text.split_first() {
        Some((b'-', rest)) => ("-", rest),
        _ => ("", text),
    };
    let number = Written::split(digits);
    let significant: Vec<u8> = number.digits().collect();
    let Some(first) = significant.iter().position(|digit| *digit != 0) else {
        return Integer::Rewritten("0".to_owned());
    };
    let last = (significant.iter())
        .rposition(|digit| *digit != 0)
        .expect("there is a first");
    let whole = (number.whole.len() as i64).saturating_add(number.exponent);
    if whole <= last as i64 {
        return Integer::Fraction;
    }
    let plain = number.exponent == 0;
    if !plain && whole.saturating_sub(first as i64) > MAX_UNFOLDED_DIGITS {
        return Integer::TooLong;
    }
    let mut canonical = sign.to_owned();
    let digits = usize::try_from(whole).expect("more than the place of the last digit");
    for index in first..digits {
        // Beyond the digits that are written, an exponent writes zeros.
        let digit = significant.get(index).copied().unwrap_or(0);
        canonical.push(char::from(b'0' + digit));
    }
    Integer::Rewritten(canonical)
}

/// A JSON number without its sign, taken apart.
struct Written<'a> {
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

impl<'a> Written<'a> {
    fn split(text: &'a [u8]) -> Self {
        let end = text.iter().position(|b| matches!(b, b'e' | b'E'));
        let (mantissa, exponent) = match end {
            Some(at) => (&text[..at], exponent(&text[at + 1..])),
            None => (text, 0),
        };
        match mantissa.iter().position(|b| *b == b'.') {
            Some(at) => Self {
                whole: &mantissa[..at],
                fraction: &mantissa[at + 1..],
                exponent,
            },
            None => Self {
                whole: mantissa,
                fraction: &[],
                exponent,
            },
        }
    }

    fn digits(&self) -> impl Iterator<Item = u8> + 'a {
        self.whole
            .iter()
            .chain(self.fraction)
            .map(|byte| byte.wrapping_sub(b'0'))
    }
}

/// Saturates: an exponent of twenty digits is as good as one of eighteen.
fn exponent(text: &[u8]) -> i64 {
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    let mut value: i64 = 0;
    for digit in digits {
        let digit = i64::from(digit.wrapping_sub(b'0'));
        value = (value * 10 + digit).min(1_000_000_000_000);
    }
    if negative { -value } else { value }
}
