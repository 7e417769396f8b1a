//! The check that counts by a query of its own, over the rows and the refused messages, and shows examples by another.

use userflow_models::bronze::{IDENTITY, REPLAYED_AT};

use super::names::{LANDED, QUARANTINE, ROWS};
use crate::functions::IS_JSON_OBJECT;

/// One row: total and failed.
pub(in crate::quality) fn counts(query: &str, refused: bool) -> String {
    over(
        refused,
        "cast(total as bigint) as total, cast(failed as bigint) as failed",
        query,
    )
}

/// Records that fail, as its other query gives them; all of them and in no order.
pub(in crate::quality) fn examples(sample: &str, refused: bool) -> String {
    over(refused, "*", sample)
}

/// A query over the rows and the messages.
fn over(refused: bool, columns: &str, query: &str) -> String {
    let refused = match refused {
        true => format!(", refused as ({})", waiting()),
        false => String::new(),
    };
    format!(
        "with judged as (select * from {ROWS}){refused} select {columns} from ({query}) as counted"
    )
}

/// The messages of the quarantine that were not landed since, each with whether it is a JSON object at all.
fn waiting() -> String {
    let identity = IDENTITY.join(", ");
    let same = IDENTITY.map(|name| format!("(landed.{name} is not distinct from refused.{name})"));
    format!(
        "select refused.*, {IS_JSON_OBJECT}(refused.raw) as is_object from {QUARANTINE} as refused \
         left anti join (select {identity} from {LANDED} where {REPLAYED_AT} is not null) as landed on {}",
        same.join(" and ")
    )
}
