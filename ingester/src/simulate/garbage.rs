//! Messages that must not become rows: a good message with something done to it, as the script says.

use super::draws::{Draws, Weights};
use super::error::{SimulateError, script_error};
use super::fields::Form;
use super::names::json_text;
use super::script;

#[derive(Debug)]
pub(crate) struct Garbage {
    pub(crate) kinds: Vec<Kind>,
    pub(crate) variants: Vec<Variant>,
    /// Which kind; kinds without a message of their own have no weight.
    weights: Option<Weights>,
}

/// One way of being wrong, and the answer it deserves.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: String,
    pub(crate) reason: String,
    first: usize,
    count: usize,
}

/// What is done to a good message.
#[derive(Debug)]
pub(crate) struct Variant {
    pub(crate) kind: usize,
    /// Per form and field of the message.
    pub(crate) changes: Vec<Vec<Option<Change>>>,
    /// The forms that have every field that it changes.
    pub(crate) fits: Vec<bool>,
    pub(crate) shift_ms: i64,
    /// Written before the closing brace.
    pub(crate) more: Vec<u8>,
    /// Cut to this many thousandths of its length.
    pub(crate) truncate: Option<usize>,
    /// Sent instead of it.
    pub(crate) literal: Option<Vec<u8>>,
    pub(crate) keyed: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Change {
    Drop,
    Write(Vec<u8>),
}

impl Garbage {
    pub(super) fn compile(
        script: &[script::Garbage],
        forms: &[Form],
    ) -> Result<Self, SimulateError> {
        let mut kinds: Vec<Kind> = Vec::new();
        let mut variants = Vec::new();
        for garbage in script {
            if garbage.variants.is_empty() || kinds.iter().any(|kind| kind.name == garbage.kind) {
                return script_error(format!(
                    "garbage: kind `{}` must be there once and have variants",
                    garbage.kind
                ));
            }
            let first = variants.len();
            for (index, variant) in garbage.variants.iter().enumerate() {
                let place = format!("garbage: {}[{index}]", garbage.kind);
                variants.push(Variant::compile(variant, kinds.len(), forms, &place)?);
            }
            let count = variants.len() - first;
            kinds.push(Kind {
                name: garbage.kind.clone(),
                reason: garbage.reason.clone(),
                first,
                count,
            });
        }
        if variants.len() > 1_000 {
            return script_error("garbage: at most 1000 variants".to_owned());
        }
        let weights = Weights::new(script.iter().map(|garbage| garbage.weight));
        Ok(Self {
            kinds,
            variants,
            weights,
        })
    }

    /// A kind by weight, then one of its variants; `None` if there is nothing to choose from.
    pub(crate) fn draw(&self, draws: &mut Draws) -> Option<u16> {
        let kind = &self.kinds[self.weights.as_ref()?.draw(draws)];
        Some((kind.first + draws.below(kind.count as u64) as usize) as u16)
    }
}

impl Variant {
    pub(super) fn compile(
        script: &script::Variant,
        kind: usize,
        forms: &[Form],
        place: &str,
    ) -> Result<Self, SimulateError> {
        let nothing = |form: &Form| form.fields.iter().map(|_| None).collect();
        let mut changes: Vec<Vec<Option<Change>>> = forms.iter().map(nothing).collect();
        let mut fits = vec![true; forms.len()];
        let mut change = |name: &str, what: Change| {
            let mut known = false;
            for (at, form) in forms.iter().enumerate() {
                match form.fields.iter().position(|field| field.name == name) {
                    Some(index) => {
                        changes[at][index] = Some(what.clone());
                        known = true;
                    }
                    None => fits[at] = false,
                }
            }
            match known {
                true => Ok(()),
                false => script_error(format!("{place}: the message has no field `{name}`")),
            }
        };
        for name in &script.drop {
            change(name, Change::Drop)?;
        }
        for (name, value) in &script.replace {
            change(name, Change::Write(value.to_string().into_bytes()))?;
        }
        for (name, hex) in &script.replace_hex {
            change(name, Change::Write(bytes_of(hex, place)?))?;
        }
        let literal = match (&script.text, &script.bytes_hex) {
            (Some(_), Some(_)) => {
                return script_error(format!("{place}: write text or bytes_hex, not both"));
            }
            (Some(text), None) => Some(text.clone().into_bytes()),
            (None, Some(hex)) => Some(bytes_of(hex, place)?),
            (None, None) => None,
        };
        let more = script.pad.as_ref().map_or_else(Vec::new, |pad| {
            let label = json_text(&pad.field);
            [b",", &label[..], b":\"", &vec![b'x'; pad.bytes], b"\""].concat()
        });
        let truncate = match script.truncate {
            Some(share) if !(0.0..1.0).contains(&share) => {
                return script_error(format!(
                    "{place}: truncate is {share}; write a share from 0 to below 1"
                ));
            }
            share => share.map(|share| (share * 1000.0) as usize),
        };
        let same = script.drop.is_empty()
            && script.replace.is_empty()
            && script.replace_hex.is_empty()
            && script.shift.is_none()
            && more.is_empty()
            && truncate.is_none()
            && literal.is_none();
        if same || literal.as_ref().is_some_and(Vec::is_empty) {
            return script_error(format!(
                "{place}: a variant must change something and leave something"
            ));
        }
        // One message is one line of a file, whatever it holds.
        let parts = changes
            .iter()
            .flatten()
            .flatten()
            .filter_map(|change| match change {
                Change::Drop => None,
                Change::Write(bytes) => Some(bytes),
            });
        if parts.chain(&literal).any(|bytes| bytes.contains(&b'\n')) {
            return script_error(format!(
                "{place}: holds a newline byte, which would split its line in a file"
            ));
        }
        Ok(Self {
            kind,
            changes,
            fits,
            shift_ms: script.shift.map_or(0, |shift| shift.0),
            more,
            truncate,
            literal,
            keyed: script.key.is_none(),
        })
    }
}

fn bytes_of(hex: &str, place: &str) -> Result<Vec<u8>, SimulateError> {
    let nibbles: Option<Vec<u8>> = hex
        .chars()
        .map(|digit| digit.to_digit(16).map(|digit| digit as u8))
        .collect();
    match nibbles {
        Some(nibbles) if nibbles.len() % 2 == 0 => Ok(nibbles
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect()),
        _ => script_error(format!("{place}: `{hex}` is not bytes in hexadecimal")),
    }
}
