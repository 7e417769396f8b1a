//! Patterns against their definitions, applied to all events so far: after every event and every moment of silence each entity's row is
//! what the definition says, whether it changed or not. Streams are random, with disorder, late events, clocks that are ahead and silence.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use userflow_engine::{Engine, Events, Nobody, Plan};
use userflow_models::features::{self, FeatureView};

use crate::stream::{self, Event};
use crate::textbook::Cell;
use crate::{ByKey, SECOND, SETTINGS, by_key, take, views};

const VIEW: &str = "feature_view: test_pattern
description: A test
entity: user
partition_local: true
window: lifetime
features:
  events: {count: {}}
  missing: {absence: {of: {type: a}, without: {type: c}, within: 30s, detail: item}}
  missing_at: {appeared: missing}
  missing_what: {detail: missing}
  long: {absence: {of: {type: b}, without: {type: [a, c]}, within: 10m}}
  long_at: {appeared: long}
  run: {run: {of: {type: a}, same: genre, times: 3, then: {of: {type: [b, c]}, times: 2, within: 60s, among: item}, until: {type: c, n: {above: 3}}}}
  run_at: {appeared: run}
  run_what: {detail: run}
  plain: {run: {of: {type: [a, b]}, same: item, times: 2, then: {of: {type: [b, c]}, times: 2, within: 20s}}}
  plain_at: {appeared: plain}
  plain_what: {detail: plain}
  found:
    case:
      - {is: MISSING, if: {missing: true}}
      - {is: RUN, if: {run: true}}
      - {is: NOTHING}
  found_at: {coalesce: [missing_at, run_at, plain_at]}
  found_what: {coalesce: [missing_what, run_what], default: '-'}
";

fn view() -> FeatureView {
    features::parse(VIEW, &views::contract()).expect("a view")
}

fn plan() -> Arc<Plan> {
    let plan = Plan::new(&views::contract(), &[view()], SETTINGS.lateness);
    Arc::new(plan.expect("a plan"))
}

#[derive(Clone, Debug)]
enum Op {
    Event(Event),
    Idle(i64),
}

/// Up to 70 steps of two users. Whole seconds pass, so that events are exactly apart what a pattern asks, sometimes minutes; half of the events come out of order, some too late.
fn ops() -> impl Strategy<Value = Vec<Op>> {
    let millis = |range: std::ops::Range<i64>| range.prop_map(|ms| ms * 1_000);
    let seconds = |range: std::ops::Range<i64>| range.prop_map(|s| s * SECOND);
    let pass = prop_oneof![
        4 => Just(0),
        8 => seconds(0..4),
        2 => seconds(0..40),
        1 => seconds(0..900),
    ];
    let behind = prop_oneof![
        6 => Just(0),
        6 => seconds(0..11),
        1 => seconds(0..100),
        1 => seconds(-600..0),
    ];
    let event = (
        // Many of one kind, or runs would be rare.
        prop_oneof![3 => Just("a"), 2 => Just("b"), 1 => Just("c")],
        0..3u8,
        0..3u8,
        prop::option::weighted(0.9, 0..2u8),
        prop::option::of(0..6i64),
        pass,
        behind,
    );
    let step = prop_oneof![
        12 => event.prop_map(|draft| (Some(draft), 0)),
        1 => millis(0..700_000).prop_map(|pass| (None, pass)),
    ];
    prop::collection::vec(step, 1..70).prop_map(|steps| {
        let mut clock = 1_800_000_123 * SECOND;
        let mut ops = Vec::new();
        for (place, (draft, idle)) in steps.into_iter().enumerate() {
            clock += idle;
            let Some((kind, user, item, genre, n, pass, behind)) = draft else {
                ops.push(Op::Idle(clock - SETTINGS.lateness));
                continue;
            };
            clock += pass;
            ops.push(Op::Event(Event {
                id: format!("e{place}"),
                kind,
                user: format!("u{}", user / 2),
                session: "s".into(),
                item: format!("i{item}"),
                genre: genre.map(|genre| format!("g{genre}")),
                amount: None,
                n,
                time: clock - behind,
                ceiling: clock + 10 * SECOND,
            }));
        }
        ops
    })
}

