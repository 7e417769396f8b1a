//! Worker threads that end together, and what ends them: a stop that was asked for, or the first failure, a panic included. What a
//! worker does is its service's.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Error, Result, anyhow};

/// Whether the process is to end, and what went wrong first, if anything did.
#[derive(Default)]
pub struct Stop {
    asked: AtomicBool,
    failure: Mutex<Option<Error>>,
}

impl Stop {
    /// Everything is to end.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::Release);
    }

    /// Whether everything is to end.
    pub fn asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }

    /// Everything is to end because of an error. The first one is what the process ends with; a later one is only logged.
    pub fn fail(&self, error: Error) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        match *failure {
            None => *failure = Some(error),
            Some(_) => tracing::error!("while stopping: {error:#}"),
        }
        self.ask();
    }

    /// What went wrong first, if anything did; it is told once.
    pub fn outcome(&self) -> Result<()> {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.take().map_or(Ok(()), Err)
    }

    /// Runs a task beside the workers. An error of it, or a panic, ends the process like one of a worker.
    pub fn beside(
        self: &Arc<Self>,
        runtime: &tokio::runtime::Handle,
        name: &'static str,
        task: impl Future<Output = Result<()>> + Send + 'static,
    ) {
        let stop = Arc::clone(self);
        let running = runtime.spawn(task);
        runtime.spawn(async move {
            match running.await {
                Ok(Ok(())) => {}
                Ok(Err(e)) => stop.fail(e.context(name)),
                Err(e) if e.is_panic() => stop.fail(panicked(name, &*e.into_panic())),
                // The runtime goes down, and everything with it.
                Err(_) => {}
            }
        });
    }
}

/// Runs `work` on `count` threads, each with its number, and `meanwhile` on this one. A worker that fails or panics sets `stop`, on
/// which the others and `meanwhile` have to end. Returns the first failure, of a worker or of anything else that told `stop`.
pub fn run(
    count: usize,
    stop: &Stop,
    work: impl Fn(usize) -> Result<()> + Sync,
    meanwhile: impl FnOnce(),
) -> Result<()> {
    let guarded = |number| {
        // What a worker leaves behind in a panic is its own: state that is shared is behind locks and atomics.
        match catch_unwind(AssertUnwindSafe(|| work(number))) {
            Ok(Ok(())) => {}
            Ok(Err(e)) => stop.fail(e),
            Err(panic) => stop.fail(panicked(&name(number), &*panic)),
        }
    };
    std::thread::scope(|scope| {
        for number in 0..count {
            let guarded = &guarded;
            let started = std::thread::Builder::new()
                .name(name(number))
                .spawn_scoped(scope, move || guarded(number))
                .context("start a worker thread");
            if let Err(e) = started {
                stop.fail(e);
            }
        }
        if let Err(panic) = catch_unwind(AssertUnwindSafe(meanwhile)) {
            stop.fail(panicked("the main loop", &*panic));
        }
    });
    stop.outcome()
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

/// What a task came to. A panic of it goes on in the worker that waits for it, and ends the process there.
pub fn joined<T>(outcome: Result<T, tokio::task::JoinError>) -> Result<T, tokio::task::JoinError> {
    match outcome {
        Err(e) if e.is_panic() => std::panic::resume_unwind(e.into_panic()),
        outcome => outcome,
    }
}

/// The name of a worker's thread.
pub fn name(number: usize) -> String {
    format!("worker-{number}")
}

fn panicked(who: &str, panic: &(dyn Any + Send)) -> Error {
    let said = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    anyhow!("{who} panicked, which is a defect of this program: {said}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn until_asked(stop: &Stop) {
        while !stop.asked() {
            std::thread::yield_now();
        }
    }

    /// Runs three workers of which one does something else, and returns what is told.
    fn told(odd_one: impl Fn() -> Result<()> + Sync) -> String {
        let stop = Stop::default();
        let work = |number| {
            if number == 1 {
                return odd_one();
            }
            until_asked(&stop);
            Ok(())
        };
        run(3, &stop, work, || until_asked(&stop))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn one_that_fails_stops_the_others_and_is_what_is_told() {
        assert_eq!(told(|| Err(anyhow!("number 1 fails"))), "number 1 fails");
    }

    #[test]
    fn one_that_panics_stops_the_others_and_is_named() {
        let said = told(|| panic!("an invariant"));
        assert!(
            said.contains("worker-1 panicked") && said.contains("an invariant"),
            "{said}"
        );
    }

    #[test]
    fn a_task_beside_the_workers_that_panics_stops_them() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let stop = Arc::new(Stop::default());
        stop.beside(runtime.handle(), "the checkpoint", async {
            panic!("an invariant")
        });
        let work = |_| {
            until_asked(&stop);
            Ok(())
        };
        let outcome = run(2, &stop, work, || until_asked(&stop));
        let said = outcome.unwrap_err().to_string();
        assert!(said.contains("the checkpoint panicked"), "{said}");
    }
}
