//! Death at each named point of a job's commits (`userflow_lake::failpoint`), the first time that it is reached and some time later. Each
//! partition is then what it was or what it had to become, and the next run makes everything what a lake that never saw a death has.
//!
//! The points of ingest and sessionize are walked by `tests/tests/it/failpoints`.

use std::hash::{BuildHasher, Hasher};
use std::process::Command;

use userflow_lake::failpoint::POINTS;

use crate::world::{Event, World, figure};

const EVERYTHING: [&str; 6] = [
    "run",
    "+gold.*",
    "--from",
    "2026-11-01",
    "--to",
    "2026-11-04",
];
const BRONZE: &str = "bronze.demo_events";

/// The points of a job other than these are those of `maintain`.
const OF_RUN: [&str; 8] = [
    "lake.file-under-way",
    "lake.file-stored",
    "lake.entry-under-way",
    "lake.entry-stored",
    "jobs.files-written",
    "jobs.judged",
    "jobs.published",
    "jobs.model-done",
];

/// Numbers that a seed determines: splitmix64.
struct Random(u64);

impl Random {
    #[expect(
        clippy::disallowed_methods,
        clippy::print_stdout,
        reason = "the seed of a failed test is printed, and set to repeat it"
    )]
    fn seeded() -> Self {
        let seed = match std::env::var("USERFLOW_TEST_SEED") {
            Ok(text) => text.parse().unwrap(),
            Err(_) => std::hash::RandomState::new().build_hasher().finish() >> 40,
        };
        println!("seed {seed} (repeat with USERFLOW_TEST_SEED={seed})");
        Self(seed)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    /// The deaths to die: each point at once and once later, in some order.
    fn walk(&mut self, points: impl Iterator<Item = &'static str>) -> Vec<(&'static str, u64)> {
        let mut deaths: Vec<_> = points
            .flat_map(|point| [(point, 1), (point, 2 + self.below(5))])
            .collect();
        for n in (1..deaths.len()).rev() {
            deaths.swap(n, usize::try_from(self.below(n as u64 + 1)).unwrap());
        }
        deaths
    }
}

/// Runs a job until it dies at a point. Whether it did: "some time later" may be after its end, "at once" may not.
#[expect(
    clippy::disallowed_methods,
    reason = "where the test run has put its binaries"
)]
pub(crate) fn dies(world: &World, arguments: &[&str], point: &str, times: u64) -> bool {
    use std::os::unix::process::ExitStatusExt;
    let product = world.command(arguments);
    let folder = std::env::var_os("USERFLOW_TEST_FAILPOINT_BIN").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/failpoints"),
        Into::into,
    );
    let mut command = Command::new(folder.join("userflow-jobs"));
    let settings = product
        .get_envs()
        .filter_map(|(key, value)| Some((key, value?)));
    let output = command
        .env_clear()
        .envs(settings)
        .env("USERFLOW_TEST_FAILPOINT", format!("{point}:{times}"))
        .args(product.get_args())
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}: `tests/run rust` builds it"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    let died = output.status.signal().is_some();
    assert_eq!(
        died,
        stderr.contains(&format!("failpoint {point}")),
        "{point}:{times}\n{stderr}"
    );
    assert!(died || output.status.success(), "{point}:{times}\n{stderr}");
    assert!(
        died || times > 1,
        "{point} was not reached: a point that is never reached proves nothing\n{stderr}"
    );
    died
}

#[test]
fn death_at_any_point_of_a_run_leaves_each_partition_old_or_new() {
    let mut random = Random::seeded();
    let world = World::with_events();
    let untouched = World::with_events();
    world.run_all();
    untouched.run_all();
    let deaths = random.walk(OF_RUN.into_iter());
    let (mut died, mut partitions) = (0, 0);
    for (round, (point, times)) in deaths.iter().enumerate() {
        let old = world.everything();
        let (visit, amount) = (format!("k{round:02}"), i64::try_from(round).unwrap());
        let events: [Event<'_>; 3] = ["2026-11-01", "2026-11-02", "2026-11-03"]
            .map(|day| format!("{day}T10:{round:02}:00Z"))
            .map(|time| (visit.as_str(), "zoe", amount, &*time.leak()));
        world.events(&events);
        untouched.events(&events);
        untouched.run_all();
        let new = untouched.everything();

        died += u32::from(dies(&world, &EVERYTHING, point, *times));
        for (table, dates) in world.everything() {
            for (date, rows) in dates {
                partitions += 1;
                assert!(
                    rows == old[table][&date] || rows == new[table][&date],
                    "{point}:{times}: {table} of {date} is neither the old nor the new\n{rows:?}"
                );
            }
        }
        // What a death left undone is found by the next `plan`, or done by the next run.
        if round % 2 == 0 {
            world.ok(&["run", "+gold.*", "--planned"]);
        } else {
            world.run_all();
        }
        assert_eq!(world.everything(), new, "after {point}:{times}");
        assert!(world.planned().is_empty(), "after {point}:{times}");
    }
    figure(&format!(
        "row 1, run: {} rounds, {died} deaths at named points, {partitions} partitions compared, 0 lost, 0 doubled",
        deaths.len()
    ));
}

/// Files go at once, so that there are some to remove.
const MAINTAIN: [&str; 4] = ["maintain", "--retention", "0s", "--unsafe-retention"];

#[test]
fn death_at_any_point_of_maintain_changes_no_row() {
    let mut random = Random::seeded();
    let world = World::with_events();
    world.run_all();
    let (silver, mut expected) = (world.everything(), world.content(BRONZE));
    let of_run = |point: &&str| OF_RUN.contains(point) && point.starts_with("jobs.");
    let parts = ["lake.", "jobs."];
    let points = (POINTS.into_iter())
        .filter(|point| parts.iter().any(|part| point.starts_with(part)) && !of_run(point));
    let deaths = random.walk(points);
    let mut died = 0;
    for (round, (point, times)) in deaths.iter().enumerate() {
        for second in 0..3 {
            let time = format!("2026-11-0{}T11:{round:02}:0{second}Z", 1 + second % 2);
            world.events(&[("m", "max", 1, &time)]);
        }
        let before = world.content(BRONZE);
        let rows = |content: &std::collections::BTreeMap<String, Vec<String>>| {
            content.values().map(Vec::len).sum::<usize>()
        };
        assert_eq!(rows(&before), rows(&expected) + 3);
        expected = before;

        died += u32::from(dies(&world, &MAINTAIN, point, *times));
        assert_eq!(world.content(BRONZE), expected, "after {point}:{times}");
        assert_eq!(world.everything(), silver, "after {point}:{times}");
        // Nothing that the dead one held keeps the next one out.
        world.ok(&MAINTAIN);
        assert_eq!(
            world.content(BRONZE),
            expected,
            "after {point}:{times} and another one"
        );
        assert_eq!(
            world.everything(),
            silver,
            "after {point}:{times} and another one"
        );
    }
    figure(&format!(
        "row 1, maintain: {} rounds, {died} deaths at named points, 0 lost, 0 doubled",
        deaths.len()
    ));
}
