//! Whether a process works, told to whoever runs it: `/readyz` (conditions that components set and clear, with the reasons), `/healthz`
//! (every worker's loop still turns), `/metrics`. And the stop signal. What a condition means is the business of who sets it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;

/// For how long a run that has an end may read nothing while the process is not ready.
const STANDSTILL: Duration = Duration::from_secs(120);
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
    fn unready_beside(&self, part: &str) -> bool {
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

/// Notices that a run that is to come to an end (`--until-caught-up`) does not get on. A service waits for a broker as long as it takes,
/// and is not ready meanwhile; whoever waits for a run to end is told, and starts it again.
pub struct Standstill {
    store: &'static str,
    read: u64,
    since: Instant,
}

impl Standstill {
    /// Nothing was read until `now`. Conditions whose names begin with `store` do not count: whoever writes there has a bound of its own,
    /// and a large commit to a slow store is no standstill.
    pub fn new(store: &'static str, now: Instant) -> Self {
        Self {
            store,
            read: 0,
            since: now,
        }
    }

    /// Looks at how many messages have been read; fails with the reasons when nothing comes and the process is not ready.
    pub fn look(&mut self, health: &Health, read: u64, now: Instant) -> Result<()> {
        if read != self.read || !health.unready_beside(self.store) {
            self.read = read;
            self.since = now;
        }
        match health.unready() {
            Some(reasons) if now.duration_since(self.since) > STANDSTILL => anyhow::bail!(
                "nothing was read for {} s: {}; a new start goes on where this one stopped",
                STANDSTILL.as_secs(),
                reasons.trim_end().replace('\n', "; ")
            ),
            _ => Ok(()),
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

/// Renders the metrics as Prometheus text.
pub type Metrics = Arc<dyn Fn() -> String + Send + Sync>;

/// Serves the endpoints until the listener fails; `bound` gets the address (port 0 picks one).
pub async fn serve(
    addr: SocketAddr,
    health: Health,
    metrics: Metrics,
) -> Result<impl Future<Output = Result<()>> + Send + 'static> {
    let listener = tokio::net::TcpListener::bind(addr)
        .await
        .with_context(|| format!("bind --metrics-addr {addr}"))?;
    let bound = listener.local_addr()?;
    let app = Router::new()
        .route("/metrics", get(move || async move { metrics() }))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(health);
    tracing::info!(addr = %bound, "serving /metrics, /healthz, /readyz");
    Ok(async move {
        axum::serve(listener, app)
            .await
            .context("serve /metrics, /healthz and /readyz")
    })
}

async fn healthz(State(health): State<Health>) -> (StatusCode, String) {
    match health.stuck() {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
    }
}

async fn readyz(State(health): State<Health>) -> (StatusCode, String) {
    match health.unready() {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
    }
}

/// Returns when SIGTERM or Ctrl-C arrives.
pub async fn stop_signal() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut int = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    Ok(())
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
    fn a_run_that_is_to_end_does_not_wait_for_ever_for_what_is_away() {
        let health = Health::new(Duration::from_secs(60));
        let kafka = health.condition("kafka");
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut standstill = Standstill::new("lake", start);
        let mut look = |read, seconds| standstill.look(&health, read, at(seconds));
        // Ready and idle: something else is waited for.
        look(0, 1_000).unwrap();
        kafka.unmet("no broker answers");
        look(0, 1_100).unwrap();
        // Not ready, but it gets on.
        look(5, 1_119).unwrap();
        look(5, 1_239).unwrap();
        let error = look(5, 1_240).unwrap_err().to_string();
        assert!(
            error.starts_with("nothing was read for 120 s: kafka: no broker answers"),
            "{error}"
        );
        kafka.met();
        look(5, 1_241).unwrap();
        kafka.unmet("no broker answers");
        look(5, 1_361).unwrap();
        look(5, 1_362).unwrap_err();
        // A commit to a slow store has a bound of its own.
        kafka.met();
        health.condition("lake, worker-0").unmet("a slow commit");
        look(5, 9_999).unwrap();
    }

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
