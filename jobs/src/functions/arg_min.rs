//! `arg_min(value, order)` and `arg_max(value, order)`: the value of the row that comes first, or last, by an order.
//!
//! As in DuckDB: several keys are one tuple, `arg_min(value, (time, id))`; a row whose value or order is null does not count, a null
//! inside the tuple sorts last. Unlike there, a tie does not depend on the order of the rows: the smallest value of those tied is
//! taken. Value and order may have any type, and any bytes: both are kept in Arrow's row format, whose bytes compare as the values do.

use std::cmp::Ordering;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, LargeBinaryArray, UInt64Array, new_null_array,
};
use datafusion::arrow::compute::{SortOptions, cast, take};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};

use super::byte_slots::ByteSlots;

/// The function: the first by the order, or the last.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ArgMin {
    signature: Signature,
    last: bool,
}

impl ArgMin {
    /// `arg_min`.
    pub fn first() -> Self {
        Self {
            signature: Signature::user_defined(Volatility::Immutable),
            last: false,
        }
    }

    /// `arg_max`.
    pub fn last() -> Self {
        Self {
            last: true,
            ..Self::first()
        }
    }

    fn best(&self, args: &AccumulatorArgs<'_>) -> Result<Best> {
        let value = args.return_field.data_type();
        Best::new(value, args.expr_fields[1].data_type(), self.last)
    }
}

impl AggregateUDFImpl for ArgMin {
    fn name(&self) -> &str {
        if self.last { "arg_max" } else { "arg_min" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let name = self.name();
        let [value, order] = types else {
            return plan_err!(
                "{name} takes a value and an order, and several keys as one tuple: {name}(value, (first, second))"
            );
        };
        let types = vec![plain(value), plain(order)];
        let fields: Vec<SortField> = types.iter().cloned().map(SortField::new).collect();
        if !RowConverter::supports_fields(&fields) {
            return plan_err!("{name} cannot compare {value} by {order}");
        }
        Ok(types)
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types[0].clone())
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        // Both as bytes of the row format: nothing is decoded between two phases, and a part of a batch that is spilled holds its own
        // bytes only, where a part of a column of views counts the text of all.
        let field = |name| {
            let name = format_state_name(args.name, name);
            Arc::new(Field::new(name, DataType::LargeBinary, true))
        };
        Ok(vec![field("value"), field("order")])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let mut best = self.best(&args)?;
        best.resize(1);
        Ok(Box::new(OfAll(best)))
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(self.best(&args)?))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn supports_null_handling_clause(&self) -> bool {
        false
    }
}

/// The type of what is kept: the row format knows values, not how they were packed.
fn plain(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, values) => plain(values),
        DataType::RunEndEncoded(_, values) => plain(values.data_type()),
        other => other.clone(),
    }
}

