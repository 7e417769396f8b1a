//! The engine against a textbook: every row that it shows and every window that ends must equal what the definition gives when it is
//! applied to all events so far, without increments (`textbook.rs`). Streams are random, with disorder, repeats, late events, clocks that
//! are ahead, silence and jumps; at random moments the state goes through a snapshot. A stream that fails is shrunk.

mod busy;
mod identity;
mod join;
mod patterns;
mod shuffled;
mod stream;
mod textbook;
mod views;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use proptest::prelude::*;
use userflow_engine::{Counts, Engine, Events, Nobody, Observer, Plan, Settings};
use userflow_models::contract::Contract;
use userflow_models::features::FeatureView;
use userflow_models::features::online::{self, Source};

use stream::{Event, Op};
use textbook::{Cell, Textbook};

const SECOND: i64 = 1_000_000;
const SETTINGS: Settings = Settings {
    lateness: 10 * SECOND,
    dedup_horizon: 600 * SECOND,
    dedup_most: 1_000_000,
};

/// Rows of a view by entity.
type ByKey = BTreeMap<Vec<String>, BTreeMap<String, Cell>>;

/// Windows that ended: view, end, rows.
#[derive(Default)]
struct Ended(Vec<(usize, i64, ByKey)>, Vec<FeatureView>);

impl Observer for Ended {
    const WANTED: bool = true;
    fn window_ended(&mut self, view: usize, end: i64, rows: &RecordBatch) {
        self.0.push((view, end, by_key(&self.1[view], rows)));
    }
}

/// The changed rows of a view.
fn take(engine: &mut Engine, plan: &Plan, view: usize) -> RecordBatch {
    let mut rows = plan.rows(view);
    let changed = engine.changed_rows_of(view);
    assert_eq!(engine.take(view, usize::MAX, &mut rows), changed);
    let batch = rows.finish();
    assert_eq!((batch.num_rows(), rows.len()), (changed, 0));
    batch
}

