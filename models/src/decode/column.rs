//! One column of a batch as it grows. It only ever receives valid values.
//!
//! A column without a value is not touched by a row. Its nulls are made up for when its next value comes, or the batch ends.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, BooleanBufferBuilder, Date32Array, Decimal128Array, Float64Array,
    Int64Array, ListArray, NullBufferBuilder, PrimitiveArray, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Field};

use super::row::{Cell, Texts};

/// A column up to its last value.
pub(super) struct Column {
    values: Values,
    /// How many rows it has; those after them are null.
    rows: usize,
    /// Which rows are null, up to the last one that is.
    nulls: NullBufferBuilder,
}

impl Column {
    /// An empty one with room for `rows`, and for as many bytes of text.
    pub(super) fn new(data_type: &DataType, rows: usize, bytes: usize) -> Self {
        Self {
            values: Values::new(data_type, rows, bytes),
            rows: 0,
            nulls: NullBufferBuilder::new(rows),
        }
    }

    /// Bytes of a row beside its text.
    pub(super) fn row_bytes(&self) -> usize {
        match self.values {
            Values::Text(_) | Values::Date(_) | Values::List(_) => 4,
            Values::Double(_) | Values::Long(_) | Values::Time(_) => 8,
            Values::Decimal(_) => 16,
            Values::Boolean(_) => 1,
        }
    }

    /// Bytes of all its texts.
    pub(super) fn text_bytes(&self) -> usize {
        match &self.values {
            Values::Text(texts) => texts.bytes.len(),
            _ => 0,
        }
    }

    /// The last value of a column of dates.
    pub(super) fn last_date(&self) -> Option<i32> {
        match &self.values {
            Values::Date(dates) => dates.last().copied(),
            _ => unreachable!("the partition is a date"),
        }
    }

    /// Appends the value of `row` and returns the bytes of its text.
    // Lists call it as well, for which the compiler would make it a function.
    #[inline(always)]
    pub(super) fn append(&mut self, row: usize, cell: Cell, texts: &Texts<'_>) -> usize {
        if self.rows != row {
            self.null_until(row);
        }
        self.rows = row + 1;
        match (&mut self.values, cell) {
            (Values::Text(texts_so_far), Cell::Text(start, end)) => {
                texts_so_far.append(texts.message, start, end)
            }
            (Values::Text(texts_so_far), Cell::Scratch(start, end)) => {
                texts_so_far.append(texts.scratch, start, end)
            }
            (Values::Long(longs) | Values::Time(longs), Cell::Long(value)) => {
                longs.push(value);
                0
            }
            (Values::Decimal(units), Cell::Units(high, low)) => {
                units.push(i128::from(high) << 64 | i128::from(low));
                0
            }
            (Values::Double(doubles), Cell::Double(value)) => {
                doubles.push(value);
                0
            }
            (Values::Boolean(booleans), Cell::Boolean(value)) => {
                booleans.append(value);
                0
            }
            (Values::Date(dates), Cell::Date(value)) => {
                dates.push(value);
                0
            }
            (Values::List(lists), Cell::List(start, end)) => {
                lists.append(&texts.items[start as usize..end as usize], texts)
            }
            _ => foreign(cell),
        }
    }

    /// The rows up to `row` have no value.
    fn null_until(&mut self, row: usize) {
        let nulls = row - self.rows;
        self.nulls.append_n_non_nulls(self.rows - self.nulls.len());
        self.nulls.append_n_nulls(nulls);
        self.values.append_defaults(nulls);
        self.rows = row;
    }

    /// All of its `rows`.
    pub(super) fn finish(mut self, data_type: &DataType, rows: usize) -> ArrayRef {
        if self.rows != rows {
            self.null_until(rows);
        }
        self.nulls.append_n_non_nulls(rows - self.nulls.len());
        self.values.finish(data_type, self.nulls.finish())
    }
}

/// `read` makes cells of the column's type; storing another as null would lose it in silence.
#[cold]
fn foreign(cell: Cell) -> ! {
    unreachable!("{cell:?} is of another type than its column")
}

/// The values of a column, with one that means nothing for each null.
enum Values {
    Text(TextsSoFar),
    Double(Vec<f64>),
    Long(Vec<i64>),
    Decimal(Vec<i128>),
    Boolean(BooleanBufferBuilder),
    Time(Vec<i64>),
    Date(Vec<i32>),
    List(Box<Lists>),
}

impl Values {
    fn new(data_type: &DataType, rows: usize, bytes: usize) -> Self {
        match data_type {
            DataType::Float64 => Self::Double(Vec::with_capacity(rows)),
            DataType::Int64 => Self::Long(Vec::with_capacity(rows)),
            DataType::Boolean => Self::Boolean(BooleanBufferBuilder::new(rows)),
            DataType::Date32 => Self::Date(Vec::with_capacity(rows)),
            DataType::Decimal128(..) => Self::Decimal(Vec::with_capacity(rows)),
            DataType::Timestamp(..) => Self::Time(Vec::with_capacity(rows)),
            DataType::List(item) => Self::List(Box::new(Lists::new(item, rows))),
            _ => Self::Text(TextsSoFar::with_capacity(rows, bytes)),
        }
    }

