//! How a property writes a time: `format`, `pattern` and `x-unit`.

use super::column::ColumnType;
use super::leaf::Leaf;
use super::unit::Unit;
use crate::error::ConfigError;

/// The `pattern` of a property with `format: x-time`: what `decode/timestamp.rs` reads, in the words of a validator. A date that exists,
/// a time of the day, then nothing, an offset, or a blank and the name of a zone; or an epoch in digits.
pub const TIME_PATTERN: &str = "^(?:[0-9]{1,19}|\
(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))|\
(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)\
[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.,][0-9]+)?\
(?: ?(?:[Zz]|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)| [A-Za-z][A-Za-z0-9_+/-]*)?)$(?!\\n)";

/// What the property at a place says of the times there.
#[derive(Default)]
pub(super) struct Form {
    pub(super) date_time: bool,
    pub(super) written_time: bool,
    pub(super) unit: Unit,
}

impl Form {
    pub(super) fn of(leaf: &Leaf<'_>, column_type: ColumnType) -> Result<Self, ConfigError> {
        let mut form = Self::default();
        if let Some(format) = leaf.tree.get("format") {
            let place = leaf.place.key("format");
            match (format.text(&place)?, column_type) {
                ("date-time", ColumnType::String | ColumnType::Timestamp) => form.date_time = true,
                ("x-time", ColumnType::Timestamp) => form.written_time = true,
                ("date", ColumnType::Date) => {}
                (other, _) => {
                    return Err(place.error(format!(
                        "`{other}` is not checked here: use date-time on string or timestamp, x-time on timestamp, date on date, or remove it"
                    )));
                }
            }
        }
        if let Some(pattern) = leaf.tree.get("pattern") {
            let place = leaf.place.key("pattern");
            if !form.written_time || pattern.text(&place)? != TIME_PATTERN {
                return Err(place.error(format!(
                    "the decoder would not check it; the one pattern that it checks goes with `\"format\": \"x-time\"`: {TIME_PATTERN}"
                )));
            }
        }
        if let Some(unit) = leaf.tree.get("x-unit") {
            let place = leaf.place.key("x-unit");
            if column_type != ColumnType::Timestamp {
                return Err(place.error("only a column of type timestamp has a unit"));
            }
            form.unit = Unit::parse(unit, &place)?;
        }
        Ok(form)
    }
}
