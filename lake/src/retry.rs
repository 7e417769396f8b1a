//! Which errors of a store are transient, and how often and how long the lake retries before it gives up.
//!
//! Every request ends: one without an answer after [`RetryPolicy::request_timeout`] is an error.

use std::error::Error as _;
use std::future::Future;
use std::time::{Duration, Instant};

use object_store::{Error, Result};

/// How long to ask again. The default waits about 23 seconds between ten requests.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Requests before giving up.
    pub attempts: u32,
    /// The first wait; each further one is twice as long, give or take a half so that writers do not meet again.
    pub initial_backoff: Duration,
    /// The longest wait between two requests.
    pub max_backoff: Duration,
    /// A request without an answer for so long has failed.
    pub request_timeout: Duration,
    /// No further attempt is made after this time, however many are left.
    pub deadline: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 10,
            initial_backoff: Duration::from_millis(50),
            max_backoff: Duration::from_secs(10),
            request_timeout: Duration::from_mins(1),
            deadline: Duration::from_mins(5),
        }
    }
}

impl RetryPolicy {
    /// Begins to count attempts.
    pub(crate) fn start(self) -> Attempts {
        Attempts {
            policy: self,
            made: 0,
            since: Instant::now(),
        }
    }

    /// Asks until there is an answer that waiting does not change.
    pub(crate) async fn ask<T, A>(
        self,
        verb: &'static str,
        place: &str,
        mut request: impl FnMut() -> A,
    ) -> Result<T>
    where
        A: Future<Output = Result<T>>,
    {
        let mut attempts = self.start();
        loop {
            match self.once(request()).await {
                Err(error) if is_transient(&error) => {
                    let why = format!("{verb} {place}: {error}");
                    if !attempts.again(&why).await {
                        return Err(error);
                    }
                }
                answer => return answer,
            }
        }
    }

    /// One request, with an end.
    pub(crate) async fn once<T>(self, request: impl Future<Output = Result<T>>) -> Result<T> {
        let answer = tokio::time::timeout(self.request_timeout, request).await;
        answer.unwrap_or_else(|_| {
            Err(Error::Generic {
                store: "lake",
                source: format!("no answer for {} s", self.request_timeout.as_secs()).into(),
            })
        })
    }
}

/// Attempts made so far.
#[derive(Debug)]
pub(crate) struct Attempts {
    policy: RetryPolicy,
    made: u32,
    since: Instant,
}

impl Attempts {
    /// After an attempt that failed: says why, waits, and returns true if there is to be another one.
    pub(crate) async fn again(&mut self, why: &str) -> bool {
        self.made += 1;
        if self.made >= self.policy.attempts || self.is_late() {
            return false;
        }
        let wait = self
            .policy
            .initial_backoff
            .saturating_mul(1 << (self.made - 1).min(20))
            .min(self.policy.max_backoff);
        tracing::warn!(
            attempt = self.made,
            "the store did not do as asked, asking again in {wait:?}: {why}"
        );
        tokio::time::sleep(wait.mul_f64(0.5 + fastrand::f64())).await;
        true
    }

    /// Something moved: count from the start again, but for the deadline.
    pub(crate) fn progress(&mut self) {
        self.made = 0;
    }

    /// Whether the deadline has passed.
    pub(crate) fn is_late(&self) -> bool {
        self.since.elapsed() >= self.policy.deadline
    }
}

/// Whether the same request may get another answer by waiting. What is not known to be for good may.
pub(crate) fn is_transient(error: &Error) -> bool {
    match error {
        Error::Generic { .. } => !is_permanent(error),
        Error::JoinError { .. } => true,
        _ => false,
    }
}

/// A folder that is read-only or of another user stays so. A full disk or too many open files may pass.
fn is_permanent(error: &Error) -> bool {
    use std::io::ErrorKind::{NotADirectory, PermissionDenied, ReadOnlyFilesystem};
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<std::io::Error>()
            && matches!(
                io.kind(),
                PermissionDenied | ReadOnlyFilesystem | NotADirectory
            )
        {
            return true;
        }
        cause = inner.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waiting_does_not_change_is_not_asked_again() {
        let io = |kind| Error::Generic {
            store: "LocalFileSystem",
            source: std::io::Error::from(kind).into(),
        };
        assert!(is_transient(&io(std::io::ErrorKind::StorageFull)));
        assert!(is_transient(&io(std::io::ErrorKind::TimedOut)));
        assert!(!is_transient(&io(std::io::ErrorKind::ReadOnlyFilesystem)));
        assert!(!is_transient(&io(std::io::ErrorKind::PermissionDenied)));
        assert!(!is_transient(&Error::NotImplemented {
            operation: "x".into(),
            implementer: "y".into()
        }));
    }

    #[tokio::test]
    async fn retrying_ends() {
        let policy = RetryPolicy {
            attempts: 4,
            initial_backoff: Duration::from_micros(1),
            ..RetryPolicy::default()
        };
        let mut asked = 0;
        let answer: Result<()> = policy
            .ask("test", "", || {
                asked += 1;
                std::future::ready(Err(Error::Generic {
                    store: "test",
                    source: "503".into(),
                }))
            })
            .await;
        assert!(answer.is_err());
        assert_eq!(asked, 4);
    }
}
