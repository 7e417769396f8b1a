//! A client that asks questions and joins no group.

use std::time::Duration;

use anyhow::Result;
use rdkafka::consumer::BaseConsumer;

use super::client::Link;
use super::connection::Connection;
use super::consumer::{Membership, consumer};

/// How long a client may take to tell what has gathered.
const SERVE: Duration = Duration::from_millis(20);

/// A client that asks questions and joins no group.
pub(crate) type Probe = BaseConsumer<Link>;

/// Makes a client that asks questions. With the settings of the workers' clients, so that a wrong one is told before anything begins.
pub(crate) fn probe(
    connection: &Connection,
    group: &str,
    membership: Option<&Membership>,
) -> Result<Probe> {
    consumer(connection, group, membership, 1_024)?.create()
}

/// Lets a client that nobody reads from tell its errors and ask for its token.
pub(super) fn serve(probe: &Probe) {
    // Without a timeout above zero a poll ends with the first line of the log that it meets. What it returns was left with its context.
    while probe.poll(SERVE).is_some() {}
}
