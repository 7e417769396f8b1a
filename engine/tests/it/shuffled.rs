//! The order in which events come does not matter, as long as none is later than the allowed lateness: a sorted stream and the same events
//! shuffled within it end with the same rows in the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use userflow_engine::{Engine, Events, Nobody, Plan};
use userflow_models::features::FeatureView;

use crate::stream::Event;
use crate::textbook::{Cell, differences, equal};
use crate::{ByKey, SECOND, SETTINGS, by_key, stream, take, views};

/// Views whose rows are a function of the events, whatever their order: not those whose window or state depends on when an event came.
const VIEWS: [&str; 5] = [
    "test_moving",
    "test_visit",
    "test_visit_kept",
    "test_last",
    "test_lifetime",
];

fn events() -> impl Strategy<Value = Vec<(Event, i64)>> {
    let event = (
        (0..3usize, 0..3u8, 0..4u8),
        prop::option::of(0..3u8),
        prop::option::of(-50..2_000i64),
        prop::option::of(-3..9i64),
        prop_oneof![8 => 1..9_000i64, 2 => 9_000..100_000i64, 1 => 100_000..2_000_000i64],
        0..=10_000i64,
    );
    prop::collection::vec(event, 1..80).prop_map(|drafts| {
        let mut clock = 1_800_000_123 * SECOND;
        let drafts = drafts.into_iter().enumerate();
        let events = drafts.map(
            |(place, ((kind, user, item), genre, amount, n, pass, late))| {
                // No two events at one moment: which of them is the last is a question of order.
                clock += pass * 1_000;
                let event = Event {
                    id: format!("e{place}"),
                    kind: ["a", "b", "c"][kind],
                    user: format!("u{user}"),
                    session: "s".to_owned(),
                    item: format!("i{item}"),
                    genre: genre.map(|genre| format!("g{genre}")),
                    amount,
                    n,
                    time: clock,
                    ceiling: i64::MAX,
                };
                (event, clock + late * 1_000)
            },
        );
        events.collect()
    })
}

/// What a store has of each view after all rows were written, in the order in which they were taken.
struct Store(BTreeMap<&'static str, ByKey>);

fn run(events: &[Event], pass: i64) -> [Store; 2] {
    let contract = views::contract();
    let views: Vec<FeatureView> = views::all(&contract);
    let plan = Arc::new(Plan::new(&contract, &views, SETTINGS.lateness).expect("a plan"));
    let batch = Events::new(&stream::batch(&contract, events), views::TIME);
    let mut engine = Engine::new(Arc::clone(&plan), SETTINGS, 0, 0);
    let mut store = Store(BTreeMap::new());
    let write = |engine: &mut Engine, store: &mut Store| {
        for (number, view) in views.iter().enumerate() {
            let rows = by_key(view, &take(engine, &plan, number));
            if let Some(name) = VIEWS.into_iter().find(|name| *name == view.name) {
                store.0.entry(name).or_default().extend(rows);
                // What readers do not see.
                let merged =
                    |row: &BTreeMap<String, Cell>| row.get("_merged") == Some(&Cell::Truth(true));
                (store.0.entry(name).or_default()).retain(|_, row| !merged(row));
            }
        }
    };
    for row in 0..events.len() {
        let offset = i64::try_from(row).expect("small");
        engine.apply(&batch, row, offset, i64::MAX, &mut Nobody);
        if row % 3 == 0 {
            write(&mut engine, &mut store);
        }
    }
    write(&mut engine, &mut store);
    let before = Store(store.0.clone());
    let newest = events.iter().map(|event| event.time).max();
    engine.advance(newest.expect("events") + pass * SECOND, &mut Nobody);
    write(&mut engine, &mut store);
    assert!(engine.counts().late.iter().all(|late| *late == 0));
    [before, store]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_stream_shuffled_within_the_lateness_ends_with_the_rows_of_the_sorted_one(
        events in events(),
        pass in 0..200i64,
    ) {
        let sorted: Vec<Event> = events.iter().map(|(event, _)| event.clone()).collect();
        let mut shuffled = events;
        shuffled.sort_by_key(|(_, arrives)| *arrives);
        let shuffled: Vec<Event> = shuffled.into_iter().map(|(event, _)| event).collect();
        for (sorted, shuffled) in run(&sorted, pass).iter().zip(&run(&shuffled, pass)) {
            for name in VIEWS {
                let (sorted, shuffled) = (&sorted.0[name], &shuffled.0[name]);
                prop_assert!(equal(shuffled, sorted), "{name}: {}", differences(shuffled, sorted));
            }
        }
    }
}
