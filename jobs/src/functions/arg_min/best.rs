//! What is kept of each group: the best value so far and the order that made it so, both as bytes of Arrow's row format. Not here: when
//! DataFusion asks for what (`accumulators`).

use std::cmp::Ordering;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, LargeBinaryArray, UInt64Array, new_null_array,
};
use datafusion::arrow::compute::{SortOptions, cast, take};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::common::Result;
use datafusion::logical_expr::EmitTo;

use crate::functions::byte_slots::ByteSlots;

/// The best value of each group, and the order that made it so.
#[derive(Debug)]
pub(super) struct Best {
    value_type: DataType,
    value_rows: RowConverter,
    order_rows: RowConverter,
    values: ByteSlots,
    orders: ByteSlots,
    groups: usize,
    /// The value of a group without rows.
    null: Vec<u8>,
}

impl Best {
    /// Keeps nothing yet.
    pub(super) fn new(value: &DataType, order: &DataType, last: bool) -> Result<Self> {
        let value_rows = RowConverter::new(vec![SortField::new(value.clone())])?;
        let rows = value_rows.convert_columns(&[new_null_array(value, 1)])?;
        let null = rows.row(0).data().to_vec();
        // Nulls sort last; the other way round all is the other way round.
        let options = SortOptions {
            descending: last,
            nulls_first: last,
        };
        let order = SortField::new_with_options(order.clone(), options);
        Ok(Self {
            value_type: value.clone(),
            value_rows,
            order_rows: RowConverter::new(vec![order])?,
            values: ByteSlots::default(),
            orders: ByteSlots::default(),
            groups: 0,
            null,
        })
    }

    /// Makes room for so many groups.
    pub(super) fn resize(&mut self, groups: usize) {
        self.groups = groups;
        self.values.resize(groups);
        self.orders.resize(groups);
    }

    /// Takes rows as the arguments of the function.
    pub(super) fn update(
        &mut self,
        arguments: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        let [value, order] = two(arguments);
        let rows = self
            .order_rows
            .convert_columns(std::slice::from_ref(order))?;
        let counted = counted(value, order, filter);
        let values = Values::Plain(value);
        self.improve(values, groups, |row| {
            counted(row).then(|| rows.row(row).data())
        })
    }

    /// Takes rows as the states of another phase.
    pub(super) fn merge(&mut self, states: &[ArrayRef], groups: &[usize]) -> Result<()> {
        let [values, orders] = two(states).map(|bytes| bytes.as_binary::<i64>());
        self.improve(Values::Encoded(values), groups, |row| {
            orders.is_valid(row).then(|| orders.value(row))
        })
    }

