//! Values that are drawn anew: one of several constants, a number of a range, a text of a form. How they are written in a script is in
//! `script`, when they are drawn in `program` (per user, per session) and `message` (per event).

use super::draws::Weights;
use super::error::{SimulateError, script_error};
use super::names::json_text;
use super::script::Alternative;

/// One of several ways to make a value, by weight.
#[derive(Debug)]
pub(crate) struct Any {
    weights: Weights,
    ways: Vec<Way>,
}

#[derive(Debug)]
enum Way {
    Nothing,
    Is(Box<[u8]>),
    /// `from..=to`, in units of the last decimal.
    Number {
        from: i64,
        to: i64,
        decimals: u32,
        text: bool,
    },
    Mask(Vec<Letter>),
}

/// A letter of a text of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Letter {
    /// As it is, quoted for JSON.
    Same(Box<[u8]>),
    /// One of these.
    Of(&'static [u8]),
}

const DIGITS: &[u8] = b"0123456789";
const HEXADECIMAL: &[u8] = b"0123456789abcdef";
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const BOTH: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
/// Beyond it a number in a script is no exact one any more.
const MOST: f64 = 9e15;

impl Any {
    pub(super) fn compile(script: &[Alternative], place: &str) -> Result<Self, SimulateError> {
        if script.iter().any(|way| way.weight > 1_000_000) {
            return script_error(format!("{place}: a weight is above 1000000"));
        }
        let Some(weights) = Weights::new(script.iter().map(|way| way.weight)) else {
            return script_error(format!("{place}: no alternative has a weight"));
        };
        let ways = script.iter().map(|way| Way::compile(way, place));
        Ok(Self {
            weights,
            ways: ways.collect::<Result<_, _>>()?,
        })
    }

    /// Writes a value as JSON; false when there is none. `bits` are 64 random ones, new ones each time.
    pub(crate) fn write(&self, out: &mut Vec<u8>, bits: &mut dyn FnMut() -> u64) -> bool {
        let point = below(bits, self.weights.total());
        match &self.ways[self.weights.at(point)] {
            Way::Nothing => return false,
            Way::Is(json) => out.extend_from_slice(json),
            Way::Number {
                from,
                to,
                decimals,
                text,
            } => {
                let above = below(bits, to.abs_diff(*from).saturating_add(1));
                let quote: &[u8] = if *text { b"\"" } else { b"" };
                out.extend_from_slice(quote);
                write_decimal(out, from.wrapping_add_unsigned(above), *decimals);
                out.extend_from_slice(quote);
            }
            Way::Mask(letters) => {
                out.push(b'"');
                for letter in letters {
                    match letter {
                        Letter::Same(bytes) => out.extend_from_slice(bytes),
                        Letter::Of(set) => out.push(set[below(bits, set.len() as u64) as usize]),
                    }
                }
                out.push(b'"');
            }
        }
        true
    }
}

impl Way {
    fn compile(script: &Alternative, place: &str) -> Result<Self, SimulateError> {
        let Alternative {
            weight: _,
            is,
            number,
            decimals,
            text,
            mask,
        } = script;
        let several = || {
            script_error(format!(
                "{place}: write one of is, number and mask in an alternative, or none for no value; decimals and text go with number"
            ))
        };
        match (is, number, mask) {
            _ if number.is_none() && (*decimals > 0 || *text) => several(),
            (None, None, None) => Ok(Self::Nothing),
            (Some(value), None, None) => Ok(Self::Is(value.to_string().into_bytes().into())),
            (None, Some(range), None) => {
                let units = |number: &f64| (number * 10_f64.powi(*decimals as i32)).round();
                let [from, to] = range.each_ref().map(units);
                let fits = |units: f64| units.abs() <= MOST;
                if *decimals > 9 || !fits(from) || !fits(to) || to < from {
                    return script_error(format!(
                        "{place}: number: a range rises, has at most 9 decimals, and no more digits than a double holds"
                    ));
                }
                Ok(Self::Number {
                    from: from as i64,
                    to: to as i64,
                    decimals: *decimals,
                    text: *text,
                })
            }
            (None, None, Some(mask)) => Ok(Self::Mask(letters(mask))),
            _ => several(),
        }
    }
}

