//! Columns of the quarantine as texts.

use anyhow::{Context, Result};
use datafusion::arrow::array::{Array, AsArray, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;

/// A column as texts.
pub(super) fn texts(batch: &RecordBatch, name: &str) -> Result<StringArray> {
    let column = batch.column_by_name(name);
    let column = column.with_context(|| format!("the quarantine has no column {name}"))?;
    Ok(cast(column, &DataType::Utf8)?.as_string().clone())
}

/// A text; that of null is empty.
pub(super) fn text(texts: &StringArray, row: usize) -> &str {
    match texts.is_valid(row) {
        true => texts.value(row),
        false => "",
    }
}

/// Every problem of a row: `wrong_type in country: a number, expected a string; ...`.
pub(super) fn problems(batch: &RecordBatch, row: usize) -> Result<String> {
    let column = batch.column_by_name("problems");
    let column = column.context("the quarantine has no column problems")?;
    let lists = column.as_list_opt::<i32>();
    let lists = lists.context("problems is not a list")?;
    if lists.is_null(row) {
        return Ok(String::new());
    }
    let items = RecordBatch::from(lists.value(row).as_struct());
    let columns = [
        texts(&items, "reason")?,
        texts(&items, "field")?,
        texts(&items, "detail")?,
    ];
    let items = (0..items.num_rows()).map(|item| {
        let [reason, field, detail] = columns.each_ref().map(|column| text(column, item));
        match field {
            "" => format!("{reason}: {detail}"),
            field => format!("{reason} in {field}: {detail}"),
        }
    });
    Ok(items.collect::<Vec<_>>().join("; "))
}
