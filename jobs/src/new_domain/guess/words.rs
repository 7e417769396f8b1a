//! The names that producers give to the five roles, each with how surely it means the role. Names of fields only: what stands in them is
//! judged in `roles`.

use super::field::Field;
use super::names;

/// Words for somebody, beside those that end as such words do in English.
const SOMEONE: [&str; 6] = ["guest", "client", "account", "person", "subject", "profile"];
/// Words that end so and mean nobody.
const NOBODY: [&str; 32] = [
    "answer",
    "author",
    "banner",
    "browser",
    "carrier",
    "center",
    "color",
    "computer",
    "counter",
    "error",
    "filter",
    "folder",
    "footer",
    "header",
    "identifier",
    "layer",
    "letter",
    "number",
    "offer",
    "order",
    "other",
    "pointer",
    "power",
    "provider",
    "publisher",
    "referer",
    "referrer",
    "sensor",
    "server",
    "tracker",
    "vendor",
    "voucher",
];

/// Whether a word names somebody who does something: user, visitor, customer.
fn is_someone(word: &str) -> bool {
    let does = (word.ends_with("er") || word.ends_with("or")) && word.len() > 3;
    does && !NOBODY.contains(&word) || SOMEONE.contains(&word)
}

/// The part that a field plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    EventType,
    EventTime,
    User,
    Session,
    EventId,
}

