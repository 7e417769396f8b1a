//! Who wants to see windows when they end.

use arrow::array::RecordBatch;

/// Who wants to know when a window ends. Rows are conflated, so its last value need not be seen there.
pub trait Observer {
    /// A window `[.., end)` of a sliding view ended with these rows, one per entity.
    fn window_ended(&mut self, view: usize, end: i64, rows: &RecordBatch);
    /// Whether it is worth making the rows.
    const WANTED: bool;
}

/// Nobody.
pub struct Nobody;

impl Observer for Nobody {
    fn window_ended(&mut self, _view: usize, _end: i64, _rows: &RecordBatch) {}
    const WANTED: bool = false;
}