fn cell(column: &dyn Array, row: usize) -> Cell {
    if column.is_null(row) {
        return Cell::Null;
    }
    match column.data_type() {
        DataType::Int64 => Cell::Int(column.as_primitive::<Int64Type>().value(row)),
        DataType::Int32 => Cell::Int(column.as_primitive::<Int32Type>().value(row).into()),
        DataType::Float64 => Cell::Real(column.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(_, scale) => {
            let units = column.as_primitive::<Decimal128Type>().value(row);
            Cell::Real(units as f64 / 10_f64.powi(i32::from(*scale)))
        }
        DataType::Utf8 => Cell::Text(column.as_string::<i32>().value(row).to_owned()),
        DataType::Boolean => Cell::Truth(column.as_boolean().value(row)),
        DataType::Timestamp(..) => {
            Cell::Int(column.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        DataType::List(_) => {
            let list = column.as_list::<i32>().value(row);
            let texts = list.as_string::<i32>().iter();
            Cell::Texts(
                texts
                    .map(|text| text.expect("no null in a list").to_owned())
                    .collect(),
            )
        }
        other => panic!("no row has a {other}"),
    }
}

fn by_key(view: &FeatureView, rows: &RecordBatch) -> ByKey {
    let stored = online::stored(view);
    let mut all = ByKey::new();
    for row in 0..rows.num_rows() {
        let (mut key, mut cells) = (Vec::new(), BTreeMap::new());
        for (column, values) in stored.iter().zip(rows.columns()) {
            let cell = cell(values, row);
            match column.source {
                Source::Key(_) => key.push(match cell {
                    Cell::Text(text) => text,
                    other => panic!("a key is text, not {other:?}"),
                }),
                Source::Start => key.push(match cell {
                    Cell::Int(start) => start.to_string(),
                    other => panic!("a start is a time, not {other:?}"),
                }),
                Source::Version | Source::Partition => {}
                _ => {
                    cells.insert(column.name.clone(), cell);
                }
            }
        }
        assert!(all.insert(key, cells).is_none(), "an entity has one row");
    }
    all
}

/// An engine counts from when it was made.
fn add(sum: &mut Counts, more: &Counts) {
    sum.repeats += more.repeats;
    sum.future_clocks += more.future_clocks;
    sum.beyond_horizon += more.beyond_horizon;
    for (sum, more) in sum.late.iter_mut().zip(&more.late) {
        *sum += more;
    }
    for (sum, more) in sum.grouped.iter_mut().zip(&more.grouped) {
        *sum += more;
    }
}

fn check(ops: &[Op]) -> Result<(), TestCaseError> {
    let contract = views::contract();
    let views = views::all(&contract);
    let plan = Plan::new(&contract, &views, SETTINGS.lateness).expect("a plan");
    let plan = Arc::new(plan);
    let mut engine = Engine::new(Arc::clone(&plan), SETTINGS, 3, 0);
    let mut textbook = Textbook::new(views.clone(), SETTINGS);
    let mut ended = Ended(Vec::new(), views.clone());
    let events = stream::events(ops);
    let batch = Events::new(&stream::batch(&contract, &events), views::TIME);
    let (mut row, mut offset) = (0, 0);
    let mut counts = Counts {
        late: vec![0; views.len()],
        grouped: vec![0; views.len()],
        ..Counts::default()
    };
    for (step, op) in ops.iter().enumerate() {
        let mut expected = match op {
            Op::Event(_) | Op::Again(_) => {
                let event: &Event = &events[row];
                engine.apply(&batch, row, offset, event.ceiling, &mut ended);
                row += 1;
                offset += 1;
                textbook.event(event)
            }
            Op::Idle(to) => {
                engine.advance(*to, &mut ended);
                textbook.advance(*to)
            }
            Op::Snapshot => {
                let bytes = engine.snapshot();
                let (restored, views) = Engine::restore(Arc::clone(&plan), SETTINGS, &bytes)
                    .expect("what was written can be read");
                prop_assert_eq!(views.whole.len(), plan.views().count());
                add(&mut counts, engine.counts());
                engine = restored;
                continue;
            }
        };
        let mut wrong = None;
        for (number, end, rows) in ended.0.drain(..) {
            for (key, row) in rows {
                let defined = expected.ended.remove(&(number, end, key.clone()));
                let defined = defined.unwrap_or_else(|| textbook.empty_row(number, &row));
                if wrong.is_none() && !textbook::equal_row(&row, &defined) {
                    wrong = Some(format!(
                        "step {step}: a window of {} to {end} ended: {}",
                        views[number].name,
                        textbook::differences(
                            &ByKey::from([(key.clone(), row)]),
                            &ByKey::from([(key, defined)])
                        )
                    ));
                }
            }
        }
        prop_assert!(wrong.is_none(), "{}", wrong.unwrap_or_default());
        prop_assert!(
            expected.ended.is_empty(),
            "step {step}: these windows did not end: {:#?}",
            expected.ended
        );
        // A snapshot may come while rows wait to be taken.
        if matches!(ops.get(step + 1), Some(Op::Snapshot)) {
            textbook.not_taken();
            continue;
        }
        for (number, view) in views.iter().enumerate() {
            let taken = by_key(view, &take(&mut engine, &plan, number));
            let shown = expected.shown.remove(&number).unwrap_or_default();
            prop_assert!(
                textbook::equal(&taken, &shown),
                "step {step}, {}: {}",
                view.name,
                textbook::differences(&taken, &shown)
            );
        }
        prop_assert_eq!(engine.changed_rows(), 0);
    }
    add(&mut counts, engine.counts());
    prop_assert_eq!(&counts.late, &textbook.late);
    prop_assert_eq!(&counts.grouped, &textbook.grouped);
    prop_assert_eq!(counts.repeats, textbook.repeats);
    prop_assert_eq!(counts.future_clocks, textbook.future);
    prop_assert_eq!(counts.beyond_horizon, textbook.beyond);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn every_row_and_every_window_is_as_defined(ops in stream::ops()) {
        check(&ops)?;
    }

    /// A replay from any snapshot gives the rows of an undisturbed run.
    #[test]
    fn a_replay_gives_the_same_state(ops in stream::ops(), cut in any::<prop::sample::Index>()) {
        let contract = views::contract();
        let views = views::all(&contract);
        let plan = Arc::new(Plan::new(&contract, &views, SETTINGS.lateness).expect("a plan"));
        let events = stream::events(&ops);
        prop_assume!(!events.is_empty());
        let batch = Events::new(&stream::batch(&contract, &events), views::TIME);
        let cut = cut.index(events.len());
        let all_rows = |engine: &mut Engine| -> Vec<ByKey> {
            views.iter().enumerate().map(|(n, view)| by_key(view, &take(engine, &plan, n))).collect()
        };
        let run = |engine: &mut Engine, rows: std::ops::Range<usize>| {
            for (row, event) in events.iter().enumerate().take(rows.end).skip(rows.start) {
                let offset = i64::try_from(row).expect("small");
                engine.apply(&batch, row, offset, event.ceiling, &mut Nobody);
            }
        };
        let mut undisturbed = Engine::new(Arc::clone(&plan), SETTINGS, 0, 0);
        run(&mut undisturbed, 0..cut);
        let bytes = undisturbed.snapshot();
        let (mut replayed, _) = Engine::restore(Arc::clone(&plan), SETTINGS, &bytes).expect("readable");
        // An offset that was read before the snapshot is not counted twice.
        run(&mut replayed, cut.saturating_sub(3)..events.len());
        run(&mut undisturbed, cut..events.len());
        prop_assert_eq!(all_rows(&mut undisturbed), all_rows(&mut replayed));
    }

    /// A contract that gains a column moves the numbers of the others. Entities are found by the names of their columns.
    #[test]
    fn a_snapshot_is_read_by_a_contract_with_a_column_more(ops in stream::ops()) {
        let of = |contract: &Contract| {
            let views = views::all(contract);
            let plan = Plan::new(contract, &views, SETTINGS.lateness).expect("a plan");
            (views, Arc::new(plan))
        };
        let (contract, wider) = (views::contract(), views::wider_contract());
        prop_assert_eq!(wider.columns()[1].name.as_str(), contract.columns()[0].name.as_str());
        let (views, plan) = of(&contract);
        let events = stream::events(&ops);
        let batch = Events::new(&stream::batch(&contract, &events), views::TIME);
        let mut engine = Engine::new(Arc::clone(&plan), SETTINGS, 0, 0);
        for (row, event) in events.iter().enumerate() {
            let offset = i64::try_from(row).expect("small");
            engine.apply(&batch, row, offset, event.ceiling, &mut Nobody);
        }
        let bytes = engine.snapshot();
        let wider_plan = of(&wider).1;
        let (mut restored, found) = Engine::restore(Arc::clone(&wider_plan), SETTINGS, &bytes).expect("readable");
        prop_assert_eq!(found.whole.len(), views.len());
        prop_assert!(found.dropped.is_empty() && found.empty.is_empty());
        for (n, view) in views.iter().enumerate() {
            let before = by_key(view, &take(&mut engine, &plan, n));
            prop_assert_eq!(by_key(view, &take(&mut restored, &wider_plan, n)), before);
        }
    }
}