/// An event as it was counted.
#[derive(Clone)]
struct Counted {
    event: Event,
    time: i64,
    /// It was not older than the watermark.
    in_time: bool,
}

/// The definitions, without state but the events.
#[derive(Default)]
struct Defined {
    counted: Vec<Counted>,
    newest: Option<i64>,
    watermark: Option<i64>,
    late: u64,
}

impl Defined {
    fn pass(&mut self, watermark: i64) {
        self.watermark = self.watermark.max(Some(watermark));
    }

    fn event(&mut self, event: &Event) {
        let time = event.time.min(event.ceiling);
        if Some(time) > self.newest {
            self.newest = Some(time);
            self.pass(time - SETTINGS.lateness);
        }
        let in_time = self.watermark.is_none_or(|watermark| time >= watermark);
        // Every kind of event is a part of both runs.
        self.late += 2 * u64::from(!in_time);
        self.counted.push(Counted {
            event: event.clone(),
            time,
            in_time,
        });
    }

    fn idle(&mut self, to: i64) {
        self.newest = self.newest.max(Some(to));
        self.pass(to);
    }

    fn rows(&self) -> ByKey {
        let users: BTreeSet<&String> = self.counted.iter().map(|c| &c.event.user).collect();
        users
            .into_iter()
            .map(|user| (vec![user.clone()], self.row(user)))
            .collect()
    }

    fn row(&self, user: &str) -> BTreeMap<String, Cell> {
        let of_user: Vec<&Counted> = (self.counted.iter())
            .filter(|c| c.event.user == user)
            .collect();
        let newest = of_user.iter().map(|c| c.event.time).max();
        let missing = self.absence(&of_user, &["a"], &["c"], 30 * SECOND);
        let long = self.absence(&of_user, &["b"], &["a", "c"], 600 * SECOND);
        let run = run(
            &of_user,
            &Asked {
                of: |e| e.kind == "a",
                same: |e| e.genre.clone(),
                times: 3,
                then: |e| e.kind != "a",
                then_times: 2,
                within: 60 * SECOND,
                among: Some(|e| e.item.clone()),
                until: |e| e.kind == "c" && e.n.is_some_and(|n| n > 3),
            },
        );
        let plain = run_plain(&of_user);
        let time = |found: &Option<(i64, String)>| {
            found.as_ref().map_or(Cell::Null, |(at, _)| Cell::Int(*at))
        };
        let what = |found: &Option<(i64, String)>| {
            (found.as_ref()).map_or(Cell::Null, |(_, what)| Cell::Text(what.clone()))
        };
        let or = |a: Cell, b: Cell| if a == Cell::Null { b } else { a };
        let found = match (&missing, &run) {
            (Some(_), _) => "MISSING",
            (None, Some(_)) => "RUN",
            (None, None) => "NOTHING",
        };
        let count = i64::try_from(of_user.len()).expect("few");
        [
            ("events", Cell::Int(count)),
            ("event_time", newest.map_or(Cell::Null, Cell::Int)),
            ("missing", Cell::Truth(missing.is_some())),
            ("missing_at", time(&missing)),
            ("missing_what", what(&missing)),
            ("long", Cell::Truth(long.is_some())),
            ("long_at", time(&long)),
            ("run", Cell::Truth(run.is_some())),
            ("run_at", time(&run)),
            ("run_what", what(&run)),
            ("plain", Cell::Truth(plain.is_some())),
            ("plain_at", time(&plain)),
            ("plain_what", what(&plain)),
            ("found", Cell::Text(found.into())),
            ("found_at", or(or(time(&missing), time(&run)), time(&plain))),
            (
                "found_what",
                or(or(what(&missing), what(&run)), Cell::Text("-".into())),
            ),
        ]
        .map(|(name, cell)| (name.to_owned(), cell))
        .into()
    }

