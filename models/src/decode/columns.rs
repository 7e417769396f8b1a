//! The Arrow builders of a batch. They only ever receive whole, valid rows.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int64Builder,
    ListArray, NullBufferBuilder, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondBuilder,
};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, SchemaRef};

use crate::contract::PARTITION;

/// Most room that a column of texts starts with; beyond, it grows as texts come.
const MOST_TEXT_ROOM: usize = 4 << 20;

/// The value of one column of one event.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) enum Cell {
    #[default]
    Null,
    /// A range of the message.
    Text(u32, u32),
    /// A range of the scratch text: what had escapes, or is stored as another text.
    Scratch(u32, u32),
    Double(f64),
    /// A `bigint`, or a time in microseconds.
    Long(i64),
    /// An `i128` in two halves, high and low, which keeps every cell at three words.
    Units(i64, u64),
    Boolean(bool),
    Date(i32),
    /// A range of the items: the cells of one after the other.
    List(u32, u32),
}

/// What the cells of a row point into.
#[derive(Clone, Copy)]
pub(super) struct Texts<'a> {
    pub(super) message: &'a str,
    pub(super) scratch: &'a str,
    pub(super) items: &'a [Cell],
}

impl Cell {
    pub(super) fn units(value: i128) -> Self {
        Self::Units((value >> 64) as i64, value as u64)
    }
}

enum Builder {
    Text(TextBuilder),
    Double(Float64Builder),
    Long(Int64Builder),
    Decimal(Decimal128Builder),
    Boolean(BooleanBuilder),
    Time(TimestampMicrosecondBuilder),
    Date(Date32Builder),
    List(ListBuilder),
}

/// The rows decoded so far.
pub(super) struct Columns {
    schema: SchemaRef,
    builders: Vec<Builder>,
    rows: usize,
    /// Bytes of all texts so far.
    text_bytes: usize,
    /// Bytes of a row beside its texts.
    row_bytes: usize,
}

impl Columns {
    pub(super) fn new(schema: SchemaRef) -> Self {
        let builders: Vec<Builder> = schema
            .fields()
            .iter()
            .map(|field| Builder::new(field.data_type(), 0, 0))
            .collect();
        let row_bytes = builders.iter().map(Builder::row_bytes).sum();
        Self {
            schema,
            builders,
            rows: 0,
            text_bytes: 0,
            row_bytes,
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The partition of the last row.
    pub(super) fn last_date(&self) -> Option<i32> {
        let (at, _) = self.schema.column_with_name(PARTITION)?;
        match &self.builders[at] {
            Builder::Date(dates) => dates.values_slice().last().copied(),
            _ => unreachable!("the partition is a date"),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.text_bytes + self.rows * self.row_bytes
    }

    /// Appends a row: a cell for each column but the last, which is the extra text.
    pub(super) fn append(&mut self, cells: &[Cell], texts: Texts<'_>, extra: Option<&str>) {
        for (builder, cell) in self.builders.iter_mut().zip(cells) {
            self.text_bytes += builder.append(*cell, &texts);
        }
        let Some(Builder::Text(builder)) = self.builders.last_mut() else {
            unreachable!("the last column is the extra text");
        };
        match extra {
            Some(extra) => builder.append(extra.as_bytes()),
            None => builder.append_null(),
        }
        self.text_bytes += extra.map_or(0, str::len);
        self.rows += 1;
    }

    /// Takes the rows. The next batch starts with room for as many, within reason: large texts are rare.
    pub(super) fn finish(&mut self) -> RecordBatch {
        let rows = std::mem::take(&mut self.rows);
        self.text_bytes = 0;
        let arrays: Vec<ArrayRef> = self
            .builders
            .iter_mut()
            .zip(self.schema.fields())
            .map(|(builder, field)| builder.finish(field.data_type(), rows))
            .collect();
        // Each builder was made from its field and has received a value for every row.
        #[expect(
            clippy::expect_used,
            reason = "an error would be a bug of this file, not of the input"
        )]
        RecordBatch::try_new(Arc::clone(&self.schema), arrays).expect("columns follow the schema")
    }
}

impl Builder {
    fn new(data_type: &DataType, rows: usize, bytes: usize) -> Self {
        match data_type {
            DataType::Float64 => Self::Double(Float64Builder::with_capacity(rows)),
            DataType::Int64 => Self::Long(Int64Builder::with_capacity(rows)),
            DataType::Boolean => Self::Boolean(BooleanBuilder::with_capacity(rows)),
            DataType::Date32 => Self::Date(Date32Builder::with_capacity(rows)),
            DataType::Decimal128(..) => Self::Decimal(
                Decimal128Builder::with_capacity(rows).with_data_type(data_type.clone()),
            ),
            DataType::Timestamp(..) => Self::Time(
                TimestampMicrosecondBuilder::with_capacity(rows).with_data_type(data_type.clone()),
            ),
            DataType::List(item) => Self::List(ListBuilder::new(item, rows)),
            _ => Self::Text(TextBuilder::with_capacity(rows, bytes)),
        }
    }

