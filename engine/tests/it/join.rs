//! Views that join dimensions against a plain look-up: what events get, which of two dimensions a column is of, and what another state of a
//! dimension changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Int32Array, RecordBatch, StringArray};
use proptest::prelude::*;
use userflow_engine::{Dimension, Engine, Events, Nobody, Plan};
use userflow_models::features::{self, FeatureView};
use userflow_models::project::{Column, ColumnType};

use crate::stream::{self, Event};
use crate::textbook::Cell;
use crate::{SECOND, SETTINGS, by_key, take, views};

/// Rows of `items`: key, kind, price in cents. Of `people`: key, level.
type Items = BTreeMap<String, (Option<String>, i64)>;
type People = BTreeMap<String, i32>;

fn declared() -> Vec<features::Dimension> {
    let dimension = |name: &str, columns: &[(&str, ColumnType)]| features::Dimension {
        name: name.into(),
        file: format!("{name}.csv").into(),
        table: None,
        yml: format!("{name}.yml").into(),
        columns: (columns.iter())
            .map(|(name, data_type)| Column {
                name: (*name).into(),
                data_type: *data_type,
                description: String::new(),
                tests: Vec::new(),
            })
            .collect(),
    };
    let (text, price) = (ColumnType::String, ColumnType::Decimal(9, 2));
    vec![
        dimension(
            "items",
            &[("item", text), ("kind", text), ("amount", price)],
        ),
        dimension("people", &[("user", text), ("level", ColumnType::Integer)]),
    ]
}

fn parsed() -> Vec<FeatureView> {
    let view = |name: &str, join: &str, features: &str| {
        let text = format!(
            "feature_view: {name}\ndescription: v\nentity: user\npartition_local: true\n{join}window: lifetime\nfeatures:\n{features}"
        );
        features::parse_with(&text, &views::contract(), &declared()).expect(name)
    };
    let items = "join: {dimension: items, on: item, take: [kind, {price: amount}]}\n";
    vec![
        view("test_none", "", "  n: {count: {}}\n"),
        view(
            "test_items",
            items,
            "  n: {count: {when: {kind: k0}}}\n  sum: {sum: price}\n  dear: {count: {when: {price: {above: 0.5}}}}\n  last: {last: kind}\n",
        ),
        view(
            "test_people",
            "join: {dimension: people, on: user, take: [level]}\n",
            "  n: {count: {when: {level: {at_least: 1}}}}\n  sum: {sum: level}\n",
        ),
        view(
            "test_again",
            items,
            "  n: {count: {when: {kind: k0}}}\n  most: {max: price}\n",
        ),
    ]
}

fn dimensions(plan: &Plan, items: &Items, people: &People) -> Vec<Arc<Dimension>> {
    let texts = |texts: Vec<Option<&str>>| -> ArrayRef { Arc::new(StringArray::from(texts)) };
    let keys = items.keys().map(|key| Some(key.as_str())).collect();
    let kinds = items.values().map(|(kind, _)| kind.as_deref()).collect();
    let prices = items.values().map(|(_, price)| i128::from(*price));
    let prices = Decimal128Array::from_iter_values(prices).with_precision_and_scale(9, 2);
    let items = RecordBatch::try_from_iter_with_nullable([
        // In another order than the join has them.
        ("amount", Arc::new(prices.expect("small")) as ArrayRef, true),
        ("item", texts(keys), true),
        ("kind", texts(kinds), true),
    ]);
    let users = people.keys().map(|key| Some(key.as_str())).collect();
    let levels = Int32Array::from_iter_values(people.values().copied());
    let people = RecordBatch::try_from_iter_with_nullable([
        ("user", texts(users), true),
        ("level", Arc::new(levels) as ArrayRef, true),
    ]);
    let (items, people) = (items.expect("rows"), people.expect("rows"));
    let of = |join: &features::Join| match join.dimension.as_str() {
        "items" => Dimension::new(join, &items).expect("a dimension"),
        _ => Dimension::new(join, &people).expect("a dimension"),
    };
    plan.joins().map(|join| Arc::new(of(join))).collect()
}