    /// The first event after which nothing of the other kind came, if its time has run out: when that was, and its item.
    fn absence(
        &self,
        events: &[&Counted],
        of: &[&str],
        without: &[&str],
        within: i64,
    ) -> Option<(i64, String)> {
        let is_without = |a: &Counted| {
            !(events.iter()).any(|b| without.contains(&b.event.kind) && b.time >= a.time)
        };
        (events.iter())
            .filter(|a| of.contains(&a.event.kind) && is_without(a))
            .filter(|a| {
                self.watermark
                    .is_some_and(|watermark| a.time + within < watermark)
            })
            .map(|a| (a.time + within, a.event.item.clone()))
            .min()
    }
}

/// A run as it is asked for.
struct Asked {
    of: fn(&Event) -> bool,
    same: fn(&Event) -> Option<String>,
    times: usize,
    then: fn(&Event) -> bool,
    then_times: usize,
    within: i64,
    among: Option<fn(&Event) -> String>,
    until: fn(&Event) -> bool,
}

fn run_plain(events: &[&Counted]) -> Option<(i64, String)> {
    run(
        events,
        &Asked {
            of: |e| e.kind != "c",
            same: |e| Some(e.item.clone()),
            times: 2,
            then: |e| e.kind != "a",
            then_times: 2,
            within: 20 * SECOND,
            among: None,
            until: |_| false,
        },
    )
}

/// The newest event with which a run had been followed often enough, unless an event that makes the pattern go came with it or later.
fn run(events: &[&Counted], asked: &Asked) -> Option<(i64, String)> {
    let mut in_order: Vec<&Counted> = events.iter().copied().filter(|c| c.in_time).collect();
    in_order.sort_by_key(|c| c.time);
    let ofs: Vec<usize> = (0..in_order.len())
        .filter(|at| (asked.of)(&in_order[*at].event))
        .collect();
    // Runs: places of events, with their value.
    let mut runs: Vec<(String, Vec<usize>)> = Vec::new();
    let mut before = None;
    for at in ofs {
        let value = (asked.same)(&in_order[at].event);
        if let Some(value) = &value {
            match runs.last_mut() {
                Some((_, run)) if before.as_ref() == Some(value) => run.push(at),
                _ => runs.push((value.clone(), vec![at])),
            }
        }
        before = value;
    }
    let mut found: Option<(usize, String)> = None;
    for (value, run) in runs {
        let mut followed = BTreeSet::new();
        let appeared = (0..in_order.len()).find(|at| {
            let earlier: Vec<usize> = run.iter().copied().filter(|of| of < at).collect();
            let event = &in_order[*at].event;
            let in_time = (earlier.last())
                .is_some_and(|of| in_order[*at].time - in_order[*of].time <= asked.within);
            if !(asked.then)(event) || earlier.len() < asked.times || !in_time {
                return false;
            }
            match asked.among {
                None => {
                    followed.insert(at.to_string());
                }
                Some(among) => {
                    let known = |of: &usize| among(&in_order[*of].event) == among(event);
                    if earlier.iter().any(known) {
                        followed.insert(among(event));
                    }
                }
            }
            followed.len() >= asked.then_times
        });
        if let Some(at) = appeared
            && found.as_ref().is_none_or(|(known, _)| *known <= at)
        {
            found = Some((at, value));
        }
    }
    let (at, value) = found?;
    let gone = (at..in_order.len()).any(|later| (asked.until)(&in_order[later].event));
    (!gone).then(|| (in_order[at].time, value))
}

fn events(ops: &[Op]) -> Vec<Event> {
    let of = |op: &Op| match op {
        Op::Event(event) => Some(event.clone()),
        Op::Idle(_) => None,
    };
    ops.iter().filter_map(of).collect()
}