    /// Takes each row that is better than what its group has. Only the values of those are looked at.
    fn improve<'a>(
        &mut self,
        values: Values<'_>,
        groups: &[usize],
        order_of: impl Fn(usize) -> Option<&'a [u8]>,
    ) -> Result<()> {
        let (mut better, mut tied) = (Vec::new(), Vec::new());
        for (row, &group) in groups.iter().enumerate() {
            let Some(order) = order_of(row) else {
                continue;
            };
            match self.orders.get(group).map(|best| order.cmp(best)) {
                Some(Ordering::Greater) => {}
                Some(Ordering::Equal) => tied.push((group, row)),
                Some(Ordering::Less) | None => {
                    self.orders.set(group, order)?;
                    better.push((group, row));
                }
            }
        }
        // A group may be here several times; the last one is its best.
        self.for_each_value(values, &better, |slots, group, _, value| {
            slots.set(group, value)
        })?;
        let orders = std::mem::take(&mut self.orders);
        self.for_each_value(values, &tied, |slots, group, row, value| {
            let still_tied = order_of(row) == orders.get(group);
            let smaller = slots.get(group).is_some_and(|kept| value < kept);
            if still_tied && smaller {
                slots.set(group, value)?;
            }
            Ok(())
        })?;
        self.orders = orders;
        Ok(())
    }

    /// Calls with the group, the row and the bytes of its value.
    fn for_each_value(
        &mut self,
        values: Values<'_>,
        rows: &[(usize, usize)],
        mut each: impl FnMut(&mut ByteSlots, usize, usize, &[u8]) -> Result<()>,
    ) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let values = match values {
            Values::Plain(values) => values,
            Values::Encoded(values) => {
                return rows.iter().try_for_each(|(group, row)| {
                    each(&mut self.values, *group, *row, values.value(*row))
                });
            }
        };
        let indices = UInt64Array::from_iter_values(rows.iter().map(|(_, row)| *row as u64));
        let bytes = self
            .value_rows
            .convert_columns(&[take(values, &indices, None)?])?;
        for ((group, row), value) in rows.iter().zip(bytes.iter()) {
            each(&mut self.values, *group, *row, value.data())?;
        }
        Ok(())
    }

    /// The values of the first groups.
    pub(super) fn first_values(&self, groups: usize) -> Result<ArrayRef> {
        let parser = self.value_rows.parser();
        let bytes = (0..groups).map(|group| self.values.get(group).unwrap_or(&self.null));
        let mut columns = self
            .value_rows
            .convert_rows(bytes.map(|bytes| parser.parse(bytes)))?;
        let column = columns.swap_remove(0);
        // Inside a list or a struct dictionaries come back as their values.
        Ok(match *column.data_type() == self.value_type {
            true => column,
            false => cast(&column, &self.value_type)?,
        })
    }

    /// The values and orders of the first groups, for another phase.
    pub(super) fn first_states(&self, groups: usize) -> Vec<ArrayRef> {
        let state = |slots: &ByteSlots| -> ArrayRef {
            let bytes = (0..groups).map(|group| slots.get(group));
            Arc::new(bytes.collect::<LargeBinaryArray>())
        };
        vec![state(&self.values), state(&self.orders)]
    }

    /// Forgets the first groups; the others move up.
    pub(super) fn drop_first(&mut self, groups: usize) -> Result<()> {
        self.groups -= groups;
        self.values.drop_first(groups)?;
        self.orders.drop_first(groups)
    }

    /// How many groups leave.
    pub(super) fn count(&self, emit: EmitTo) -> usize {
        match emit {
            EmitTo::All => self.groups,
            EmitTo::First(groups) => groups,
        }
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.values.size() + self.orders.size() + self.value_rows.size() + self.order_rows.size()
    }

    /// Each row as the state of a group of its own.
    pub(super) fn states_of_rows(
        &self,
        arguments: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let [value, order] = two(arguments);
        let counted = counted(value, order, filter);
        let encoded = |rows: &RowConverter, column: &ArrayRef| -> Result<ArrayRef> {
            let rows = rows.convert_columns(std::slice::from_ref(column))?;
            let bytes = (0..column.len()).map(|row| counted(row).then(|| rows.row(row).data()));
            Ok(Arc::new(bytes.collect::<LargeBinaryArray>()))
        };
        Ok(vec![
            encoded(&self.value_rows, value)?,
            encoded(&self.order_rows, order)?,
        ])
    }
}

/// Where the values of rows are.
#[derive(Clone, Copy)]
enum Values<'a> {
    /// As an argument of the function.
    Plain(&'a ArrayRef),
    /// As a state.
    Encoded(&'a LargeBinaryArray),
}

fn two(arrays: &[ArrayRef]) -> [&ArrayRef; 2] {
    match arrays {
        [first, second] => [first, second],
        other => unreachable!(
            "arg_min has two arguments and two parts of state, not {}",
            other.len()
        ),
    }
}

/// Whether a row counts: its value and its order are not null, and the filter lets it through.
fn counted(
    value: &ArrayRef,
    order: &ArrayRef,
    filter: Option<&BooleanArray>,
) -> impl Fn(usize) -> bool {
    let nulls = [value.logical_nulls(), order.logical_nulls()];
    let filter = filter.cloned();
    move |row| {
        let present = nulls.iter().flatten().all(|nulls| nulls.is_valid(row));
        present
            && filter
                .as_ref()
                .is_none_or(|filter| filter.is_valid(row) && filter.value(row))
    }
}
