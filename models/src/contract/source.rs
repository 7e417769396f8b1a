//! One place of a column: what may stand there, and how a time is written there.

use super::column::{Accepts, ColumnType, Source};
use super::leaf::Leaf;
use super::pointer::pointer_of;
use super::time;
use crate::error::ConfigError;

/// A place of a column of some type; `declared` is the property there, if the contract has one.
pub(super) fn source(
    path: Vec<String>,
    declared: Option<&Leaf<'_>>,
    column_type: ColumnType,
) -> Result<Source, ConfigError> {
    let mut accepts: Accepts = column_type.accepts();
    let mut form = time::Form::default();
    if let Some(leaf) = declared {
        accepts = column_type.accepts_of(leaf.tree, &leaf.place)?;
        form = time::Form::of(leaf, column_type)?;
    }
    Ok(Source {
        pointer: pointer_of(&path),
        path,
        inside: None,
        pair: None,
        accepts,
        date_time: form.date_time,
        written_time: form.written_time,
        unit: form.unit,
        declared: declared.is_some(),
    })
}
