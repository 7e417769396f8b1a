//! Events dealt to three partitions and merged must be what one partition makes of them: the merging query of every view of the shipped
//! domain, and one of each aggregation that it has not, over partials that the engine made.

use clap::Parser;
use std::path::Path;

use userflow_jobs::config::Common;
use userflow_jobs::engine::Engine;
use userflow_jobs::stream::{Stream, ViewRows};
use userflow_jobs::value::cell::Cell;
use userflow_models::cases::{Doing, Sent, parse};
use userflow_models::decode::Decoder;
use userflow_models::domain::Domain;
use userflow_models::features::{self, FeatureView};

/// What no shipped view has.
const MORE: &str = "feature_view: webtoon_more
description: Aggregations of a reader
entity: user_id
window: lifetime
features:
  total: {sum: scroll_ratio}
  dwelled: {sum: dwell_time_ms}
  least: {min: scroll_ratio}
  first_place: {first: country, default: NONE}
  last_place: {last: country}
  places: {top_k: country, k: 2}
  place: {top: country}
  seen_exit: {seen: {event_type: exit}}
";

/// When a row was written.
const WRITTEN: &str = "version";
/// How a session ends is not compared before all have: it is final when all of its partials are, each by what is in it.
const ENDS: [&str; 2] = ["is_final", "session_state"];
/// Longer than any window and gap, in microseconds.
const LATER: i64 = 48 * 3_600_000_000;

#[derive(Parser)]
struct Settings {
    #[command(flatten)]
    common: Common,
}

/// A small generator of repeatable numbers (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}

/// Events of an hour or so as the steps of a case; their times are all different, because ties are the partitions' affair.
fn steps(seed: u64) -> String {
    let mut random = Random(seed);
    let (mut steps, mut time) = (String::new(), 36_000_000);
    for _ in 0..random.below(120) + 20 {
        time += random.below(40_000) + 1;
        let clock = format!(
            "{:02}:{:02}:{:02}.{:03}",
            time / 3_600_000,
            time / 60_000 % 60,
            time / 1_000 % 60,
            time % 1_000
        );
        let kind = random.of(&["enter", "scroll", "scroll", "complete", "exit"]);
        let user = random.of(&["ann", "bob"]);
        let (session, episode) = (random.below(3), random.below(3));
        steps.push_str(&format!(
            "      - {clock} {kind}, partition {}: {{user_id: {user}, session_id: s{session}, episode_id: ep_{episode}, scroll_ratio: {}, \
             dwell_time_ms: {}, country: {}}}\n",
            random.below(3),
            random.below(101) as f64 / 100.0,
            random.below(9_000),
            random.of(&["KR", "JP", "US", "null"]),
        ));
    }
    steps
}

/// The rows of a view, without what says when a row was written.
fn shown(rows: &ViewRows, over: bool) -> Vec<Vec<(String, Cell)>> {
    let named = |row: &Vec<Cell>| {
        let cells = rows.columns.iter().cloned().zip(row.iter().cloned());
        cells
            .filter(|(name, _)| name != WRITTEN && (over || !ENDS.contains(&name.as_str())))
            .collect()
    };
    rows.rows.values().map(named).collect()
}

fn same(one: &Cell, other: &Cell) -> bool {
    match (one, other) {
        (Cell::One(_), Cell::One(_)) => one.online().is(&other.online()),
        _ => one == other,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_merged_from_partitions_is_what_one_partition_has() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    let domain = Domain::load(&folder, "webtoon").unwrap();
    let mut views: Vec<FeatureView> = features::load(&domain).unwrap();
    views.push(features::parse(MORE, &domain.contract).unwrap());
    assert!(views.iter().all(|view| !view.partition_local));
    let settings = Settings::try_parse_from(["jobs"]).unwrap();
    let engine = Engine::without_lake(&settings.common).unwrap();
    let mut compared = 0;
    for seed in 0..12 {
        let case = format!(
            "description: d\nevent: {{webtoon_id: wt_001}}\ncases:\n  - case: c\n    steps:\n{}",
            steps(seed)
        );
        let cases = parse(&case, &domain.contract).unwrap();
        let sent: Vec<&Sent> = (cases[0].steps.iter())
            .map(|step| match &step.doing {
                Doing::Send(sent) => sent,
                other => panic!("{other:?}"),
            })
            .collect();
        let mut one = Stream::new(&domain, &views, &[]).unwrap();
        let mut several = Stream::spread(&domain, &views, &[]).unwrap();
        let mut decoder = Decoder::new(&domain.contract);
        // Looked at now and then, after the last event, and when all is over.
        let last = sent.len() - 1;
        let looks = (39..last).step_by(40).map(|number| (number, 0));
        let mut looks: Vec<(usize, i64)> = looks.chain([(last, 0), (last, LATER)]).collect();
        looks.reverse();
        for (number, message) in sent.iter().enumerate() {
            let now = message.time.unwrap();
            decoder.decode(&message.bytes, now / 1_000).unwrap();
            let batch = decoder.finish();
            one.message(0, &batch, 0..1, Some(now)).unwrap();
            several
                .message(message.partition, &batch, 0..1, Some(now))
                .unwrap();
            while let Some((_, later)) = looks.pop_if(|(look, _)| *look == number) {
                // Partitions that get no events lag behind: the same time for all.
                for stream in [&mut one, &mut several] {
                    stream.advance(now + later).unwrap();
                }
                for (view, FeatureView { name, .. }) in views.iter().enumerate() {
                    several.merge(&engine, view, None).await.unwrap();
                    let [whole, merged] =
                        [&one, &several].map(|stream| shown(&stream.views()[view], later > 0));
                    assert_eq!(whole.len(), merged.len(), "{name} of seed {seed}");
                    for (whole, merged) in whole.iter().flatten().zip(merged.iter().flatten()) {
                        let (column, cell) = whole;
                        assert!(
                            *column == merged.0 && same(cell, &merged.1),
                            "{name}.{column} of seed {seed} after {} events: {cell:?}, merged {:?}",
                            number + 1,
                            merged.1
                        );
                        compared += 1;
                    }
                }
            }
        }
    }
    assert!(compared > 5_000, "{compared} cells are few");
}