    fn append_defaults(&mut self, count: usize) {
        match self {
            Self::Text(texts) => texts.append_empty(count),
            Self::Double(values) => values.resize(values.len() + count, 0.0),
            Self::Long(values) | Self::Time(values) => values.resize(values.len() + count, 0),
            Self::Decimal(values) => values.resize(values.len() + count, 0),
            Self::Boolean(values) => values.append_n(count, false),
            Self::Date(values) => values.resize(values.len() + count, 0),
            Self::List(lists) => lists.append_empty(count),
        }
    }

    fn finish(self, data_type: &DataType, nulls: Option<NullBuffer>) -> ArrayRef {
        match self {
            Self::Text(texts) => Arc::new(texts.finish(nulls)),
            Self::Double(values) => Arc::new(Float64Array::new(values.into(), nulls)),
            Self::Long(values) => Arc::new(Int64Array::new(values.into(), nulls)),
            Self::Decimal(values) => Arc::new(of_type(
                Decimal128Array::new(values.into(), nulls),
                data_type,
            )),
            Self::Boolean(mut values) => Arc::new(BooleanArray::new(values.finish(), nulls)),
            Self::Time(values) => {
                let times = TimestampMicrosecondArray::new(values.into(), nulls);
                Arc::new(of_type(times, data_type))
            }
            Self::Date(values) => Arc::new(Date32Array::new(values.into(), nulls)),
            Self::List(lists) => Arc::new(lists.finish(nulls)),
        }
    }
}

/// With the scale of a decimal, the zone of a time.
fn of_type<T: ArrowPrimitiveType>(
    array: PrimitiveArray<T>,
    data_type: &DataType,
) -> PrimitiveArray<T> {
    array.with_data_type(data_type.clone())
}

/// Lists of records: a column for each field of a record, and where each list ends.
struct Lists {
    item: Arc<Field>,
    fields: Vec<Column>,
    /// Bytes of a record beside its texts.
    record_bytes: usize,
    records: usize,
    ends: Vec<i32>,
}

impl Lists {
    fn new(item: &Arc<Field>, rows: usize) -> Self {
        let DataType::Struct(fields) = item.data_type() else {
            unreachable!("an item of a list is a record");
        };
        let fields: Vec<Column> = (fields.iter())
            .map(|field| Column::new(field.data_type(), 0, 0))
            .collect();
        let mut ends = Vec::with_capacity(rows + 1);
        ends.push(0);
        Self {
            item: Arc::clone(item),
            record_bytes: fields.iter().map(Column::row_bytes).sum(),
            fields,
            records: 0,
            ends,
        }
    }

    /// Apart from the other types, so that it does not weigh on rows without lists.
    #[inline(never)]
    fn append(&mut self, cells: &[Cell], texts: &Texts<'_>) -> usize {
        let mut bytes = 0;
        for record in cells.chunks_exact(self.fields.len()) {
            for (field, cell) in self.fields.iter_mut().zip(record) {
                if *cell != Cell::Null {
                    bytes += field.append(self.records, *cell, texts);
                }
            }
            self.records += 1;
            bytes += self.record_bytes;
        }
        self.append_empty(1);
        bytes
    }

    fn append_empty(&mut self, count: usize) {
        let end = i32::try_from(self.records).expect("fewer records than bytes of a batch");
        self.ends.resize(self.ends.len() + count, end);
    }

    fn finish(self, nulls: Option<NullBuffer>) -> ListArray {
        let DataType::Struct(fields) = self.item.data_type() else {
            unreachable!("an item of a list is a record");
        };
        let arrays = (self.fields.into_iter().zip(fields))
            .map(|(column, field)| column.finish(field.data_type(), self.records))
            .collect();
        let records = StructArray::new(fields.clone(), arrays, None);
        let ends = OffsetBuffer::new(ScalarBuffer::from(self.ends));
        ListArray::new(self.item, ends, Arc::new(records), nulls)
    }
}

/// Arrow's own builder takes `&str`, and cutting one from the message checks its ends for every value. Here bytes are
/// appended, and what they are is checked once for the whole column, when the array is made.
struct TextsSoFar {
    bytes: Vec<u8>,
    ends: Vec<i32>,
}

impl TextsSoFar {
    fn with_capacity(rows: usize, bytes: usize) -> Self {
        let mut ends = Vec::with_capacity(rows + 1);
        ends.push(0);
        Self {
            bytes: Vec::with_capacity(bytes),
            ends,
        }
    }