/// `#` is a digit, `%` a hexadecimal digit, `@` a small letter, `*` a small letter or a digit; a letter behind `\` is itself.
fn letters(mask: &str) -> Vec<Letter> {
    let mut letters = Vec::new();
    let mut rest = mask.chars();
    while let Some(letter) = rest.next() {
        let same = |letter: char| {
            let quoted = json_text(letter.encode_utf8(&mut [0; 4]));
            Letter::Same(quoted[1..quoted.len() - 1].into())
        };
        letters.push(match letter {
            '#' => Letter::Of(DIGITS),
            '%' => Letter::Of(HEXADECIMAL),
            '@' => Letter::Of(LETTERS),
            '*' => Letter::Of(BOTH),
            '\\' => same(rest.next().unwrap_or('\\')),
            other => same(other),
        });
    }
    letters
}

/// A number of so many units of the last decimal.
fn write_decimal(out: &mut Vec<u8>, units: i64, decimals: u32) {
    let one = 10_u64.pow(decimals);
    let (whole, rest) = (units.unsigned_abs() / one, units.unsigned_abs() % one);
    let sign = if units < 0 { "-" } else { "" };
    let text = match decimals {
        0 => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{rest:0width$}", width = decimals as usize),
    };
    out.extend_from_slice(text.as_bytes());
}

/// A number in `0..n`.
pub(super) fn below(bits: &mut dyn FnMut() -> u64, n: u64) -> u64 {
    ((u128::from(bits()) * u128::from(n)) >> 64) as u64
}

/// The bits of one place of one event: always the same, so that a message that is sent again is the same bytes.
pub(super) fn bits_of([high, low]: [u64; 2], place: u32) -> impl FnMut() -> u64 {
    let mut state =
        high ^ low.rotate_left(32) ^ u64::from(place).wrapping_mul(0xd6e8_feb8_6659_fd93);
    // The generator splitmix64.
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What a thousand draws give.
    fn drawn(yaml: &str) -> BTreeSet<String> {
        let script: Vec<Alternative> = serde_yaml_ng::from_str(yaml).unwrap();
        let any = Any::compile(&script, "here").unwrap();
        let mut bits = bits_of([1, 2], 3);
        let one = |_| {
            let mut out = Vec::new();
            let written = any.write(&mut out, &mut bits);
            assert_eq!(written, !out.is_empty());
            String::from_utf8(out).unwrap()
        };
        (0..1_000).map(one).collect()
    }

    fn set(texts: &[&str]) -> BTreeSet<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn alternatives_are_constants_numbers_texts_and_nothing() {
        assert_eq!(
            drawn("[{is: web, weight: 3}, {is: null}, {is: [1, {a: true}]}, {}]"),
            set(&["", "\"web\"", "null", r#"[1,{"a":true}]"#])
        );
        assert_eq!(
            drawn("[{number: [-0.02, 0.01], decimals: 2}]"),
            set(&["-0.02", "-0.01", "0.00", "0.01"])
        );
        assert_eq!(drawn("[{number: [7, 9]}]"), set(&["7", "8", "9"]));
        assert_eq!(
            drawn("[{number: [7, 8], text: true}]"),
            set(&["\"7\"", "\"8\""])
        );
        let masked = drawn(r##"[{mask: 'é"\#-#%@*'}]"##);
        assert!(masked.len() > 900);
        for text in masked {
            let text: String = serde_json::from_str(&text).unwrap();
            let rest = text.strip_prefix("é\"#-").unwrap().as_bytes();
            let sets = [DIGITS, HEXADECIMAL, LETTERS, BOTH];
            assert_eq!(rest.len(), 4);
            assert!(rest.iter().zip(sets).all(|(byte, set)| set.contains(byte)));
        }
    }

    #[test]
    fn mistakes_are_told() {
        for (yaml, said) in [
            ("[]", "no alternative has a weight"),
            ("[{is: 1, mask: x}]", "write one of"),
            ("[{is: 1, decimals: 2}]", "decimals and text go with number"),
            ("[{number: [2, 1]}]", "a range rises"),
            ("[{number: [0, 1e18]}]", "no more digits"),
            ("[{is: 1, weight: 2000000}]", "above 1000000"),
        ] {
            let script: Vec<Alternative> = serde_yaml_ng::from_str(yaml).unwrap();
            let error = Any::compile(&script, "here").unwrap_err().to_string();
            assert!(error.contains("here") && error.contains(said), "{error}");
        }
    }
}
