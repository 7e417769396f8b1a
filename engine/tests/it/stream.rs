//! Random streams.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    new_null_array,
};
use proptest::prelude::*;
use userflow_models::contract::Contract;

use crate::SECOND;

/// Something that happens.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// An event.
    Event(Event),
    /// An earlier event comes again: that many events ago.
    Again(usize),
    /// Time passes without an event.
    Idle(i64),
    /// The state is written and read back.
    Snapshot,
}

/// An event; its id follows from its place.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub id: String,
    pub kind: &'static str,
    pub user: String,
    pub session: String,
    pub item: String,
    pub genre: Option<String>,
    /// In thousandths.
    pub amount: Option<i64>,
    pub n: Option<i64>,
    pub time: i64,
    pub ceiling: i64,
}

#[derive(Clone, Debug)]
enum Draft {
    Event {
        kind: usize,
        user: u8,
        session: u8,
        item: u8,
        genre: Option<u8>,
        amount: Option<i64>,
        n: Option<i64>,
        pass: i64,
        behind: i64,
    },
    Again(usize),
    Idle(i64),
    Snapshot,
}

/// Up to 60 steps. Time passes by seconds, sometimes by minutes or hours; events come in some disorder, sometimes very late, and some clocks
/// are ahead.
pub(crate) fn ops() -> impl Strategy<Value = Vec<Op>> {
    let millis = |range: std::ops::Range<i64>| range.prop_map(|ms| ms * 1_000);
    let pass = prop_oneof![
        6 => millis(0..4_000),
        3 => millis(4_000..90_000),
        2 => millis(90_000..900_000),
        1 => millis(900_000..9_000_000),
    ];
    let behind = prop_oneof![
        8 => millis(0..1_000),
        4 => millis(0..12_000),
        2 => millis(0..1_500_000),
        1 => millis(-30_000_000..0),
        1 => millis(0..12_000_000),
    ];
    let event = (
        (0..3usize, 0..3u8, 0..5u8, 0..4u8),
        prop::option::of(0..3u8),
        prop::option::of(-50..2_000i64),
        prop::option::of(-3..9i64),
        pass,
        behind,
    );
    let draft = prop_oneof![
        20 => event.prop_map(|((kind, user, session, item), genre, amount, n, pass, behind)| Draft::Event {
            kind, user, session, item, genre, amount, n, pass, behind,
        }),
        3 => (1..12usize).prop_map(Draft::Again),
        1 => millis(0..5_000_000).prop_map(Draft::Idle),
        1 => Just(Draft::Snapshot),
    ];
    prop::collection::vec(draft, 1..60).prop_map(finish)
}

fn finish(drafts: Vec<Draft>) -> Vec<Op> {
    // Not a multiple of any window, so that boundaries fall anywhere.
    let mut clock = 1_800_000_123 * SECOND;
    let mut ops = Vec::new();
    for (place, draft) in drafts.into_iter().enumerate() {
        ops.push(match draft {
            Draft::Again(back) => Op::Again(back),
            Draft::Snapshot => Op::Snapshot,
            Draft::Idle(pass) => {
                clock += pass;
                Op::Idle(clock - 10 * SECOND)
            }
            Draft::Event {
                kind,
                user,
                session,
                item,
                genre,
                amount,
                n,
                pass,
                behind,
            } => {
                clock += pass;
                Op::Event(Event {
                    id: format!("e{place}"),
                    kind: ["a", "b", "c"][kind],
                    user: format!("u{user}"),
                    session: format!("s{session}"),
                    item: format!("i{item}"),
                    genre: genre.map(|genre| format!("g\"{genre}")),
                    amount,
                    n,
                    time: clock - behind,
                    ceiling: clock + 10 * SECOND,
                })
            }
        });
    }
    ops
}

/// The events of a stream in order, repeats included; a repeat without an earlier event is the first event sent early, with its own id.
pub(crate) fn events(ops: &[Op]) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for op in ops {
        match op {
            Op::Event(event) => events.push(event.clone()),
            Op::Again(back) => {
                let again = events.len().checked_sub(*back).map(|at| events[at].clone());
                events.push(again.unwrap_or_else(|| Event {
                    id: format!("early{}", events.len()),
                    kind: "a",
                    user: "u0".into(),
                    session: "s0".into(),
                    item: "i0".into(),
                    genre: None,
                    amount: None,
                    n: None,
                    time: 1_800_000_000 * SECOND,
                    ceiling: 1_800_000_000 * SECOND,
                }));
            }
            _ => {}
        }
    }
    events
}

/// The events as the decoder would give them.
pub(crate) fn batch(contract: &Contract, events: &[Event]) -> RecordBatch {
    let schema = contract.schema();
    let texts = |of: fn(&Event) -> Option<&str>| -> ArrayRef {
        Arc::new(events.iter().map(of).collect::<StringArray>())
    };
    let mut columns: Vec<ArrayRef> = vec![
        texts(|e| Some(&e.id)),
        texts(|e| Some(e.kind)),
        texts(|e| Some(&e.user)),
        texts(|e| Some(&e.session)),
        texts(|e| Some(&e.item)),
        texts(|e| e.genre.as_deref()),
        Arc::new(
            (events
                .iter()
                .map(|e| e.amount.map(i128::from))
                .collect::<Decimal128Array>())
            .with_precision_and_scale(9, 3)
            .expect("a decimal"),
        ),
        Arc::new(events.iter().map(|e| e.n).collect::<Int64Array>()),
        Arc::new(
            TimestampMicrosecondArray::from_iter_values(events.iter().map(|e| e.time))
                .with_timezone("UTC"),
        ),
    ];
    for field in schema.fields().iter().skip(columns.len()) {
        columns.push(new_null_array(field.data_type(), events.len()));
    }
    RecordBatch::try_new(schema, columns).expect("a batch")
}
