//! What is seen while it goes on: a bar on a terminal, a line in the log every ten seconds elsewhere.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use userflow_process::workers::{self, Stop};

const LOOK: Duration = Duration::from_millis(20);
const LINE: Duration = Duration::from_secs(10);

/// Runs `work` on so many threads and shows meanwhile how many of `total` bytes have been read.
pub(super) fn run(
    threads: usize,
    stop: &Stop,
    what: &'static str,
    (counted, total): (&Arc<AtomicU64>, u64),
    work: impl Fn(usize) -> Result<()> + Sync,
) -> Result<()> {
    let ended = AtomicUsize::new(0);
    let work = |number| {
        let _ended = Ended(&ended);
        work(number)
    };
    counted.store(0, Ordering::Relaxed);
    workers::run(threads, stop, work, || {
        let bar = bar(what, total);
        let (began, mut said) = (Instant::now(), Instant::now());
        while ended.load(Ordering::Acquire) < threads {
            let read = counted.load(Ordering::Relaxed);
            bar.set_position(read.min(total));
            if bar.is_hidden() && said.elapsed() >= LINE {
                said = Instant::now();
                let seconds = began.elapsed().as_secs_f64();
                let per_second = read as f64 / seconds / 1e6;
                tracing::info!(
                    read_mb = read >> 20,
                    of_mb = total >> 20,
                    mb_per_second = format!("{per_second:.1}"),
                    "{what}"
                );
            }
            std::thread::sleep(LOOK);
        }
        bar.finish_and_clear();
    })
}

/// Says that a worker has ended, also when it panics.
struct Ended<'a>(&'a AtomicUsize);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

fn bar(what: &'static str, total: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template(
        "{msg} {wide_bar} {percent:>3}% of {total_bytes}, {bytes_per_sec}, {eta} left",
    );
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_message(what)
}
