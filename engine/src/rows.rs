//! Rows of a view as Arrow, built column by column: one column per `online::Stored` of the view, in its order. What a feature's value is:
//! `value.rs`. Which rows: `take.rs`.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Decimal128Builder, Float64Builder, Int32Builder, Int64Builder,
    ListBuilder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, SchemaRef};
use userflow_models::features::online::{self, Source};

use super::gathered::Rows;
use super::key::{key_texts, split_start};
use super::layout::{ENDED, EVENT_TIME, MERGED, PHASE, RING, TIMED_OUT, VERSION, ViewPlan};
use super::lists::total;
use super::value::Row;

/// Builds batches of rows of one view: those of several engines can become one batch, and its builders are used again for the next one.
pub struct RowsBuilder {
    schema: SchemaRef,
    columns: Vec<Column>,
    len: usize,
}

/// The builder of a column.
enum Column {
    Int(Int64Builder),
    Small(Int32Builder),
    Real(Float64Builder),
    Decimal(Decimal128Builder),
    Text(StringBuilder),
    Truth(BooleanBuilder),
    Time(TimestampMicrosecondBuilder),
    Ints(ListBuilder<Int64Builder>),
    Texts(ListBuilder<StringBuilder>),
}

impl RowsBuilder {
    pub(super) fn new(view: &ViewPlan) -> Self {
        let schema = online::schema(&view.view);
        let columns = schema.fields().iter();
        Self {
            columns: columns.map(|field| Column::of(field.data_type())).collect(),
            schema,
            len: 0,
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The rows; afterwards there are none.
    pub fn finish(&mut self) -> RecordBatch {
        self.len = 0;
        let columns = self.columns.iter_mut().map(Column::finish).collect();
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .expect("every column has the type of the schema and a value per row")
    }

    pub(super) fn append(&mut self, rows: &Rows<'_>) {
        for (column, stored) in self.columns.iter_mut().zip(&rows.view.stored) {
            column.append(stored.source, rows);
        }
        self.len += rows.gathered.records.len();
    }
}

impl Column {
    fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Int64 => Self::Int(Int64Builder::new()),
            DataType::Int32 => Self::Small(Int32Builder::new()),
            DataType::Float64 => Self::Real(Float64Builder::new()),
            DataType::Decimal128(..) => {
                Self::Decimal(Decimal128Builder::new().with_data_type(data_type.clone()))
            }
            DataType::Utf8 => Self::Text(StringBuilder::new()),
            DataType::Boolean => Self::Truth(BooleanBuilder::new()),
            DataType::Timestamp(..) => {
                Self::Time(TimestampMicrosecondBuilder::new().with_data_type(data_type.clone()))
            }
            DataType::List(item) if *item.data_type() == DataType::Int64 => {
                Self::Ints(ListBuilder::new(Int64Builder::new()))
            }
            DataType::List(_) => Self::Texts(ListBuilder::new(StringBuilder::new())),
            other => unreachable!("no row has a column of type {other}"),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Int(column) => Arc::new(column.finish()),
            Self::Small(column) => Arc::new(column.finish()),
            Self::Real(column) => Arc::new(column.finish()),
            Self::Decimal(column) => Arc::new(column.finish()),
            Self::Text(column) => Arc::new(column.finish()),
            Self::Truth(column) => Arc::new(column.finish()),
            Self::Time(column) => Arc::new(column.finish()),
            Self::Ints(column) => Arc::new(column.finish()),
            Self::Texts(column) => Arc::new(column.finish()),
        }
    }