    fn row_bytes(&self) -> usize {
        match self {
            Self::Text(_) | Self::Date(_) | Self::List(_) => 4,
            Self::Double(_) | Self::Long(_) | Self::Time(_) => 8,
            Self::Decimal(_) => 16,
            Self::Boolean(_) => 1,
        }
    }

    /// Appends a cell and returns the bytes of its text.
    #[inline]
    fn append(&mut self, cell: Cell, texts: &Texts<'_>) -> usize {
        match self {
            Self::Text(builder) => {
                let (from, start, end) = match cell {
                    Cell::Text(start, end) => (texts.message, start, end),
                    Cell::Scratch(start, end) => (texts.scratch, start, end),
                    Cell::Null => {
                        builder.append_null();
                        return 0;
                    }
                    other => foreign(other),
                };
                let text = &from.as_bytes()[start as usize..end as usize];
                builder.append(text);
                return text.len();
            }
            Self::Long(builder) => match cell {
                Cell::Long(value) => builder.append_value(value),
                Cell::Null => builder.append_null(),
                other => foreign(other),
            },
            Self::Time(builder) => match cell {
                Cell::Long(value) => builder.append_value(value),
                Cell::Null => builder.append_null(),
                other => foreign(other),
            },
            Self::Decimal(builder) => match cell {
                Cell::Units(high, low) => {
                    builder.append_value(i128::from(high) << 64 | i128::from(low));
                }
                Cell::Null => builder.append_null(),
                other => foreign(other),
            },
            Self::Double(builder) => match cell {
                Cell::Double(value) => builder.append_value(value),
                Cell::Null => builder.append_null(),
                other => foreign(other),
            },
            Self::Boolean(builder) => match cell {
                Cell::Boolean(value) => builder.append_value(value),
                Cell::Null => builder.append_null(),
                other => foreign(other),
            },
            Self::Date(builder) => match cell {
                Cell::Date(value) => builder.append_value(value),
                Cell::Null => builder.append_null(),
                other => foreign(other),
            },
            Self::List(builder) => return builder.append(cell, texts),
        }
        0
    }

