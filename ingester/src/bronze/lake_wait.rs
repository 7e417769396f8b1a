//! Waiting for the lake: the process is not ready while it takes longer than it should.

use std::time::{Duration, Instant};

use anyhow::Result;
use userflow_process::health::Condition;

/// A commit that takes longer is being tried again: the lake does not answer as it should.
const SLOW_COMMIT: Duration = Duration::from_secs(5);

/// Waits for the lake; the process is not ready while that takes longer than it should.
pub(super) async fn watched<T>(
    work: impl Future<Output = Result<T>>,
    lake: &Condition,
) -> Result<T> {
    let started = Instant::now();
    let mut work = std::pin::pin!(work);
    loop {
        match tokio::time::timeout(SLOW_COMMIT, &mut work).await {
            Ok(outcome) => return outcome,
            Err(_) => lake.unmet(format!(
                "it has not answered for {} s",
                started.elapsed().as_secs()
            )),
        }
    }
}