/// Runs a stream, with a snapshot after every step or without any, and compares every row after every step.
fn check(ops: &[Op], snapshots: bool) -> Result<(), TestCaseError> {
    let (plan, view) = (plan(), view());
    let events = events(ops);
    prop_assume!(!events.is_empty());
    let batch = Events::new(&stream::batch(&views::contract(), &events), views::TIME);
    let mut engine = Engine::new(Arc::clone(&plan), SETTINGS, 0, 0);
    let (mut defined, mut shown, mut row, mut late) = (Defined::default(), ByKey::new(), 0, 0);
    for (step, op) in ops.iter().enumerate() {
        match op {
            Op::Event(event) => {
                let offset = i64::try_from(row).expect("few");
                engine.apply(&batch, row, offset, event.ceiling, &mut Nobody);
                defined.event(event);
                row += 1;
            }
            Op::Idle(to) => {
                engine.advance(*to, &mut Nobody);
                defined.idle(*to);
            }
        }
        if snapshots {
            late += engine.counts().late[0];
            let bytes = engine.snapshot();
            let restored = Engine::restore(Arc::clone(&plan), SETTINGS, &bytes);
            engine = restored.expect("what was written can be read").0;
        }
        shown.extend(by_key(&view, &take(&mut engine, &plan, 0)));
        prop_assert_eq!(&shown, &defined.rows(), "step {}", step);
    }
    late += engine.counts().late[0];
    prop_assert_eq!(late, defined.late);
    Ok(())
}

