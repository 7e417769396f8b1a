use std::cmp::Ordering;
use std::collections::BTreeMap;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::datasource::MemTable;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::EmitTo;
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
        .map(|((group, first), last)| vec![Some(group.to_string()), first.clone(), last.clone()])
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
    assert_eq!(best.count(EmitTo::All), 0);
}