impl Role {
    /// For people.
    pub(crate) fn described(self) -> &'static str {
        match self {
            Self::EventType => "what happened",
            Self::EventTime => "when it happened",
            Self::User => "who did it",
            Self::Session => "the session",
            Self::EventId => "the event's id",
        }
    }

    /// The flag that names the field.
    pub(crate) fn flag(self) -> &'static str {
        match self {
            Self::EventType => "--type",
            Self::EventTime => "--time",
            Self::User => "--user",
            Self::Session => "--session",
            Self::EventId => "--id",
        }
    }

    /// Whole names, in words.
    fn names(self) -> &'static [(&'static str, f64)] {
        match self {
            Self::EventType => &[
                ("event type", 1.0),
                ("event name", 0.97),
                ("event", 0.95),
                ("action", 0.9),
                ("action type", 0.9),
                ("event action", 0.9),
                ("verb", 0.8),
                ("activity type", 0.8),
                ("type", 0.75),
                ("activity", 0.7),
                ("interaction", 0.7),
                ("kind", 0.6),
                ("name", 0.5),
                ("event category", 0.4),
                ("category", 0.3),
                ("method", 0.3),
                ("status", 0.25),
                ("state", 0.25),
            ],
            Self::EventTime => &[
                ("event timestamp", 1.0),
                ("event time", 1.0),
                ("derived tstamp", 0.97),
                ("timestamp", 0.95),
                ("occurred at", 0.95),
                ("event at", 0.95),
                ("happened at", 0.95),
                ("time", 0.9),
                ("ts", 0.9),
                ("datetime", 0.85),
                ("date time", 0.85),
                ("collector tstamp", 0.85),
                ("at", 0.8),
                ("created at", 0.75),
                ("dvce created tstamp", 0.7),
                ("original timestamp", 0.7),
                ("date", 0.6),
                ("when", 0.6),
            ],
            Self::User => &[
                ("user id", 1.0),
                ("distinct id", 0.95),
                ("customer id", 0.95),
                ("user pseudo id", 0.95),
                ("domain userid", 0.92),
                ("domain user id", 0.92),
                ("userid", 0.95),
                ("uid", 0.9),
                ("user", 0.9),
                ("member id", 0.9),
                ("member no", 0.85),
                ("visitor id", 0.85),
                ("anonymous id", 0.85),
                ("person id", 0.85),
                ("customer", 0.85),
                ("user name", 0.8),
                ("username", 0.8),
                ("login", 0.7),
                ("client id", 0.75),
                ("account id", 0.75),
                ("account", 0.7),
                ("device id", 0.6),
                ("network userid", 0.6),
                ("email", 0.5),
                ("who", 0.5),
                ("subject", 0.5),
            ],
            Self::Session => &[
                ("session id", 1.0),
                ("domain sessionid", 0.95),
                ("sessionid", 0.95),
                ("ga session id", 0.9),
                ("visit id", 0.9),
                ("session", 0.85),
                ("session key", 0.85),
                ("sid", 0.6),
                ("visit", 0.6),
            ],
            Self::EventId => &[
                ("event id", 1.0),
                ("message id", 0.97),
                ("event uuid", 0.97),
                ("insert id", 0.95),
                ("uuid", 0.9),
                ("id", 0.8),
                ("guid", 0.8),
                ("ulid", 0.8),
                ("hit id", 0.8),
                ("record id", 0.7),
                ("log id", 0.7),
            ],
        }
    }

    /// A name by one of its words, where the whole is not known.
    fn by_part(self, words: &[String]) -> f64 {
        let has = |word: &str| words.iter().any(|other| other == word);
        let last = words.last().map_or("", String::as_str);
        let someone = words.iter().any(|word| is_someone(word));
        match self {
            Self::EventType if has("event") && ["type", "name", "action"].contains(&last) => 0.8,
            Self::EventTime if last == "at" => 0.8,
            Self::EventTime if ["timestamp", "tstamp", "ts"].contains(&last) => 0.65,
            Self::EventTime if last == "time" => 0.6,
            Self::User
                if (has("user") || has("customer")) && ["id", "no", "key"].contains(&last) =>
            {
                0.85
            }
            Self::User if someone && ["id", "no", "key"].contains(&last) => 0.8,
            Self::User if someone || last == "userid" => 0.7,
            Self::Session if has("session") && ["id", "key", "uuid"].contains(&last) => 0.85,
            Self::EventId if has("event") && ["uuid", "guid", "key"].contains(&last) => 0.8,
            _ => 0.0,
        }
    }

    /// Words that make a name mean something else.
    fn unlike(self, words: &[String]) -> bool {
        let others: &[&str] = match self {
            Self::EventTime => &[
                "sent",
                "received",
                "ingested",
                "ingest",
                "inserted",
                "etl",
                "load",
                "loaded",
                "processed",
                "first",
                "last",
                "previous",
                "prev",
                "birth",
                "expires",
                "expired",
                "expiry",
                "updated",
                "modified",
                "registered",
                "signup",
                "published",
                "release",
            ],
            Self::Session => &[
                "idx", "index", "number", "count", "start", "started", "engaged", "duration",
                "time", "length", "is",
            ],
            Self::User => &["agent", "type", "count", "segment", "status", "properties"],
            Self::EventType | Self::EventId => &[],
        };
        words.iter().any(|word| others.contains(&word.as_str()))
    }

    /// How surely the field's name means the role, 0 to 1: by its last key, or by that and the one before.
    pub(super) fn by_name(self, field: &Field) -> f64 {
        let keys = &field.path;
        let last = names::words(field.key());
        let both = match keys.len().checked_sub(2) {
            Some(parent) => [names::words(&keys[parent]), last.clone()].concat(),
            None => Vec::new(),
        };
        let known = |words: &[String]| {
            let name = words.join(" ");
            let whole = self.names().iter().find(|(known, _)| *known == name);
            whole.map_or_else(|| self.by_part(words), |(_, score)| *score)
        };
        let score = known(&last).max(if both.is_empty() { 0.0 } else { known(&both) });
        let depth = i32::try_from(keys.len() - 1).unwrap_or(i32::MAX);
        let inside = match self {
            // Inside an object, `id` is that of the object and `type` its kind.
            Self::EventId => 0.6_f64.powi(depth),
            Self::EventType => 0.8_f64.powi(depth),
            _ => 0.95_f64.powi(depth),
        };
        let unlike = if self.unlike(&last) { 0.4 } else { 1.0 };
        score * inside * unlike
    }
}