/// The best value of each group, and the order that made it so.
#[derive(Debug)]
struct Best {
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
    fn new(value: &DataType, order: &DataType, last: bool) -> Result<Self> {
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

    fn resize(&mut self, groups: usize) {
        self.groups = groups;
        self.values.resize(groups);
        self.orders.resize(groups);
    }

    fn update(
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

    fn merge(&mut self, states: &[ArrayRef], groups: &[usize]) -> Result<()> {
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
    fn first_values(&self, groups: usize) -> Result<ArrayRef> {
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
    fn first_states(&self, groups: usize) -> Vec<ArrayRef> {
        let state = |slots: &ByteSlots| -> ArrayRef {
            let bytes = (0..groups).map(|group| slots.get(group));
            Arc::new(bytes.collect::<LargeBinaryArray>())
        };
        vec![state(&self.values), state(&self.orders)]
    }

    fn drop_first(&mut self, groups: usize) -> Result<()> {
        self.groups -= groups;
        self.values.drop_first(groups)?;
        self.orders.drop_first(groups)
    }

    fn count(&self, emit: EmitTo) -> usize {
        match emit {
            EmitTo::All => self.groups,
            EmitTo::First(groups) => groups,
        }
    }

    fn bytes(&self) -> usize {
        self.values.size() + self.orders.size() + self.value_rows.size() + self.order_rows.size()
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

impl GroupsAccumulator for Best {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.resize(total_num_groups);
        self.update(values, group_indices, opt_filter)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let groups = self.count(emit_to);
        let values = self.first_values(groups)?;
        self.drop_first(groups)?;
        Ok(values)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = self.count(emit_to);
        let state = self.first_states(groups);
        self.drop_first(groups)?;
        Ok(state)
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.resize(total_num_groups);
        self.merge(values, group_indices)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let [value, order] = two(values);
        let counted = counted(value, order, opt_filter);
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

    fn size(&self) -> usize {
        self.bytes()
    }
}

/// All rows as one group.
#[derive(Debug)]
struct OfAll(Best);

impl Accumulator for OfAll {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.update(values, &vec![0; values[0].len()], None)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&self.0.first_values(1)?, 0)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.0.bytes()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let state = self.0.first_states(1);
        state
            .iter()
            .map(|bytes| ScalarValue::try_from_array(bytes, 0))
            .collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0.merge(states, &vec![0; states[0].len()])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use datafusion::arrow::array::{Int64Array, RecordBatch, StringArray};
    use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
    use datafusion::datasource::MemTable;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::physical_plan::{ExecutionPlan, collect};
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;
    use crate::memory::SharedPool;

    fn session(config: SessionConfig, memory: usize) -> SessionContext {
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(SharedPool::new(memory)))
            .build_arc()
            .unwrap();
        let session = SessionContext::new_with_config_rt(config, runtime);
        session.register_udaf(ArgMin::first().into());
        session.register_udaf(ArgMin::last().into());
        session
    }

    async fn texts(session: &SessionContext, sql: &str) -> Vec<Vec<Option<String>>> {
        let batches = session.sql(sql).await.unwrap().collect().await.unwrap();
        rows(&batches)
    }

    fn rows(batches: &[RecordBatch]) -> Vec<Vec<Option<String>>> {
        let options = FormatOptions::default();
        let mut rows = Vec::new();
        for batch in batches {
            for row in 0..batch.num_rows() {
                let cell = |column: &ArrayRef| {
                    let text = ArrayFormatter::try_new(column, &options).unwrap();
                    column.is_valid(row).then(|| text.value(row).to_string())
                };
                rows.push(batch.columns().iter().map(cell).collect());
            }
        }
        rows
    }

    /// The answers are DuckDB's (2.0), but for the tie, which it decides by the order of the rows.
    #[tokio::test]
    async fn it_means_what_it_means_in_duckdb() {
        let session = session(SessionConfig::new(), 1 << 30);
        let table = "(values ('a', 2, 'x'), (null, 1, 'y'), ('b', 2, 'w'), ('c', null, 'a'), ('n', 2, null)) as t (v, t, id)";
        for (call, expected) in [
            ("arg_min(v, (t, id))", Some("b")),
            ("arg_max(v, (t, id))", Some("c")),
            ("arg_min(v, (id, t))", Some("c")),
            ("arg_max(v, t)", Some("a")), // of a, b and n, which are tied
            ("arg_min(v, t)", Some("a")),
            ("arg_max(t, id)", Some("1")),
            ("arg_min(v, t) filter (where v > 'a')", Some("b")),
            ("arg_min(v, t) filter (where v > 'z')", None),
            ("arg_min(v, t + null)", None),
            ("arg_min(distinct v, t)", Some("a")),
        ] {
            let found = texts(&session, &format!("select {call} from {table}")).await;
            assert_eq!(found, [[expected.map(str::to_owned)]], "{call}");
            let grouped =
                format!("select {call} from {table} group by v is not distinct from t::varchar");
            assert_eq!(
                texts(&session, &grouped).await,
                [[expected.map(str::to_owned)]],
                "{grouped}"
            );
        }
        let none = texts(
            &session,
            &format!("select arg_min(v, t) from {table} where false"),
        )
        .await;
        assert_eq!(none, [[None]]);
    }

    #[tokio::test]
    async fn values_and_orders_have_any_type() {
        let session = session(SessionConfig::new(), 1 << 30);
        for (kind, small, large) in [
            ("bigint", "-5", "7"),
            ("double", "-0.5", "1e300"),
            ("decimal(20, 3)", "-1.234", "99999999.999"),
            ("boolean", "false", "true"),
            ("date", "1969-12-31", "2026-11-01"),
            (
                "timestamp with time zone",
                "1969-12-31T23:59:59Z",
                "2026-11-01T00:00:00.123Z",
            ),
            ("varchar", "", "\u{1}\u{7f}ÿ"),
            ("Dictionary(Int32, Utf8)", "a", "b"),
            ("Utf8View", "a", "a longer text than fits into a view"),
            ("LargeUtf8", "a", "b"),
            ("Binary", "a", "b"),
            ("Interval(DayTime)", "1 second", "2 seconds"),
        ] {
            let typed =
                |text: &str| match kind.contains(['(', 'U', 'B']) && !kind.starts_with("decimal") {
                    true => format!("arrow_cast('{text}', '{kind}')"),
                    false => format!("cast('{text}' as {kind})"),
                };
            let table = format!(
                "(values (1, {0}), (2, {1}), (3, null)) as t (n, x)",
                typed(small),
                typed(large)
            );
            let call = "arg_min(n, x), arg_max(n, x), arg_min(x, n) = min(x), arg_max(x, n) = max(x), arg_max([x], n) filter (where x is not null) = [max(x)]";
            let found = texts(&session, &format!("select {call} from {table}")).await;
            let expected = ["1", "2", "true", "true", "true"].map(|text| Some(text.to_owned()));
            assert_eq!(found, [expected], "{kind}");
        }
        let nested = "select arg_min((a, b), a)['c1'], arg_max([a, b], (b, a)) from (values (1, 2), (0, 3)) as t (a, b)";
        let found = texts(&session, nested).await;
        assert_eq!(found, [[Some("3".to_owned()), Some("[0, 3]".to_owned())]]);
    }

    #[tokio::test]
    async fn wrong_arguments_are_told_what_is_right() {
        let session = session(SessionConfig::new(), 1 << 30);
        for call in ["arg_min(1)", "arg_min(1, 2, 3)", "arg_min()"] {
            let error = session
                .sql(&format!("select {call}"))
                .await
                .err()
                .unwrap()
                .to_string();
            assert!(
                error.contains("arg_min(value, (first, second))"),
                "{call}: {error}"
            );
        }
    }

    /// Rows whose texts have every byte that could separate something, short and very long.
    fn hostile(rows: usize, seed: u64) -> Vec<(i64, Option<String>, i64, String)> {
        let mut state = seed;
        let mut next = move |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut text = move || {
            let pieces = [
                "",
                "\0",
                "\u{1}",
                "\u{2}",
                "a",
                "b",
                "\u{1f}",
                "|",
                ",",
                "\t",
                "\n",
                "\u{7f}",
                "é",
                "\u{10ffff}",
            ];
            let length = match next(20) {
                0 if next(10) == 0 => 2_000,
                1..4 => 0,
                _ => next(6),
            };
            let text: String = (0..length).map(|_| pieces[next(14) as usize]).collect();
            (next(5), next(4_000), next(7), text, next(3))
        };
        (0..rows)
            .map(|row| {
                let (none, group, time, value, longer) = text();
                let (.., id, _) = text();
                let value = (none > 0).then(|| value.repeat(1 + longer as usize));
                (
                    group as i64,
                    value,
                    time as i64,
                    if row % 50 == 0 {
                        id.clone()
                    } else {
                        format!("{id}{row}")
                    },
                )
            })
            .collect()
    }

    /// The best row so far: its order, then its value.
    type Row<'a> = ((i64, &'a str), &'a str);

    /// Computed row by row: the smallest, or largest, order of each group, and the smallest value among those that have it.
    fn expected(
        rows: &[(i64, Option<String>, i64, String)],
        last: bool,
    ) -> BTreeMap<i64, Option<String>> {
        let mut best: BTreeMap<i64, Option<Row<'_>>> = BTreeMap::new();
        for (group, value, time, id) in rows {
            let kept = best.entry(*group).or_default();
            let Some(value) = value else { continue };
            let candidate = ((*time, id.as_str()), value.as_str());
            let better = kept.is_none_or(|(order, held)| match candidate.0.cmp(&order) {
                Ordering::Equal => candidate.1 < held,
                Ordering::Less => !last,
                Ordering::Greater => last,
            });
            if better {
                *kept = Some(candidate);
            }
        }
        let text = |(_, value): (_, &str)| value.to_owned();
        best.into_iter()
            .map(|(group, kept)| (group, kept.map(text)))
            .collect()
    }

    fn spills(plan: &Arc<dyn ExecutionPlan>) -> usize {
        let own = plan.metrics().and_then(|metrics| metrics.spill_count());
        own.unwrap_or_default() + plan.children().into_iter().map(spills).sum::<usize>()
    }

    #[tokio::test]
    async fn every_byte_in_every_way_of_running_gives_the_value_of_the_best_row() {
        let rows_in = hostile(20_000, 11);
        let batches = rows_in.chunks(700).map(|rows| {
            let columns: [(&str, ArrayRef); 4] = [
                (
                    "g",
                    Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0))),
                ),
                (
                    "v",
                    Arc::new(StringArray::from_iter(
                        rows.iter().map(|row| row.1.as_deref()),
                    )),
                ),
                (
                    "t",
                    Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.2))),
                ),
                (
                    "id",
                    Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.3))),
                ),
            ];
            RecordBatch::try_from_iter(columns).unwrap()
        });
        let batches: Vec<RecordBatch> = batches.collect();
        let [first, last] = [false, true].map(|last| expected(&rows_in, last));
        let expected: Vec<Vec<Option<String>>> = first
            .iter()
            .zip(last.values())
            .map(|((group, first), last)| {
                vec![Some(group.to_string()), first.clone(), last.clone()]
            })
            .collect();
        let half = batches.len() / 2;
        // One piece; partial and final; partial that gives up; memory that is short.
        let config = || SessionConfig::new().with_batch_size(256);
        let skipping = config()
            .with_target_partitions(2)
            .set_u64(
                "datafusion.execution.skip_partial_aggregation_probe_rows_threshold",
                1,
            )
            .set_str(
                "datafusion.execution.skip_partial_aggregation_probe_ratio_threshold",
                "0.0",
            );
        for (name, config, memory, must_spill) in [
            (
                "one piece",
                config().with_target_partitions(1),
                1 << 30,
                false,
            ),
            (
                "two phases",
                config().with_target_partitions(2),
                1 << 30,
                false,
            ),
            ("no partial phase", skipping, 1 << 30, false),
            (
                "short memory",
                config().with_target_partitions(2),
                2 << 20,
                true,
            ),
        ] {
            let mut config = config;
            config.options_mut().execution.sort_spill_reservation_bytes = 64 << 10;
            let session = session(config, memory);
            let halves = vec![batches[..half].to_vec(), batches[half..].to_vec()];
            let table = MemTable::try_new(batches[0].schema(), halves).unwrap();
            session.register_table("t", Arc::new(table)).unwrap();
            // Grouped by a text that is long, so that the groups need more memory than there is.
            let sql = "select g, a, b from (select g, repeat(cast(g as varchar), 300) as k, arg_min(v, (t, id)) as a, \
                       arg_max(v, (t, id)) as b from t group by 1, 2) order by g";
            let plan = session
                .sql(sql)
                .await
                .unwrap()
                .create_physical_plan()
                .await
                .unwrap();
            let batches = collect(Arc::clone(&plan), session.task_ctx())
                .await
                .unwrap();
            assert!(rows(&batches) == expected, "{name}");
            assert_eq!(spills(&plan) > 0, must_spill, "{name}");
        }
    }

    /// What a stream of sorted groups does: the first groups leave while others are still filled.
    #[test]
    fn groups_leave_one_after_the_other() {
        let (text, number) = (DataType::Utf8, DataType::Int64);
        let mut best = Best::new(&text, &number, false).unwrap();
        let values: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c", "d"]));
        let orders: ArrayRef = Arc::new(Int64Array::from(vec![4, 3, 2, 1]));
        let arguments = [values, orders];
        best.update_batch(&arguments, &[0, 0, 1, 2], None, 4)
            .unwrap();
        let text = |array: ArrayRef| {
            let texts = array.as_string::<i32>();
            texts
                .iter()
                .map(|text| text.map(str::to_owned))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            text(best.evaluate(EmitTo::First(1)).unwrap()),
            [Some("b".to_owned())]
        );
        // What was the second group is the first now.
        best.update_batch(&arguments, &[2, 2, 2, 0], None, 3)
            .unwrap();
        let rest = text(best.evaluate(EmitTo::All).unwrap());
        assert_eq!(rest, ["d", "d", "c"].map(|text| Some(text.to_owned())));
        assert_eq!(best.groups, 0);
    }
}
