//! The columns of a decoded batch as the engine reads them: by the contract's column number and the row, without names.

use arrow::array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};

use super::ids::ColumnId;

impl Cells {
    fn of(column: &ArrayRef) -> Self {
        let any = column.as_any();
        if let Some(texts) = any.downcast_ref::<StringArray>() {
            Self::Text(texts.clone())
        } else if let Some(numbers) = any.downcast_ref::<Int64Array>() {
            Self::Int(numbers.clone())
        } else if let Some(numbers) = any.downcast_ref::<Decimal128Array>() {
            Self::Decimal(numbers.clone())
        } else if let Some(times) = any.downcast_ref::<TimestampMicrosecondArray>() {
            Self::Time(times.clone())
        } else if let Some(truths) = any.downcast_ref::<BooleanArray>() {
            Self::Truth(truths.clone())
        } else {
            Self::Other
        }
    }
}

/// A decoded batch.
pub struct Events {
    columns: Vec<Cells>,
    time: ColumnId,
    rows: usize,
}

enum Cells {
    Text(StringArray),
    Int(Int64Array),
    Decimal(Decimal128Array),
    Time(TimestampMicrosecondArray),
    Truth(BooleanArray),
    /// A type that no feature uses.
    Other,
}

impl Events {
    /// Takes the columns of a batch of the contract's schema; `time` is the number of the event time.
    pub fn new(batch: &RecordBatch, time: usize) -> Self {
        Self {
            columns: batch.columns().iter().map(Cells::of).collect(),
            time: ColumnId::new(time),
            rows: batch.num_rows(),
        }
    }

    /// Keeps the first columns, and adds others after them.
    pub(super) fn with_columns(&mut self, kept: usize, more: &[ArrayRef]) {
        self.columns.truncate(kept);
        self.columns.extend(more.iter().map(Cells::of));
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Event time of a row, microseconds UTC.
    pub(super) fn time(&self, row: usize) -> i64 {
        (self.number(self.time, row)).expect("the decoder refuses an event without a time")
    }

    /// A text, or none: null, or no text column.
    pub(super) fn text(&self, column: ColumnId, row: usize) -> Option<&str> {
        match &self.columns[column.index()] {
            Cells::Text(texts) if texts.is_valid(row) => Some(texts.value(row)),
            _ => None,
        }
    }

    /// A number in units of its column: a timestamp's microseconds, a decimal's digits, a truth value as 0 or 1.
    pub(super) fn number(&self, column: ColumnId, row: usize) -> Option<i64> {
        match &self.columns[column.index()] {
            Cells::Int(numbers) if numbers.is_valid(row) => Some(numbers.value(row)),
            Cells::Time(times) if times.is_valid(row) => Some(times.value(row)),
            Cells::Decimal(numbers) if numbers.is_valid(row) => {
                i64::try_from(numbers.value(row)).ok()
            }
            Cells::Truth(truths) if truths.is_valid(row) => Some(i64::from(truths.value(row))),
            _ => None,
        }
    }
}