    fn finish(&mut self, data_type: &DataType, rows: usize) -> ArrayRef {
        let bytes = match self {
            Self::Text(builder) => builder.values.len().min(MOST_TEXT_ROOM),
            _ => 0,
        };
        match std::mem::replace(self, Self::new(data_type, rows, bytes)) {
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Double(mut builder) => Arc::new(builder.finish()),
            Self::Long(mut builder) => Arc::new(builder.finish()),
            Self::Decimal(mut builder) => Arc::new(builder.finish()),
            Self::Boolean(mut builder) => Arc::new(builder.finish()),
            Self::Time(mut builder) => Arc::new(builder.finish()),
            Self::Date(mut builder) => Arc::new(builder.finish()),
            Self::List(builder) => Arc::new(builder.finish()),
        }
    }
}

/// `read` makes cells of the column's type or null; storing another as null would lose it in silence.
#[cold]
fn foreign(cell: Cell) -> ! {
    unreachable!("{cell:?} is of another type than its column")
}

/// Lists of records: a builder for each field of a record, and where each list ends.
struct ListBuilder {
    item: Arc<Field>,
    fields: Vec<Builder>,
    field_types: Vec<DataType>,
    /// Bytes of a record beside its texts.
    record_bytes: usize,
    records: usize,
    ends: Vec<i32>,
    nulls: NullBufferBuilder,
}

impl ListBuilder {
    fn new(item: &Arc<Field>, rows: usize) -> Self {
        let DataType::Struct(fields) = item.data_type() else {
            unreachable!("an item of a list is a record");
        };
        let field_types: Vec<DataType> = fields
            .iter()
            .map(|field| field.data_type().clone())
            .collect();
        let fields: Vec<Builder> = field_types
            .iter()
            .map(|of| Builder::new(of, 0, 0))
            .collect();
        let mut ends = Vec::with_capacity(rows + 1);
        ends.push(0);
        Self {
            item: Arc::clone(item),
            record_bytes: fields.iter().map(Builder::row_bytes).sum(),
            fields,
            field_types,
            records: 0,
            ends,
            nulls: NullBufferBuilder::new(rows),
        }
    }

    /// Apart from the other builders, so that it does not weigh on rows without lists.
    #[inline(never)]
    fn append(&mut self, cell: Cell, texts: &Texts<'_>) -> usize {
        let mut bytes = 0;
        match cell {
            Cell::Null => self.nulls.append_null(),
            Cell::List(start, end) => {
                self.nulls.append_non_null();
                let cells = &texts.items[start as usize..end as usize];
                for record in cells.chunks_exact(self.fields.len()) {
                    for (builder, cell) in self.fields.iter_mut().zip(record) {
                        bytes += builder.append(*cell, texts);
                    }
                    self.records += 1;
                    bytes += self.record_bytes;
                }
            }
            other => foreign(other),
        }
        let end = i32::try_from(self.records).expect("fewer records than bytes of a batch");
        self.ends.push(end);
        bytes
    }

    fn finish(self) -> ListArray {
        let DataType::Struct(fields) = self.item.data_type() else {
            unreachable!("an item of a list is a record");
        };
        let arrays = self.fields.into_iter().zip(&self.field_types);
        let arrays = arrays
            .map(|(mut builder, of)| builder.finish(of, 0))
            .collect();
        let records = StructArray::new(fields.clone(), arrays, None);
        let ends = OffsetBuffer::new(ScalarBuffer::from(self.ends));
        let mut nulls = self.nulls;
        ListArray::new(self.item, ends, Arc::new(records), nulls.finish())
    }
}

/// Arrow's own builder takes `&str`, and cutting one from the message checks its ends for every value. Here bytes are
/// appended, and what they are is checked once for the whole column, when the array is made.
struct TextBuilder {
    values: Vec<u8>,
    ends: Vec<i32>,
    nulls: NullBufferBuilder,
}

impl TextBuilder {
    fn with_capacity(rows: usize, bytes: usize) -> Self {
        let mut ends = Vec::with_capacity(rows + 1);
        ends.push(0);
        Self {
            values: Vec::with_capacity(bytes),
            ends,
            nulls: NullBufferBuilder::new(rows),
        }
    }

    #[inline]
    fn append(&mut self, text: &[u8]) {
        self.values.extend_from_slice(text);
        self.end();
        self.nulls.append_non_null();
    }

    fn append_null(&mut self) {
        self.end();
        self.nulls.append_null();
    }

    #[inline]
    fn end(&mut self) {
        #[expect(
            clippy::expect_used,
            reason = "the caller's bug, named in Decoder::bytes"
        )]
        let end = i32::try_from(self.values.len()).expect("a batch of less than 2 GiB per column");
        self.ends.push(end);
    }

    fn finish(mut self) -> StringArray {
        let ends = OffsetBuffer::new(ScalarBuffer::from(self.ends));
        let values = Buffer::from_vec(self.values);
        #[expect(
            clippy::expect_used,
            reason = "values are whole strings of a UTF-8 message"
        )]
        StringArray::try_new(ends, values, self.nulls.finish()).expect("texts of a UTF-8 message")
    }
}