fn tables() -> impl Strategy<Value = (Items, People)> {
    let kind = prop::option::of((0..2u8).prop_map(|kind| format!("k{kind}")));
    let items = prop::collection::btree_map(
        (0..4u8).prop_map(|item| format!("i{item}")),
        (kind, 0..120i64),
        0..4,
    );
    let people =
        prop::collection::btree_map((0..3u8).prop_map(|user| format!("u{user}")), 0..3i32, 0..3);
    (items, people)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// The first events are read with one state of the dimensions, the others with another.
    #[test]
    fn joined_columns_are_those_of_the_dimension_when_the_event_is_read(
        before in prop::collection::vec((0..3u8, 0..4u8), 0..12),
        after in prop::collection::vec((0..3u8, 0..4u8), 0..12),
        first in tables(),
        second in tables(),
    ) {
        let views = parsed();
        let plan = Plan::new(&views::contract(), &views, SETTINGS.lateness).expect("a plan");
        let plan = Arc::new(plan);
        // The same join of two views is one.
        prop_assert_eq!(plan.joins().count(), 2);
        let mut engine = Engine::new(Arc::clone(&plan), SETTINGS, 0, 0);
        let mut expected: BTreeMap<String, Vec<(Option<String>, i64)>> = BTreeMap::new();
        let mut levels: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        let mut seen: BTreeMap<String, i64> = BTreeMap::new();
        let mut offset = 0;
        for (drawn, (items, people)) in [(&before, &first), (&after, &second)] {
            let events: Vec<Event> = (drawn.iter().enumerate())
                .map(|(place, (user, item))| event(offset + i64::try_from(place).expect("few"), *user, *item))
                .collect();
            let mut batch = Events::new(&stream::batch(&views::contract(), &events), views::TIME);
            let missed = plan.join(&mut batch, &dimensions(&plan, items, people));
            let unknown = |known: &dyn Fn(&Event) -> bool| {
                u64::try_from(events.iter().filter(|e| !known(e)).count()).expect("few")
            };
            prop_assert_eq!(missed, [
                unknown(&|e| items.contains_key(&e.item)),
                unknown(&|e| people.contains_key(&e.user)),
            ]);
            for (row, event) in events.iter().enumerate() {
                engine.apply(&batch, row, offset, i64::MAX, &mut Nobody);
                offset += 1;
                *seen.entry(event.user.clone()).or_default() += 1;
                if let Some(found) = items.get(&event.item) {
                    expected.entry(event.user.clone()).or_default().push(found.clone());
                }
                if let Some(level) = people.get(&event.user) {
                    levels.entry(event.user.clone()).or_default().push(i64::from(*level));
                }
            }
        }
        let rows: Vec<_> = (0..views.len())
            .map(|view| by_key(&views[view], &take(&mut engine, &plan, view)))
            .collect();
        let count = |number: usize| Cell::Int(i64::try_from(number).expect("few"));
        for (user, events) in &seen {
            let key = vec![user.clone()];
            let found = expected.remove(user).unwrap_or_default();
            let of_kind = found.iter().filter(|(kind, _)| kind.as_deref() == Some("k0")).count();
            let prices: Vec<i64> = found.iter().map(|(_, price)| *price).collect();
            let cents = |cents: Option<i64>| cents.map_or(Cell::Null, |cents| Cell::Real(cents as f64 / 100.0));
            let some = |sum: i64| (!prices.is_empty()).then_some(sum);
            let last = found.iter().rev().find_map(|(kind, _)| kind.clone());
            prop_assert_eq!(&rows[0][&key]["n"], &Cell::Int(*events));
            prop_assert_eq!(&rows[1][&key]["n"], &count(of_kind));
            prop_assert_eq!(&rows[1][&key]["sum"], &cents(some(prices.iter().sum())));
            prop_assert_eq!(&rows[1][&key]["dear"], &count(prices.iter().filter(|cents| **cents > 50).count()));
            prop_assert_eq!(&rows[1][&key]["last"], &last.map_or(Cell::Null, Cell::Text));
            prop_assert_eq!(&rows[3][&key]["n"], &count(of_kind));
            prop_assert_eq!(&rows[3][&key]["most"], &cents(prices.iter().max().copied()));
            let levels = levels.remove(user).unwrap_or_default();
            prop_assert_eq!(&rows[2][&key]["n"], &count(levels.iter().filter(|level| **level >= 1).count()));
            let sum = (!levels.is_empty()).then(|| levels.iter().sum());
            prop_assert_eq!(&rows[2][&key]["sum"], &sum.map_or(Cell::Null, Cell::Int));
        }
    }
}

/// An event of its place: later ones are later.
fn event(place: i64, user: u8, item: u8) -> Event {
    Event {
        id: format!("e{place}"),
        kind: "a",
        user: format!("u{user}"),
        session: "s".into(),
        item: format!("i{item}"),
        genre: None,
        amount: None,
        n: None,
        time: (1_800_000_000 + place) * SECOND,
        ceiling: i64::MAX,
    }
}
