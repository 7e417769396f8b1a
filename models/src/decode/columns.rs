//! The columns of a batch. They only ever receive whole, valid rows, and a row costs what it has, not what the contract has.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;

use super::column::Column;
use super::row::{Cell, Row, Texts};
use crate::contract::PARTITION;

/// Most room that a column of texts starts with; beyond, it grows as texts come.
const MOST_TEXT_ROOM: usize = 4 << 20;

/// The rows decoded so far.
pub(super) struct Columns {
    schema: SchemaRef,
    columns: Vec<Column>,
    rows: usize,
    /// Bytes of all texts so far.
    text_bytes: usize,
    /// Bytes of a row beside its texts.
    row_bytes: usize,
}

impl Columns {
    pub(super) fn new(schema: SchemaRef) -> Self {
        let columns: Vec<Column> = (schema.fields().iter())
            .map(|field| Column::new(field.data_type(), 0, 0))
            .collect();
        Self {
            row_bytes: columns.iter().map(Column::row_bytes).sum(),
            schema,
            columns,
            rows: 0,
            text_bytes: 0,
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The column before the last, which in a contract with lists says which event of a list a row is.
    pub(super) fn before_extra(&self) -> usize {
        self.columns.len() - 2
    }

    /// The partition of the last row.
    pub(super) fn last_date(&self) -> Option<i32> {
        let (at, _) = self.schema.column_with_name(PARTITION)?;
        self.columns[at].last_date()
    }

    pub(super) fn bytes(&self) -> usize {
        self.text_bytes + self.rows * self.row_bytes
    }

    /// Appends a row. `extra`: the text of the last column.
    pub(super) fn append(&mut self, row: &Row, texts: Texts<'_>, extra: Option<&str>) {
        for (column, cell) in row.filled() {
            self.text_bytes += self.columns[column].append(self.rows, cell, &texts);
        }
        if let Some(extra) = extra {
            let last = self.columns.last_mut().expect("the extra text");
            let whole = Texts {
                scratch: extra,
                ..texts
            };
            self.text_bytes += last.append(self.rows, Cell::Scratch(0, extra.len() as u32), &whole);
        }
        self.rows += 1;
    }

    /// Takes the rows. The next batch starts with room for as many, within reason: large texts are rare.
    pub(super) fn finish(&mut self) -> RecordBatch {
        let rows = std::mem::take(&mut self.rows);
        self.text_bytes = 0;
        let arrays: Vec<ArrayRef> = (self.columns.iter_mut())
            .zip(self.schema.fields())
            .map(|(column, field)| {
                let text = column.text_bytes().min(MOST_TEXT_ROOM);
                let next = Column::new(field.data_type(), rows, text);
                std::mem::replace(column, next).finish(field.data_type(), rows)
            })
            .collect();
        // Each column was made from its field and has a value for every row.
        #[expect(
            clippy::expect_used,
            reason = "an error would be a bug of this file, not of the input"
        )]
        RecordBatch::try_new(Arc::clone(&self.schema), arrays).expect("columns follow the schema")
    }
}
