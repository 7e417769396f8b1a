//! How a message is written: its fields and where their values come from.

use serde::Deserialize;

use super::alternative::Alternative;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Message {
    pub(crate) key: String,
    /// A message is a list, with the event in it.
    #[serde(default)]
    pub(crate) list: bool,
    /// The fields, where all messages have the same form.
    #[serde(default)]
    pub(crate) fields: Vec<Field>,
    /// Else the forms: an event takes the first that fits it.
    #[serde(default)]
    pub(crate) forms: Vec<Form>,
}

/// One way to write a message.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Form {
    pub(crate) name: String,
    pub(crate) on: Option<Vec<String>>,
    pub(crate) needs: Option<String>,
    pub(crate) fields: Vec<Field>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Field {
    /// Its name; items of a list have none.
    #[serde(default)]
    pub(crate) field: String,
    pub(crate) from: Option<String>,
    #[serde(default)]
    pub(crate) id: bool,
    pub(crate) time: Option<TimeForm>,
    pub(crate) measure: Option<Measure>,
    /// The event's time in a way that `time` has no word for.
    pub(crate) moment: Option<Moment>,
    /// One of several values, drawn for each event.
    pub(crate) any: Option<Vec<Alternative>>,
    /// The items of a list.
    pub(crate) list: Option<Vec<Field>>,
    /// The fields of an object.
    pub(crate) fields: Option<Vec<Field>>,
    /// The object is written as a text.
    #[serde(default)]
    pub(crate) text: bool,
    /// The fields of each row of the basket.
    pub(crate) items: Option<Vec<Field>>,
    pub(crate) on: Option<Vec<String>>,
    pub(crate) needs: Option<String>,
    #[serde(default)]
    pub(crate) omit: f64,
}

#[derive(Debug, Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TimeForm {
    Utc,
    Local,
    /// UTC with a blank and without a zone.
    Plain,
    EpochMs,
}

/// How a time is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Moment {
    /// As a number of these.
    pub(crate) epoch: Option<Epoch>,
    #[serde(default)]
    pub(crate) decimals: u32,
    /// The number is written as a text.
    #[serde(default)]
    pub(crate) text: bool,
    /// As a text, in strftime's words, of this zone.
    pub(crate) pattern: Option<String>,
    pub(crate) zone: Option<String>,
    /// So much later than the event.
    #[serde(default)]
    pub(crate) after_ms: [i64; 2],
}

/// The farthest that a time of an event lies from it: a year.
pub(crate) const MOST_AFTER_MS: i64 = 366 * 86_400_000;

#[derive(Debug, Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Epoch {
    S,
    Ms,
    Us,
    Ns,
}

#[derive(Debug, Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Measure {
    Progress,
    Counter,
    ElapsedMs,
    Quantity,
    Total,
}