    /// Appends a range of `text` and returns how long it is.
    #[inline]
    fn append(&mut self, text: &str, start: u32, end: u32) -> usize {
        let (start, end) = (start as usize, end as usize);
        let text = text.as_bytes();
        let length = end - start;
        let chunk = text.get(start..).and_then(|rest| rest.first_chunk::<32>());
        match chunk {
            // More than the text is copied, and cut: thirty-two bytes are two moves, a number of bytes is a call.
            Some(chunk) if length <= 32 => {
                let whole = self.bytes.len() + length;
                self.bytes.extend_from_slice(chunk);
                self.bytes.truncate(whole);
            }
            _ => self.bytes.extend_from_slice(&text[start..end]),
        }
        let end = self.end();
        self.ends.push(end);
        length
    }

    fn append_empty(&mut self, count: usize) {
        let end = self.end();
        self.ends.resize(self.ends.len() + count, end);
    }

    #[inline]
    fn end(&self) -> i32 {
        #[expect(
            clippy::expect_used,
            reason = "the caller's bug, named in Decoder::bytes"
        )]
        i32::try_from(self.bytes.len()).expect("a batch of less than 2 GiB per column")
    }

    fn finish(self, nulls: Option<NullBuffer>) -> StringArray {
        let ends = OffsetBuffer::new(ScalarBuffer::from(self.ends));
        let bytes = Buffer::from_vec(self.bytes);
        #[expect(
            clippy::expect_used,
            reason = "values are whole strings of a UTF-8 message"
        )]
        StringArray::try_new(ends, bytes, nulls).expect("texts of a UTF-8 message")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Array;

    /// Long enough that a text at its start is copied with what follows, and one at its end is not.
    const MESSAGE: &str = "abc and as much as is needed behind it, up to the end: xyz";

    /// The values in rows 2, 3 and 6 of eight.
    fn with(data_type: &DataType, cells: [Cell; 3]) -> ArrayRef {
        let texts = Texts {
            message: MESSAGE,
            scratch: "other",
            items: &[],
        };
        let mut column = Column::new(data_type, 0, 0);
        for (row, cell) in [2, 3, 6].into_iter().zip(cells) {
            column.append(row, cell, &texts);
        }
        column.finish(data_type, 8)
    }

    fn spread<T: Copy>([first, second, third]: [T; 3]) -> Vec<Option<T>> {
        let (first, second, third) = (Some(first), Some(second), Some(third));
        vec![None, None, first, second, None, None, third, None]
    }

    #[test]
    fn rows_without_a_value_are_null_at_the_start_in_between_and_at_the_end() {
        let end = MESSAGE.len() as u32;
        let texts = [
            (
                [
                    Cell::Text(0, 3),
                    Cell::Text(0, end),
                    Cell::Text(end - 3, end),
                ],
                ["abc", MESSAGE, "xyz"],
            ),
            (
                [Cell::Scratch(0, 5), Cell::Text(0, 0), Cell::Text(0, 32)],
                ["other", "", &MESSAGE[..32]],
            ),
        ];
        for (cells, texts) in texts {
            let expected = StringArray::from(spread(texts));
            assert_eq!(
                with(&DataType::Utf8, cells).as_ref(),
                &expected as &dyn Array
            );
        }
        let longs = Int64Array::from(spread([7, -1, 0]));
        let cells = [7, -1, 0].map(Cell::Long);
        assert_eq!(with(&DataType::Int64, cells).as_ref(), &longs as &dyn Array);
        let booleans = BooleanArray::from(spread([true, false, true]));
        let cells = [true, false, true].map(Cell::Boolean);
        assert_eq!(
            with(&DataType::Boolean, cells).as_ref(),
            &booleans as &dyn Array
        );
        let decimal = DataType::Decimal128(14, 2);
        let units = Decimal128Array::from(spread([1, 1 << 70, -5])).with_data_type(decimal.clone());
        let cells = [1, 1 << 70, -5].map(Cell::units);
        assert_eq!(with(&decimal, cells).as_ref(), &units as &dyn Array);
    }

    #[test]
    fn a_column_may_have_no_value_at_all_or_one_in_every_row() {
        let none = Column::new(&DataType::Date32, 0, 0).finish(&DataType::Date32, 3);
        assert_eq!((none.len(), none.null_count()), (3, 3));
        let mut all = Column::new(&DataType::Date32, 0, 0);
        let texts = Texts {
            message: "",
            scratch: "",
            items: &[],
        };
        (0..3).for_each(|row| {
            all.append(row, Cell::Date(row as i32), &texts);
        });
        let all = all.finish(&DataType::Date32, 3);
        assert_eq!(
            all.as_ref(),
            &Date32Array::from(vec![0, 1, 2]) as &dyn Array
        );
        assert!(all.nulls().is_none());
    }
}
