//! The partition column and its values: a UTC date, as a number of days in memory and as text in the log and in paths.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use chrono::NaiveDate;

/// The partition column of every table in the lake: a UTC date.
pub const PARTITION: &str = "event_date";

/// 0001-01-01 to 9999-12-31, in days since 1970-01-01: the dates that every reader of a table can write.
pub(crate) const DATES: RangeInclusive<i32> = -719_162..=2_932_896;

/// Days since 1970-01-01 of `YYYY-MM-DD`.
pub(crate) fn date_of(text: &str) -> Option<i32> {
    let date: NaiveDate = text.parse().ok()?;
    i32::try_from(date.signed_duration_since(NaiveDate::default()).num_days()).ok()
}

/// `YYYY-MM-DD` of days since 1970-01-01. What is written is one of [`DATES`]; a table of an older release can hold others, which keep
/// their text.
pub(crate) fn date_text(days: i32) -> String {
    let date = NaiveDate::from_epoch_days(days);
    date.expect("a date that was written or parsed").to_string()
}

/// The partition values of a file, as the log writes them.
pub(crate) fn partition_values(partition: Option<i32>) -> BTreeMap<String, Option<String>> {
    BTreeMap::from([(PARTITION.to_owned(), partition.map(date_text))])
}

/// The date among a file's partition values; `None` when it is null or no date.
pub(crate) fn partition_of(values: &BTreeMap<String, Option<String>>) -> Option<i32> {
    values
        .get(PARTITION)
        .and_then(Option::as_deref)
        .and_then(date_of)
}
