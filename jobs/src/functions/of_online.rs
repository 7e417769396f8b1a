//! The functions by which the online store merges partials (`online._concat` and those after it, `userflow_models::features::online`),
//! for queries in memory: `test` runs the very query that readers of PostgreSQL run. Each is what the function of its name there says.
//!
//! Not here: who asks for a merge ([`crate::stream`]).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray, ListBuilder, StringBuilder,
    new_empty_array,
};
use datafusion::arrow::compute::{cast, concat};
use datafusion::arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::expr_fn::SimpleScalarUDF;
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, ColumnarValue, ScalarUDF, Signature, Volatility,
};
use datafusion::prelude::SessionContext;

/// Makes them known in a session. `round` is PostgreSQL's there: of `numeric`, which here is a double.
pub fn register_online(session: &SessionContext) {
    session.register_udaf(Concat::new().into());
    let texts = DataType::new_list(DataType::Utf8, true);
    for (name, of, result, function) in [
        (
            "online._distinct_count",
            2,
            DataType::Int64,
            distinct_count as Function,
        ),
        ("online._newest", 4, texts.clone(), newest),
        ("online._since", 2, DataType::Int64, since),
        ("online._top_k", 3, texts, top_k),
        ("online._streak", 4, DataType::Int64, streak),
    ] {
        session.register_udf(scalar(
            name,
            Signature::any(of, Volatility::Immutable),
            result,
            function,
        ));
    }
    let any = Signature::variadic_any(Volatility::Immutable);
    session.register_udf(scalar("round", any, DataType::Float64, round));
}

type Function = fn(&[ArrayRef]) -> Result<ArrayRef>;

fn scalar(name: &str, takes: Signature, result: DataType, function: Function) -> ScalarUDF {
    let call = move |arguments: &[ColumnarValue]| {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        Ok(ColumnarValue::Array(function(&arrays)?))
    };
    SimpleScalarUDF::new_with_signature(name, takes, result, Arc::new(call)).into()
}

/// All items of the lists of a group, in one list.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Concat {
    signature: Signature,
}

impl Concat {
    fn new() -> Self {
        Self {
            signature: Signature::any(1, Volatility::Immutable),
        }
    }
}

impl AggregateUDFImpl for Concat {
    fn name(&self) -> &str {
        "online._concat"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match &types[0] {
            DataType::List(item) => Ok(DataType::new_list(item.data_type().clone(), true)),
            other => plan_err!("{} takes lists and not {other}", self.name()),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let DataType::List(item) = args.return_field.data_type() else {
            return plan_err!("{} gives a list", self.name());
        };
        Ok(Box::new(Lists {
            item: item.data_type().clone(),
            lists: Vec::new(),
        }))
    }
}

/// The lists of a group.
#[derive(Debug)]
struct Lists {
    item: DataType,
    lists: Vec<ArrayRef>,
}

impl Accumulator for Lists {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let lists = values[0].as_list::<i32>();
        let there = (0..lists.len()).filter(|row| lists.is_valid(*row));
        self.lists.extend(there.map(|row| lists.value(row)));
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let lists: Vec<&dyn Array> = self.lists.iter().map(AsRef::as_ref).collect();
        let items = match lists.is_empty() {
            true => new_empty_array(&self.item),
            false => concat(&lists)?,
        };
        Ok(SingleRowListArrayBuilder::new(items)
            .with_nullable(true)
            .build_list_scalar())
    }

    fn size(&self) -> usize {
        let lists = self.lists.iter();
        size_of_val(self)
            + lists
                .map(|list| list.get_array_memory_size())
                .sum::<usize>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }
}

/// `(hashes, size)`: below `size` different hashes they are all there, else the k-minimum-values estimate.
fn distinct_count(arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let (lists, sizes) = (arguments[0].as_list::<i32>(), integers(&arguments[1])?);
    let counts = (0..lists.len()).map(|row| {
        let hashes: BTreeSet<i64> = items(lists, row)?.into_iter().flatten().collect();
        let size = usize_of(sizes[row]);
        let smallest: Vec<i64> = hashes.into_iter().take(size).collect();
        Ok(Some(match smallest.last() {
            Some(largest) if smallest.len() >= size => {
                let share = (i128::from(*largest) + (1 << 63) + 1) as f64 / 2_f64.powi(64);
                ((size - 1) as f64 / share).round() as i64
            }
            _ => smallest.len() as i64,
        }))
    });
    Ok(Arc::new(counts.collect::<Result<Int64Array>>()?))
}

