//! What the commands that come next need to know of the sample.

use chrono::NaiveDate;

/// Where the sample came from, as the commands that come next name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin<'a> {
    File(&'a str),
    Topic(&'a str),
}

/// What the commands that come next say of the sample.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Next<'a> {
    pub(crate) from: Origin<'a>,
    /// The folder of the domains, if it is not the usual one.
    pub(crate) models: Option<&'a str>,
    /// A day that the sample has events of.
    pub(crate) date: NaiveDate,
}
