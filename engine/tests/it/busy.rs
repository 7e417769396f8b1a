//! An entity with far more events than an exact window keeps one by one: what it holds is bounded, and its row is the window's but for the
//! step in which the oldest events leave.

use std::sync::Arc;

use userflow_engine::{Engine, Events, Nobody, Plan};
use userflow_models::features;

use crate::stream::Event;
use crate::textbook::Cell;
use crate::{SECOND, SETTINGS, by_key, stream, take, views};

const EVENTS: i64 = 100_000;
const WINDOW: i64 = 600 * SECOND;
/// Ten minutes in sixty steps.
const STEP: i64 = 10 * SECOND;
/// All events in one window.
const APART: i64 = WINDOW / EVENTS;

#[test]
fn an_entity_with_a_hundred_thousand_events_in_its_window_stays_small_and_nearly_exact() {
    let contract = views::contract();
    let text = "feature_view: test_busy\ndescription: A test\nentity: user\npartition_local: true\nwindow: {sliding: 10m}\n\
                features: {count: {count: {}}, sum_n: {sum: n}, min_n: {min: n}, items: {distinct_count: item}}\n";
    let views = [features::parse(text, &contract).expect("a view")];
    let plan = Arc::new(Plan::new(&contract, &views, SETTINGS.lateness).expect("a plan"));
    let mut engine = Engine::new(Arc::clone(&plan), SETTINGS, 0, 0);
    let first = 1_800_000_123 * SECOND;
    let time = |n: i64| first + n * APART;
    let events: Vec<Event> = (0..EVENTS)
        .map(|n| Event {
            id: format!("e{n}"),
            kind: "a",
            user: "u".to_owned(),
            session: "s".to_owned(),
            item: format!("i{}", n % 7),
            genre: None,
            amount: None,
            n: Some(n),
            time: time(n),
            ceiling: i64::MAX,
        })
        .collect();
    let batch = Events::new(&stream::batch(&contract, &events), views::TIME);
    for (row, offset) in (0..EVENTS).enumerate() {
        engine.apply(&batch, row, offset, i64::MAX, &mut Nobody);
    }
    let row = |engine: &mut Engine| {
        let rows = by_key(&views[0], &take(engine, &plan, 0));
        rows.into_values().next()
    };
    let all = row(&mut engine).expect("a row");
    assert_eq!(all["count"], Cell::Int(EVENTS));
    assert_eq!(all["sum_n"], Cell::Int(EVENTS * (EVENTS - 1) / 2));
    assert_eq!(all["items"], Cell::Int(7));
    assert_eq!(engine.counts().grouped, [99_000]);
    // Identifiers of events are remembered as well: 16 bytes each.
    let bytes = engine.snapshot().len() - 16 * usize::try_from(EVENTS).expect("small");
    assert!(bytes < 200_000, "{bytes} bytes for one user");
    let state = engine.bytes() - 32 * usize::try_from(EVENTS).expect("small");
    assert!(
        (100_000..1_000_000).contains(&state),
        "{state} bytes in memory"
    );
    for second in (1..=600).step_by(7) {
        let now = time(EVENTS - 1) + second * SECOND;
        engine.advance(now, &mut Nobody);
        let Some(row) = row(&mut engine) else {
            continue;
        };
        let (Cell::Int(count), least) = (&row["count"], &row["min_n"]) else {
            panic!("a count is a number");
        };
        let inside = |now: i64| (0..EVENTS).filter(|n| time(*n) > now - WINDOW).count();
        let exact = i64::try_from(inside(now)).expect("small");
        let most = i64::try_from(inside(now - STEP)).expect("small");
        // Those that are kept one by one leave at their time.
        let most = if most <= 1_000 { exact } else { most };
        assert!(
            (exact..=most).contains(count),
            "{second} s: {count} of {exact}"
        );
        // What is kept one by one leaves before the last group does.
        if exact > 1_000 {
            assert_eq!(*least, Cell::Int(EVENTS - count));
        }
    }
    engine.advance(time(EVENTS - 1) + WINDOW, &mut Nobody);
    assert_eq!(
        row(&mut engine).expect("the last ones left")["count"],
        Cell::Int(0)
    );
    engine.advance(time(EVENTS - 1) + WINDOW + SETTINGS.lateness, &mut Nobody);
    assert_eq!(engine.entities(), [0], "nobody is kept for ever");
}