/// A test of streams in which nothing is found would find nothing.
#[test]
fn the_streams_have_every_pattern() {
    let mut runner = TestRunner::deterministic();
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..300 {
        let ops = ops().new_tree(&mut runner).expect("a stream").current();
        let mut defined = Defined::default();
        let (mut seen, mut before) = (BTreeSet::new(), BTreeSet::new());
        for op in &ops {
            match op {
                Op::Event(event) => defined.event(event),
                Op::Idle(to) => defined.idle(*to),
            }
            let rows = defined.rows();
            let there = |name: &&str| rows.values().any(|row| row[*name] == Cell::Truth(true));
            let names = ["missing", "long", "run", "plain"];
            let now: BTreeSet<&str> = names.into_iter().filter(there).collect();
            seen.extend(now.iter().copied());
            if before.contains("run") && !now.contains("run") {
                seen.insert("a run that went");
            }
            before = now;
        }
        for name in seen {
            *found.entry(name).or_default() += 1;
        }
    }
    for name in ["missing", "long", "run", "plain", "a run that went"] {
        assert!(
            found.get(name).is_some_and(|streams| *streams >= 10),
            "{found:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn patterns_are_as_defined_after_every_step(ops in ops()) {
        check(&ops, false)?;
    }

    #[test]
    fn patterns_survive_a_snapshot_at_every_step(ops in ops()) {
        check(&ops, true)?;
    }

    /// Events that are no later than allowed give the rows of sorted ones, in whatever order they come.
    #[test]
    fn disorder_within_the_lateness_changes_nothing(
        ops in ops(),
        delays in prop::collection::vec(0..10 * SECOND, 70),
    ) {
        let (plan, view) = (plan(), view());
        let mut sorted = events(&ops);
        prop_assume!(!sorted.is_empty());
        for (place, event) in sorted.iter_mut().enumerate() {
            // No two at one time: of those the one that came first would be first.
            event.time = event.time / SECOND * SECOND + i64::try_from(place).expect("few");
            event.ceiling = i64::MAX;
        }
        sorted.sort_by_key(|event| event.time);
        let mut shuffled: Vec<(i64, Event)> = (sorted.iter().zip(&delays))
            .map(|(event, delay)| (event.time + delay, event.clone()))
            .collect();
        shuffled.sort_by_key(|(arrives, _)| *arrives);
        let shuffled: Vec<Event> = shuffled.into_iter().map(|(_, event)| event).collect();
        let run = |events: &[Event], silence: i64| {
            let batch = Events::new(&stream::batch(&views::contract(), events), views::TIME);
            let mut engine = Engine::new(Arc::clone(&plan), SETTINGS, 0, 0);
            for (row, event) in events.iter().enumerate() {
                let offset = i64::try_from(row).expect("few");
                engine.apply(&batch, row, offset, event.ceiling, &mut Nobody);
            }
            let newest = events.iter().map(|event| event.time).max().expect("some events");
            engine.advance(newest + silence, &mut Nobody);
            by_key(&view, &take(&mut engine, &plan, 0))
        };
        for silence in [0, 30 * SECOND, 3_600 * SECOND] {
            prop_assert_eq!(run(&shuffled, silence), run(&sorted, silence));
        }
    }
}

fn event(place: usize, user: &str, kind: &'static str, item: &str, seconds: i64) -> Event {
    Event {
        id: format!("e{place}"),
        kind,
        user: user.into(),
        session: "s".into(),
        item: item.into(),
        genre: Some("g".into()),
        amount: None,
        n: None,
        time: 1_800_000_000 * SECOND + seconds * SECOND,
        ceiling: i64::MAX,
    }
}

/// The flag of a user who goes silent: by the events of others, and by time alone.
#[test]
fn a_pattern_appears_for_a_user_who_goes_silent() {
    let (plan, view) = (plan(), view());
    let events = [
        event(0, "u0", "a", "i0", 0),
        event(1, "u1", "b", "i0", 40),
        event(2, "u1", "b", "i0", 41),
        event(3, "u0", "c", "i0", 42),
        event(4, "u0", "a", "i1", 50),
    ];
    let batch = Events::new(&stream::batch(&views::contract(), &events), views::TIME);
    let mut engine = Engine::new(Arc::clone(&plan), SETTINGS, 0, 0);
    // Rows that changed: user, flag, when it appeared (seconds), what it is about.
    let mut changed = |step: &dyn Fn(&mut Engine)| -> Vec<(String, bool, Option<i64>, Cell)> {
        step(&mut engine);
        let rows = by_key(&view, &take(&mut engine, &plan, 0));
        (rows.into_iter())
            .map(|(key, mut row)| {
                let at = match row["missing_at"] {
                    Cell::Int(at) => Some(at / SECOND - 1_800_000_000),
                    _ => None,
                };
                let what = row.remove("missing_what").expect("a feature");
                (
                    key[0].clone(),
                    row["missing"] == Cell::Truth(true),
                    at,
                    what,
                )
            })
            .collect()
    };
    let text = |text: &str| Cell::Text(text.to_owned());
    let apply = |row: usize| {
        let batch = &batch;
        let offset = i64::try_from(row).expect("few");
        move |engine: &mut Engine| engine.apply(batch, row, offset, i64::MAX, &mut Nobody)
    };
    let of = |user: &str| (user.to_owned(), false, None, Cell::Null);
    assert_eq!(changed(&apply(0)), [of("u0")]);
    // The watermark is 30 seconds after the event: it could still be within.
    assert_eq!(changed(&apply(1)), [of("u1")]);
    // It passes: the silent user's row changes without an event of his.
    assert_eq!(
        changed(&apply(2)),
        [("u0".to_owned(), true, Some(30), text("i0")), of("u1")]
    );
    assert_eq!(changed(&apply(3)), [of("u0")]);
    assert_eq!(changed(&apply(4)), [of("u0")]);
    // The partition is silent: time passes by the clock of the caller.
    let advance = |to: i64| {
        move |engine: &mut Engine| engine.advance((1_800_000_000 + to) * SECOND, &mut Nobody)
    };
    assert_eq!(changed(&advance(80)), []);
    assert_eq!(
        changed(&advance(81)),
        [("u0".to_owned(), true, Some(80), text("i1"))]
    );
    assert_eq!(
        changed(&advance(900)).len(),
        1,
        "the other user's long absence"
    );
}
