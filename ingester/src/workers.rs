//! Worker threads that end together: the first error stops all. What a worker does is its service's.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, anyhow};

/// Runs `work` on `count` threads, each with its number, and `meanwhile` on this one. A worker that fails sets `stop`, on which the others
/// and `meanwhile` have to end. Returns the first error by number.
pub(crate) fn run(
    count: usize,
    stop: &AtomicBool,
    work: impl Fn(usize) -> Result<()> + Sync,
    meanwhile: impl FnOnce(),
) -> Result<()> {
    let guarded = |number| {
        let outcome = work(number);
        if outcome.is_err() {
            stop.store(true, Ordering::Relaxed);
        }
        outcome
    };
    std::thread::scope(|scope| {
        let start = |number| {
            let guarded = &guarded;
            std::thread::Builder::new()
                .name(format!("worker-{number}"))
                .spawn_scoped(scope, move || guarded(number))
                .context("start a worker thread")
        };
        let running = (0..count).map(start).collect::<Vec<Result<_>>>();
        if running.iter().any(Result::is_err) {
            // Those that did start would be waited for without end.
            stop.store(true, Ordering::Relaxed);
        }
        meanwhile();
        let mut outcome = Ok(());
        for worker in running {
            let ended = worker.and_then(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|_| Err(anyhow!("a worker panicked")))
            });
            outcome = outcome.and(ended);
        }
        outcome
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_fails_stops_the_others_and_is_what_is_told() {
        let stop = AtomicBool::new(false);
        let ended = || {
            while !stop.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
        };
        let work = |number| {
            if number == 1 {
                return Err(anyhow!("number 1 fails"));
            }
            ended();
            Ok(())
        };
        let outcome = run(3, &stop, work, ended);
        assert_eq!(outcome.unwrap_err().to_string(), "number 1 fails");
    }
}
