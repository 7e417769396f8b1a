//! Whether a process works: conditions that components set and clear, with the reasons, and loops that have to turn. What a condition means is
//! the business of who sets it; who asks is told by [`crate::endpoints`].

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a loop that has come to its end shows instead of a time.
const ENDED: u64 = u64::MAX;

/// The health of one process; clones speak of the same.
#[derive(Clone)]
pub struct Health(Arc<Inner>);

struct Inner {
    /// What keeps the process from being ready, by the condition's name.
    unmet: Mutex<BTreeMap<String, Unmet>>,
    loops: Mutex<Vec<(String, Arc<AtomicU64>)>>,
    /// How long a turn of a loop may take.
    bound: Duration,
    started: Instant,
}

struct Unmet {
    why: String,
    since: Instant,
}

impl Health {
    /// Nothing is wrong yet. A loop that takes longer than `bound` for a turn makes the process not live.
    pub fn new(bound: Duration) -> Self {
        Self(Arc::new(Inner {
            unmet: Mutex::default(),
            loops: Mutex::default(),
            bound,
            started: Instant::now(),
        }))
    }

    /// A condition for being ready. It is met until its owner says otherwise.
    pub fn condition(&self, name: impl Into<String>) -> Condition {
        Condition {
            health: self.clone(),
            name: name.into(),
        }
    }

    /// A loop that has to turn from now on, until it is dropped.
    pub fn watch_loop(&self, name: impl Into<String>) -> Loop {
        let last = Arc::new(AtomicU64::new(self.now()));
        lock(&self.0.loops).push((name.into(), Arc::clone(&last)));
        Loop {
            health: self.clone(),
            last,
        }
    }

    /// Why the process is not ready, one line a reason; nothing if it is.
    pub fn unready(&self) -> Option<String> {
        let unmet = lock(&self.0.unmet);
        let lines = unmet.iter().fold(String::new(), |mut text, (name, unmet)| {
            let seconds = unmet.since.elapsed().as_secs();
            let _ = writeln!(text, "{name}: {} (for {seconds} s)", unmet.why);
            text
        });
        (!lines.is_empty()).then_some(lines)
    }

    /// Whether a condition is not met whose name does not begin with `part`.
    pub(crate) fn unready_beside(&self, part: &str) -> bool {
        let unmet = lock(&self.0.unmet);
        unmet.keys().any(|name| !name.starts_with(part))
    }

    /// Which loops have not turned within the bound, one line each; nothing if all have.
    pub fn stuck(&self) -> Option<String> {
        let now = self.now();
        let bound = millis(self.0.bound);
        let loops = lock(&self.0.loops);
        let late = loops.iter().filter_map(|(name, last)| {
            let last = last.load(Ordering::Relaxed);
            let silent = now.saturating_sub(last);
            (last != ENDED && silent > bound)
                .then(|| format!("{name}: its loop has not turned for {} s\n", silent / 1_000))
        });
        let lines: String = late.collect();
        (!lines.is_empty()).then_some(lines)
    }

    fn now(&self) -> u64 {
        millis(self.0.started.elapsed())
    }
}

/// One condition for being ready, in the hands of the component that knows. Several may look at different sides of one thing: each
/// takes a name of its own, such as `online store, worker-1`.
#[derive(Clone)]
pub struct Condition {
    health: Health,
    name: String,
}

impl Condition {
    /// It is not met, and why. Said again, only the reason changes.
    pub fn unmet(&self, why: impl Into<String>) {
        let why = why.into();
        if let Some(why) = self.note(why) {
            tracing::warn!(condition = self.name, "not ready: {why}");
        }
    }

    /// It is not met yet, which is nothing to be alarmed about.
    pub fn not_yet(&self, why: impl Into<String>) {
        self.note(why.into());
    }

    /// Notes a reason and gives it back, if it is the first.
    fn note(&self, why: String) -> Option<String> {
        let mut unmet = lock(&self.health.0.unmet);
        if let Some(known) = unmet.get_mut(&self.name) {
            known.why = why;
            return None;
        }
        let since = Instant::now();
        let first = why.clone();
        unmet.insert(self.name.clone(), Unmet { why, since });
        Some(first)
    }

    /// It is met.
    pub fn met(&self) {
        if let Some(unmet) = lock(&self.health.0.unmet).remove(&self.name) {
            let seconds = unmet.since.elapsed().as_secs_f64();
            tracing::info!(condition = self.name, "met after {seconds:.1} s");
        }
    }
}

/// A loop that says when it turns.
pub struct Loop {
    health: Health,
    last: Arc<AtomicU64>,
}

impl Loop {
    /// It turned.
    pub fn turned(&self) {
        self.last.store(self.health.now(), Ordering::Relaxed);
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        self.last.store(ENDED, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).expect("a process does not live for 500 million years")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_the_conjunction_of_all_conditions_and_says_what_is_missing() {
        let health = Health::new(Duration::from_secs(60));
        let (kafka, store) = (health.condition("kafka"), health.condition("store"));
        assert_eq!(health.unready(), None);
        kafka.unmet("no broker answers");
        store.unmet("connection refused");
        store.unmet("read-only");
        let said = health.unready().unwrap();
        assert!(said.contains("kafka: no broker answers") && said.contains("store: read-only"));
        kafka.met();
        assert!(!health.unready().unwrap().contains("kafka"));
        store.met();
        store.met();
        assert_eq!(health.unready(), None);
    }

    #[test]
    fn a_loop_that_stands_still_is_named_until_it_turns_or_ends() {
        let health = Health::new(Duration::ZERO);
        let (fast, slow) = (health.watch_loop("fast"), health.watch_loop("slow"));
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(3) {
            fast.turned();
        }
        assert!(health.stuck().unwrap().contains("slow:"));
        slow.turned();
        drop((fast, slow));
        assert_eq!(health.stuck(), None);
    }
}
