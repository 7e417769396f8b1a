//! Values as text: exactly for programs, rounded and without codes for the terminal for people.

use anyhow::Result;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::datatypes::Float64Type;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use userflow_process::terminal::escaped;

/// Every value as text, by `of` for a cell of an array; `None` is null.
fn rows(
    batches: &[RecordBatch],
    of: impl Fn(&ArrayRef, &ArrayFormatter<'_>, usize) -> String,
) -> Result<Vec<Vec<Option<String>>>> {
    let options = FormatOptions::default();
    let mut rows = Vec::new();
    for batch in batches {
        let columns = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).map(|text| (column, text)));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            let cell = |(column, text): &(&ArrayRef, ArrayFormatter<'_>)| {
                column.is_valid(row).then(|| of(column, text, row))
            };
            rows.push(columns.iter().map(cell).collect());
        }
    }
    Ok(rows)
}

/// Every value exactly.
pub(super) fn all_exact(batches: &[RecordBatch]) -> Result<Vec<Vec<Option<String>>>> {
    rows(batches, exact)
}

/// As text, because JSON numbers cannot hold every decimal and integer.
fn exact(_: &ArrayRef, text: &ArrayFormatter<'_>, row: usize) -> String {
    text.value(row).to_string()
}

/// For the eye: doubles rounded, no codes for the terminal, nothing for null.
pub(super) fn readable(batches: &[RecordBatch]) -> Result<Vec<Vec<String>>> {
    let shown = |column: &ArrayRef, text: &ArrayFormatter<'_>, row: usize| match column
        .as_primitive_opt::<Float64Type>()
    {
        Some(doubles) => rounded(doubles.value(row)),
        None => escaped(&exact(column, text, row)).into_owned(),
    };
    let rows = rows(batches, shown)?.into_iter();
    Ok(rows
        .map(|row| row.into_iter().map(Option::unwrap_or_default).collect())
        .collect())
}

/// Which columns are numbers.
pub(super) fn numbers(batches: &[RecordBatch], columns: usize) -> Vec<bool> {
    let Some(batch) = batches.first() else {
        return vec![false; columns];
    };
    let types = batch.columns().iter().map(|column| column.data_type());
    types.map(|data_type| data_type.is_numeric()).collect()
}

/// A number to four digits; all digits before the point are kept.
fn rounded(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() || value == 0.0 || (1e-4..1e15).contains(&size) {
        // 0.0123 has its first digit at -2, 123.4 at 2; where four digits end before the point, no decimals are left.
        let first = if value == 0.0 {
            0
        } else {
            size.log10().floor() as i32
        };
        let decimals = usize::try_from(3 - first).unwrap_or(0); // a large number shows none
        let text = format!("{value:.decimals$}");
        return match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
            false => text,
        };
    }
    format!("{value:.3e}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_rounded_for_the_eye() {
        for (value, shown) in [
            (0.0, "0"),
            (1.0, "1"),
            (0.952_380_952, "0.9524"),
            (-12.345_678, "-12.35"),
            (0.000_123_456, "0.0001235"),
            (182_345.67, "182346"),
            (0.5, "0.5"),
            (1e-9, "1.000e-9"),
            (123_456_789_012.0, "123456789012"),
            (2.5e18, "2.500e18"),
            (f64::INFINITY, "inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(rounded(value), shown);
        }
    }
}
