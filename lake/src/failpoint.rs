//! Points at which a test ends the process, to see that what is left behind is right.
//!
//! The product has none of this: without the feature `failpoints` both functions do nothing. `tests/run` builds the binaries once more with
//! it, into `target/failpoints`. There `USERFLOW_TEST_FAILPOINT=lake.entry-stored:2` ends the process the second time that the point is
//! reached, as abruptly as SIGKILL: nothing is flushed, closed or said to anybody.
//!
//! It is here because both binaries commit through this crate. And it is the one place beside `config.rs` that reads the environment: as a
//! setting it would be in the help of a product that does not have it.

/// Every point, by the part that it is in. `tests/tests/it/failpoints` walks those of `lake`, `ingest`, `load`, `sessionize` and `replay`,
/// `jobs/tests/it/failpoints.rs` those of `lake` and `jobs`, `jobs/tests/it/publish.rs` those of `publish`; a point that a walk does not reach fails it.
///
/// "Under way" is reached at each step of an operation, before anybody sees its answer: each time a little further in it.
pub const POINTS: [&str; 38] = [
    "lake.file-under-way",
    "lake.file-stored",
    "lake.entry-under-way",
    "lake.entry-stored",
    "lake.checkpoint-under-way",
    "lake.checkpoint-stored",
    "lake.vacuum-under-way",
    "lake.vacuumed",
    "ingest.assigned",
    "ingest.polled",
    "ingest.encoded",
    "ingest.file-finished",
    "ingest.quarantined",
    "ingest.committed",
    "load.surveyed",
    "load.pushed",
    "load.committed",
    "sessionize.claimed",
    "sessionize.restored",
    "sessionize.rows-taken",
    "sessionize.write-under-way",
    "sessionize.written",
    "sessionize.state-taken",
    "sessionize.state-under-way",
    "sessionize.state-kept",
    "sessionize.old-states-removed",
    "jobs.files-written",
    "jobs.judged",
    "jobs.published",
    "jobs.model-done",
    "jobs.merge-written",
    "jobs.merged",
    "replay.stored",
    "replay.landed",
    "publish.staged",
    "publish.merged",
    "publish.committed",
    "publish.copied",
];

pub use imp::{during, reached};

#[cfg(not(feature = "failpoints"))]
mod imp {
    /// Says that a point has been reached.
    #[inline(always)]
    pub fn reached(_point: &'static str) {}

    /// The future; the point is reached at each of its steps, also the last.
    #[inline(always)]
    pub fn during<F: Future>(_point: &'static str, future: F) -> F {
        future
    }
}

#[cfg(feature = "failpoints")]
mod imp {
    use std::io::Write;
    use std::pin::pin;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::POINTS;

    /// Where to end, and how many times that is still passed over.
    struct Wanted {
        point: String,
        left: AtomicU64,
    }

    static WANTED: OnceLock<Option<Wanted>> = OnceLock::new();

    /// Says that a point has been reached; ends the process if a test wants that.
    pub fn reached(point: &'static str) {
        assert!(
            POINTS.contains(&point),
            "the point {point} is not in failpoint.rs"
        );
        let Some(wanted) = WANTED.get_or_init(wanted) else {
            return;
        };
        if wanted.point == point && wanted.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            // What the test reads; an error here changes nothing about the end.
            let _ = writeln!(std::io::stderr(), "failpoint {point}");
            std::process::abort();
        }
    }

    /// The future; the point is reached at each of its steps, also the last: a short one may have no other.
    pub async fn during<F: Future>(point: &'static str, future: F) -> F::Output {
        let mut future = pin!(future);
        std::future::poll_fn(|context| {
            let polled = future.as_mut().poll(context);
            reached(point);
            polled
        })
        .await
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "not a setting of the product, see the head of this file"
    )]
    fn wanted() -> Option<Wanted> {
        let text = std::env::var("USERFLOW_TEST_FAILPOINT").ok()?;
        let (point, times) = text.split_once(':').unwrap_or((&text, "1"));
        let times = times.parse().ok().filter(|times| *times > 0);
        assert!(
            POINTS.contains(&point),
            "USERFLOW_TEST_FAILPOINT={text}: no such point"
        );
        Some(Wanted {
            point: point.to_owned(),
            left: AtomicU64::new(times.expect("USERFLOW_TEST_FAILPOINT is NAME or NAME:TIMES")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_is_one_that_a_test_walks() {
        let walked = [
            "lake",
            "ingest",
            "load",
            "sessionize",
            "jobs",
            "replay",
            "publish",
        ];
        for (number, point) in POINTS.iter().enumerate() {
            let (part, _) = point.split_once('.').unwrap();
            assert!(walked.contains(&part), "{point}: no test walks {part}");
            assert!(!POINTS[..number].contains(point), "{point} is there twice");
        }
    }
}
