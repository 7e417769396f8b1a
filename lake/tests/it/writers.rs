//! Several writers at once over a store that fails at random: appends of contested and of own positions, and merges. Whatever happens,
//! every row is there once, every position is where its rows end, and every commit ends.

use std::collections::{BTreeSet, HashSet};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Map;
use userflow_lake::{Commit, CommitError, Guard, Table};
use userflow_tests::faulty::Faulty;

use crate::table::{BOUND, Log, append, file, table};

const SEEDS: std::ops::Range<u64> = 0..16;
/// Where each position is to end.
const END: i64 = 60;
/// Positions; the first has two owners who do not know of one another.
const POSITIONS: [&str; 3] = ["app/t/id/0", "app/t/id/1", "app/t/id/2"];

#[derive(Default)]
struct Figures {
    commits: usize,
    fenced: usize,
    conflicts: usize,
    errors: usize,
}

impl Figures {
    fn count(&mut self, result: &Result<i64, CommitError>) {
        match result {
            Ok(_) => self.commits += 1,
            Err(CommitError::Fenced { .. }) => self.fenced += 1,
            Err(CommitError::Conflict { .. }) => self.conflicts += 1,
            Err(CommitError::Lake(_)) => self.errors += 1,
        }
    }

    fn add(&mut self, other: &Self) {
        self.commits += other.commits;
        self.fenced += other.fenced;
        self.conflicts += other.conflicts;
        self.errors += other.errors;
    }
}

async fn bounded(table: &Table, commit: &Commit, guard: &Guard) -> Result<i64, CommitError> {
    tokio::time::timeout(BOUND, table.commit(commit, guard))
        .await
        .expect("a commit ends")
}

/// Appends until its position is at the end, as the ingester does: on any error it believes the table.
async fn append_all(table: Table, position: &'static str, seed: u64) -> Figures {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut figures = Figures::default();
    let guard = Guard::Txns(HashSet::from([position.to_owned()]));
    loop {
        let Ok(Some(found)) = table.snapshot().await else {
            continue;
        };
        let Ok(positions) = found.txns().await else {
            continue;
        };
        let mut at = positions.get(position).copied().unwrap_or(0);
        let mut base = found.version();
        loop {
            if at >= END {
                return figures;
            }
            let to = (at + random.random_range(1..8)).min(END);
            let rows = u64::try_from(to - at).unwrap();
            let Ok(file) = file(&table, random.random_range(0..2), rows).await else {
                break;
            };
            let commit = append(base, position, at, to, vec![file]);
            let result = bounded(&table, &commit, &guard).await;
            figures.count(&result);
            match result {
                Ok(version) => (base, at) = (version, to),
                Err(_) => break,
            }
        }
    }
}

/// Merges the files of a day, as upkeep does.
async fn merge(table: Table, day: i32, times: usize) -> Figures {
    let mut figures = Figures::default();
    for _ in 0..times {
        let Ok(Some(found)) = table.snapshot().await else {
            continue;
        };
        let removes = found.files_of(day..day + 1);
        let rows = removes.iter().map(|file| file.rows.unwrap()).sum();
        if removes.len() < 2 {
            continue;
        }
        let Ok(file) = file(&table, day, rows).await else {
            continue;
        };
        let commit = Commit {
            base: found.version(),
            adds: vec![file],
            removes,
            txns: Vec::new(),
            data_change: false,
            operation: "OPTIMIZE",
            info: Map::new(),
        };
        let guard = Guard::Partitions(BTreeSet::from([day]));
        figures.count(&bounded(&table, &commit, &guard).await);
    }
    figures
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_land_once_and_positions_are_right_whatever_the_store_does() {
    let (mut all, mut injected, mut requests) = (Figures::default(), 0, 0);
    for seed in SEEDS {
        eprintln!("seed {seed}");
        let store = Faulty::new();
        let table = table(&store).await;
        let per_mille = 20 + u32::try_from(seed % 4).unwrap() * 40;
        store.chaos(ChaCha8Rng::seed_from_u64(seed), per_mille);
        let writers = [
            (POSITIONS[0], 1),
            (POSITIONS[0], 2),
            (POSITIONS[1], 3),
            (POSITIONS[2], 4),
        ];
        let mut tasks = tokio::task::JoinSet::new();
        for (position, number) in writers {
            tasks.spawn(append_all(table.clone(), position, seed * 10 + number));
        }
        tasks.spawn(merge(table.clone(), 0, 8));
        tasks.spawn(merge(table.clone(), 1, 8));
        while let Some(figures) = tasks.join_next().await {
            all.add(&figures.unwrap());
        }
        injected += store.injected();
        requests += store.requests();
        store.heal().await;

        // By the log as it lies there: `Log::read` holds every entry against the one before.
        let log = Log::read(&store).await;
        for position in POSITIONS {
            assert_eq!(log.positions[position], END, "seed {seed}: {position}");
        }
        let rows = u64::try_from(END).unwrap() * POSITIONS.len() as u64;
        assert_eq!(log.rows(), rows, "seed {seed}");
        // And by the lake.
        let found = table.require_snapshot().await.unwrap();
        assert_eq!(found.version() + 1, log.versions, "seed {seed}");
        let seen: u64 = found.files().iter().map(|file| file.rows.unwrap()).sum();
        assert_eq!(seen, rows, "seed {seed}");
    }
    eprintln!(
        "{} rounds, {requests} requests, {injected} faults injected; {} commits, {} fenced, {} conflicts, {} errors; 0 lost, 0 doubled",
        SEEDS.end, all.commits, all.fenced, all.conflicts, all.errors
    );
    assert!(
        all.fenced > 0 && all.errors > 0 && all.conflicts > 0,
        "every outcome was met"
    );
}