    /// Appends one column of some rows. The type of a column follows from its source, so only these pairs meet.
    fn append(&mut self, source: Source, rows: &Rows<'_>) {
        match self {
            Self::Int(column) => rows
                .iter()
                .for_each(|row| column.append_option(number(source, row))),
            Self::Small(column) => {
                column.append_value_n(rows.partition, rows.gathered.records.len());
            }
            Self::Real(column) => {
                let feature = feature(source);
                rows.iter()
                    .for_each(|row| column.append_option(row.real(feature)));
            }
            Self::Decimal(column) => match source {
                Source::Total(feature) => rows
                    .iter()
                    .for_each(|row| column.append_value(total(row.words(feature)))),
                _ => {
                    let feature = feature(source);
                    rows.iter()
                        .for_each(|row| column.append_option(row.decimal(feature)));
                }
            },
            Self::Text(column) => match source {
                Source::Key(place) => {
                    for record in &rows.gathered.records {
                        let key = &rows.table.header(*record).key;
                        let text = key_texts(key).nth(place);
                        column.append_value(text.expect("a key has all columns of its entity"));
                    }
                }
                _ => {
                    let feature = feature(source);
                    rows.iter()
                        .for_each(|row| column.append_option(row.text(feature)));
                }
            },
            Self::Truth(column) => match source {
                Source::IsFinal => rows
                    .iter()
                    .for_each(|row| column.append_value(row.head[PHASE] & ENDED != 0)),
                Source::Merged => rows
                    .iter()
                    .for_each(|row| column.append_value(row.head[PHASE] & MERGED != 0)),
                Source::TimedOut => rows
                    .iter()
                    .for_each(|row| column.append_value(row.head[PHASE] & TIMED_OUT != 0)),
                _ => {
                    let feature = feature(source);
                    rows.iter()
                        .for_each(|row| column.append_option(row.truth(feature)));
                }
            },
            Self::Time(column) => match source {
                Source::Start => {
                    for record in &rows.gathered.records {
                        let start = split_start(&rows.table.header(*record).key);
                        column.append_value(start.expect("a key by start has one").1);
                    }
                }
                Source::WindowEnd => column.append_slice(&rows.gathered.ends),
                Source::EventTime => rows
                    .iter()
                    .for_each(|row| column.append_option(known(row.head[EVENT_TIME]))),
                Source::TimeOf(feature) => rows
                    .iter()
                    .for_each(|row| column.append_option(known(row.words(feature)[0]))),
                _ => {
                    let feature = feature(source);
                    rows.iter()
                        .for_each(|row| column.append_option(row.int(feature)));
                }
            },
            Self::Ints(column) => {
                for row in rows.iter() {
                    numbers(source, row, column.values());
                    column.append(true);
                }
            }
            Self::Texts(column) => {
                for row in rows.iter() {
                    let values = column.values();
                    match source {
                        Source::Values(feature) => {
                            row.kept(feature, |text| values.append_value(text));
                        }
                        _ => row.list(feature(source), |text| values.append_value(text)),
                    }
                    column.append(true);
                }
            }
        }
    }
}

/// The feature that readers see in a column.
fn feature(source: Source) -> usize {
    match source {
        Source::Value(feature) => feature,
        other => unreachable!("{other:?} has another type"),
    }
}

fn known(time: i64) -> Option<i64> {
    (time != i64::MIN && time != i64::MAX).then_some(time)
}

fn number(source: Source, row: Row<'_>) -> Option<i64> {
    match source {
        Source::Version => Some(row.head[VERSION]),
        Source::Count(feature) => Some(row.words(feature)[0]),
        Source::Samples(feature) => Some(row.words(feature)[2]),
        Source::StreakOlder(feature) => Some(row.words(feature)[1]),
        Source::StreakOlderNewest(feature) => known(row.words(feature)[2]),
        Source::StreakUntil(feature) => known(row.words(feature)[3]),
        other => row.int(feature(other)),
    }
}

fn numbers(source: Source, row: Row<'_>, into: &mut Int64Builder) {
    let pools = &row.arena.pools;
    match source {
        Source::Hashes(feature) => {
            let hashes = pools.sketches.get(row.words(feature)[0]);
            for hash in hashes.into_iter().flat_map(|sketch| &sketch.0) {
                // The order of unsigned hashes, in signed numbers.
                into.append_value((hash ^ (1 << 63)).cast_signed());
            }
        }
        Source::Times(feature) if row.is_dated(feature) => {
            row.dated(feature)
                .for_each(|known| into.append_value(known.newest));
        }
        Source::Counts(feature) if row.is_dated(feature) => {
            row.dated(feature)
                .for_each(|known| into.append_value(known.count));
        }
        Source::Times(feature) => {
            let newest = pools.newest.get(row.words(feature)[0]);
            for (time, _) in newest.into_iter().flatten() {
                into.append_value(*time);
            }
        }
        Source::Counts(feature) => {
            let counts = pools.counts.get(row.words(feature)[0]);
            for (_, count) in counts.into_iter().flatten() {
                into.append_value(*count);
            }
        }
        Source::StreakTimes(feature) => {
            if let Some(times) = pools.times.get(row.words(feature)[0]) {
                into.append_slice(times);
            }
        }
        Source::EventTimes => {
            let ring = pools.rings.get(row.head[RING]);
            for kept in ring.into_iter().flatten() {
                into.append_value(kept.time);
            }
        }
        other => unreachable!("{other:?} is no list of numbers"),
    }
}
