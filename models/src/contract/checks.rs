//! What values of a column are refused or mapped: ranges, emptiness, known texts, the zone of a time.

use super::column::{Bound, Checks, ColumnType};
use super::leaf::Leaf;
use super::place::Place;
use super::tree::Tree;
use crate::error::ConfigError;

pub(super) fn checks(
    leaf: &Leaf<'_>,
    mapping: &Tree,
    place: &Place<'_>,
    column_type: ColumnType,
) -> Result<Checks, ConfigError> {
    let mut checks = Checks::default();
    for (key, low, inclusive) in [
        ("minimum", true, true),
        ("exclusiveMinimum", true, false),
        ("maximum", false, true),
        ("exclusiveMaximum", false, false),
    ] {
        let Some(value) = leaf.tree.get(key) else {
            continue;
        };
        let place = leaf.place.key(key);
        if !column_type.is_number() {
            return Err(place.error("only a column of type double, bigint or decimal has a range"));
        }
        let bound = Bound::parse(value, inclusive, column_type, &place)?;
        let side = if low {
            &mut checks.low
        } else {
            &mut checks.high
        };
        if side.replace(bound).is_some() {
            return Err(place.error("two bounds on one side: keep one"));
        }
    }
    if let Some(length) = leaf.tree.get("minLength") {
        let place = leaf.place.key("minLength");
        let text = matches!(column_type, ColumnType::String | ColumnType::Id);
        if !text || *length != Tree::Number("1".to_owned()) {
            return Err(place.error("only 1 is possible, on a column of type string or id"));
        }
        checks.not_empty = true;
    }
    if let Some(known) = leaf.tree.get("enum") {
        checks.known = known.texts(&leaf.place.key("enum"))?;
    }
    if let Some(zone) = mapping.get("default_zone") {
        let place = place.key("default_zone");
        if column_type != ColumnType::Timestamp {
            return Err(place.error("only a column of type timestamp has a zone"));
        }
        checks.default_zone = Some(
            zone.text(&place)?
                .parse()
                .map_err(|error: String| place.error(error))?,
        );
    }
    if let Some(values) = mapping.get("values") {
        let place = place.key("values");
        if column_type != ColumnType::String {
            return Err(place.error("only a column of type string has a value map"));
        }
        for (from, to) in values.object(&place)? {
            let place = place.key(from);
            checks
                .values
                .push((from.clone(), to.text(&place)?.to_owned()));
        }
    }
    Ok(checks)
}