/// `(texts, times, n, since)`: the n newest different texts, newest last.
fn newest(arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let (values, times) = (arguments[0].as_list::<i32>(), arguments[1].as_list::<i32>());
    let (most, from) = (integers(&arguments[2])?, integers(&arguments[3])?);
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in 0..values.len() {
        let mut newest: BTreeMap<String, i64> = BTreeMap::new();
        for (text, time) in texts(values, row).into_iter().zip(items(times, row)?) {
            if let (Some(time), Some(from)) = (time, from[row])
                && time >= from
            {
                let known = newest.entry(text).or_insert(time);
                *known = time.max(*known);
            }
        }
        let mut newest: Vec<(i64, String)> = newest
            .into_iter()
            .map(|(text, time)| (time, text))
            .collect();
        newest.sort();
        let older = newest.len().saturating_sub(usize_of(most[row]));
        lists.append_value(newest.into_iter().skip(older).map(|(_, text)| Some(text)));
    }
    Ok(Arc::new(lists.finish()))
}

/// `(times, n)`: the oldest of the n newest.
fn since(arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let (lists, most) = (arguments[0].as_list::<i32>(), integers(&arguments[1])?);
    let oldest = (0..lists.len()).map(|row| {
        let mut times: Vec<i64> = items(lists, row)?.into_iter().flatten().collect();
        times.sort_by_key(|time| Reverse(*time));
        times.truncate(usize_of(most[row]));
        Ok(Some(times.last().copied().unwrap_or(0)))
    });
    Ok(Arc::new(oldest.collect::<Result<Int64Array>>()?))
}

/// `(texts, counts, k)`: the k texts of most counts, most first, then by name.
fn top_k(arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let (values, counts) = (arguments[0].as_list::<i32>(), arguments[1].as_list::<i32>());
    let most = integers(&arguments[2])?;
    let mut lists = ListBuilder::new(StringBuilder::new());
    for (row, most) in most.iter().enumerate() {
        let mut sums: BTreeMap<String, i64> = BTreeMap::new();
        for (text, count) in texts(values, row).into_iter().zip(items(counts, row)?) {
            *sums.entry(text).or_default() += count.unwrap_or(0);
        }
        let mut top: Vec<(Reverse<i64>, String)> = sums
            .into_iter()
            .map(|(text, count)| (Reverse(count), text))
            .collect();
        top.sort();
        let top = top.into_iter().take(usize_of(*most));
        lists.append_value(top.map(|(_, text)| Some(text)));
    }
    Ok(Arc::new(lists.finish()))
}

/// `(times, since, counts of older events, the newest of each)`: how many came after `since`; all, where nothing ended the streak.
fn streak(arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let lists = [0, 2, 3].map(|at: usize| arguments[at].as_list::<i32>());
    let since = integers(&arguments[1])?;
    let counts = (0..since.len()).map(|row| {
        let counts = |time: Option<i64>| match since[row] {
            None => true,
            Some(since) => time.is_some_and(|time| time > since),
        };
        let [times, older, older_newest] = lists.map(|list| items(list, row));
        let newer = times?.into_iter().filter(|time| counts(*time)).count() as i64;
        let older = older?.into_iter().zip(older_newest?);
        let older = older.filter(|(_, newest)| counts(*newest));
        Ok(Some(
            newer + older.filter_map(|(count, _)| count).sum::<i64>(),
        ))
    });
    Ok(Arc::new(counts.collect::<Result<Int64Array>>()?))
}

/// `(number)` or `(number, digits)`. The digits that merges ask for are more than a double has.
fn round(arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let numbers = cast(&arguments[0], &DataType::Float64)?;
    let numbers = numbers.as_primitive::<Float64Type>();
    let whole = arguments.len() == 1;
    let rounded = |number: f64| if whole { number.round() } else { number };
    Ok(Arc::new(
        numbers
            .iter()
            .map(|number| number.map(rounded))
            .collect::<Float64Array>(),
    ))
}

/// A column of whole numbers.
fn integers(column: &ArrayRef) -> Result<Vec<Option<i64>>> {
    let column = cast(column, &DataType::Int64)?;
    Ok(column.as_primitive::<Int64Type>().iter().collect())
}

/// The whole numbers of a list; of a null none.
fn items(lists: &ListArray, row: usize) -> Result<Vec<Option<i64>>> {
    match lists.is_valid(row) {
        true => integers(&lists.value(row)),
        false => Ok(Vec::new()),
    }
}

/// The texts of a list; of a null none.
fn texts(lists: &ListArray, row: usize) -> Vec<String> {
    if lists.is_null(row) {
        return Vec::new();
    }
    let list = lists.value(row);
    let texts = list.as_string::<i32>().iter();
    texts
        .map(|text| text.unwrap_or_default().to_owned())
        .collect()
}

fn usize_of(number: Option<i64>) -> usize {
    number
        .and_then(|number| usize::try_from(number).ok())
        .unwrap_or(0)
}
