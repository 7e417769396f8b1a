//! What a run did, by kind: the truth that a pipeline's results are compared with.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// The summary of a run; as JSON, the content of --summary.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The domain played.
    pub domain: String,
    /// The seed.
    pub seed: u64,
    /// First moment of the run, RFC 3339.
    pub start: String,
    /// End of the run: every valid event time lies before it. None for a run paced by --rate alone.
    pub end: Option<String>,
    /// Messages sent in all: events + duplicates + garbage.
    pub messages: u64,
    /// Bytes of all messages, without keys and line ends.
    pub bytes: u64,
    /// Valid events, each counted once.
    pub events: u64,
    /// Of them, how many are of each step (for a domain whose steps are its event types: by event type).
    pub events_by_type: BTreeMap<String, u64>,
    /// Of them, how many have their time on each UTC date.
    pub events_by_date: BTreeMap<String, u64>,
    /// Events sent a second time.
    pub duplicates: u64,
    /// Events that arrived minutes after they happened.
    pub late: u64,
    /// Events that arrived after their successor.
    pub out_of_order: u64,
    /// Unusable messages in all.
    pub garbage: u64,
    /// By kind of the script.
    pub garbage_by_kind: BTreeMap<String, u64>,
    /// By the reason with which a decoder must turn them away.
    pub garbage_by_reason: BTreeMap<String, u64>,
    /// Events that the contract accepts and that are wrong all the same.
    pub damaged: u64,
    /// By kind of the script.
    pub damaged_by_kind: BTreeMap<String, u64>,
    /// Sessions.
    pub sessions: u64,
    /// Sessions by how they ended.
    pub sessions_by_outcome: BTreeMap<String, u64>,
    /// Sessions by the UTC date of their first event.
    pub sessions_by_date: BTreeMap<String, u64>,
    /// Sessions with events on both sides of a UTC midnight.
    pub sessions_over_midnight: u64,
    /// Visits: one session, or several in a row.
    pub visits: u64,
    /// Visits of several sessions.
    pub binges: u64,
    /// Users with at least one session.
    pub users: u64,
    /// Earliest time of a valid event.
    pub first_event_time: Option<String>,
    /// Latest time of a valid event.
    pub last_event_time: Option<String>,
    /// Simulated time at which the first message was sent.
    pub first_sent: Option<String>,
    /// Simulated time at which the last message was sent.
    pub last_sent: Option<String>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line =
            |f: &mut fmt::Formatter<'_>, name: &str, count: u64, parts: &BTreeMap<String, u64>| {
                let parts: Vec<String> = parts
                    .iter()
                    .map(|(name, count)| format!("{name} {count}"))
                    .collect();
                writeln!(f, "  {name:<14} {count:>12}  {}", parts.join(", "))
            };
        let none = BTreeMap::new();
        let range = |from: &Option<String>, to: &Option<String>| {
            format!(
                "{} to {}",
                from.as_deref().unwrap_or("-"),
                to.as_deref().unwrap_or("-")
            )
        };
        writeln!(f, "simulated {} with seed {}", self.domain, self.seed)?;
        line(f, "messages", self.messages, &none)?;
        line(f, "events", self.events, &self.events_by_type)?;
        line(f, "duplicates", self.duplicates, &none)?;
        line(f, "garbage", self.garbage, &self.garbage_by_kind)?;
        line(f, "damaged", self.damaged, &self.damaged_by_kind)?;
        line(f, "late", self.late, &none)?;
        line(f, "out of order", self.out_of_order, &none)?;
        line(f, "sessions", self.sessions, &self.sessions_by_outcome)?;
        line(f, "over midnight", self.sessions_over_midnight, &none)?;
        line(f, "binges", self.binges, &none)?;
        line(f, "users", self.users, &none)?;
        line(f, "bytes", self.bytes, &none)?;
        writeln!(
            f,
            "  {:<14} {}",
            "event times",
            range(&self.first_event_time, &self.last_event_time)
        )?;
        writeln!(
            f,
            "  {:<14} {}",
            "sent",
            range(&self.first_sent, &self.last_sent)
        )
    }
}
