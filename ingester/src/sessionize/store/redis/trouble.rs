//! What can be wrong with Redis. Nothing of it stops anything else: the task waits and tries again.

use std::time::Duration;

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// The words for it: labels of a metric.
pub(in super::super::super) const REASONS: [&str; 8] = [
    "unreachable",
    "silent",
    "read_only",
    "out_of_memory",
    "refused",
    "lost_rows",
    "cluster",
    "postgresql",
];

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("{0}")]
    Redis(#[from] RedisError),
    #[error("no answer within {0:?}")]
    Silent(Duration),
    #[error("its rows are gone: it was flushed, or a server without them took over")]
    Lost,
    #[error("another server answers than before, or the same after a restart")]
    Moved,
    #[error("it knows a later owner of a partition, and PostgreSQL does not say whose it is: {0}")]
    Unsure(sqlx::Error),
    #[error(
        "it is a Redis Cluster, where a script has the keys of one slot only, and ours checks the owner of a row beside it: use a Redis \
         without cluster mode"
    )]
    Cluster,
}

impl Trouble {
    /// One of [`REASONS`].
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Silent(_) => "silent",
            Self::Lost | Self::Moved => "lost_rows",
            Self::Cluster => "cluster",
            Self::Unsure(_) => "postgresql",
            Self::Redis(error) if error.is_timeout() => "silent",
            Self::Redis(error) if error.code() == Some("OOM") => "out_of_memory",
            Self::Redis(error) => match error.kind() {
                ErrorKind::Io => "unreachable",
                ErrorKind::Server(ServerErrorKind::ReadOnly) => "read_only",
                ErrorKind::AuthenticationFailed => "refused",
                _ if error.is_unrecoverable_error() => "unreachable",
                _ => "refused",
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_password_is_a_refusal_and_no_answer_is_none() {
        let reason = |kind: ErrorKind| Trouble::Redis(RedisError::from((kind, "said"))).reason();
        assert_eq!(reason(ErrorKind::AuthenticationFailed), "refused");
        assert_eq!(reason(ErrorKind::Io), "unreachable");
        let read_only = ErrorKind::Server(ServerErrorKind::ReadOnly);
        assert_eq!(reason(read_only), "read_only");
    }
}
