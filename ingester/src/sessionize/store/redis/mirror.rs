//! What all connections of the task have: the server, the scripts, the views' shapes, the inbox, and what people are told.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::connect::Server;
use super::inbox::Inbox;
use super::read_back::ReadBack;
use super::scripts::Scripts;
use super::shape::Shape;
use super::trouble::Trouble;
use crate::metrics::SessionizeMetrics;

/// How Redis is.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    Unknown,
    There,
    Away { since: Instant, why: String },
}

/// What a session has from the task.
pub(super) struct Mirror {
    pub(super) server: Server,
    pub(super) topic: String,
    pub(super) scripts: Scripts,
    pub(super) shapes: Vec<Shape>,
    pub(super) source: ReadBack,
    pub(super) inbox: Arc<Inbox>,
    pub(super) condition: Arc<Mutex<Condition>>,
    pub(super) metrics: Arc<SessionizeMetrics>,
}

impl Mirror {
    /// The place of a view among those that stand in Redis.
    pub(super) fn place(&self, view: usize) -> Option<usize> {
        self.shapes.iter().position(|shape| shape.view == view)
    }

    /// Keys that hold something else.
    pub(super) fn refused(&self, rows: i64) {
        if rows > 0 {
            self.metrics.redis_refused.inc_by(rows.unsigned_abs());
            tracing::error!(
                rows,
                "keys of Redis hold something else than the views say (another kind of value): their rows are not written; \
                 remove those keys, or choose others in the view files"
            );
        }
    }

    /// Redis answers.
    pub(super) fn is_there(&self) {
        let condition = &mut *self
            .condition
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match condition {
            Condition::There => return,
            Condition::Unknown => tracing::info!("{} is there", self.server.place()),
            Condition::Away { since, .. } => {
                let away = since.elapsed();
                tracing::info!(
                    "{} is there again, after {away:.1?}; its rows are brought up to date",
                    self.server.place()
                );
            }
        }
        *condition = Condition::There;
        self.metrics.redis_up.set(1);
    }

    /// Something is wrong with it.
    pub(super) fn is_away(&self, trouble: &Trouble) {
        let reason = [trouble.reason()];
        self.metrics.redis_errors.with_label_values(&reason).inc();
        self.metrics.redis_up.set(0);
        let condition = &mut *self
            .condition
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let why = trouble.to_string();
        let (since, said) = match condition {
            Condition::Away { since, why: before } => (*since, *before == why),
            Condition::Unknown | Condition::There => (Instant::now(), false),
        };
        if !said {
            tracing::warn!(
                "{}: {why}; PostgreSQL has every row, and Redis gets them when it is there again",
                self.server.place()
            );
        }
        *condition = Condition::Away { since, why };
    }
}
