//! Putting the entry of a version if there is none, and finding out what came of it.
//!
//! An answer of the store is not believed, unless it is yes: a request that failed may have been carried out, one that was
//! refused may have been refused because of its own first attempt, and one that ran out of time may still be carried out. Every
//! entry carries a batch id, and after every other answer the log is read: it alone says what is so.
//!
//! | what the store says | what the log says | what follows |
//! |---|---|---|
//! | anything | our entry | committed |
//! | anything | another's entry | the guard decides; the next version |
//! | a transient error (`retry.rs`), or "it exists" | no entry | wait, put again: the same name, so it counts once |
//! | a permanent error (read-only, no rights) | no entry | not committed |
//! | nothing, until the attempts end | | an error: whoever gets it reads the table again before it goes on |
//!
//! The last row is the only one in which a commit may have been made, or may still be. Nobody is misled: a retry is computed from the
//! table as it is then, and both want the same version, which only one of them gets.

use object_store::{ObjectStore, PutMode, PutOptions};

use super::entry::Entry;
use crate::log::{Action, entry_path, read_entry_once};
use crate::retry::{Attempts, is_transient};
use crate::{LakeError, Table, failpoint};

/// What a version's entry is.
pub(super) enum Put {
    Ours,
    Theirs(Vec<Action>),
}

/// Puts an entry if there is none, and finds out what came of it.
pub(super) async fn put(
    table: &Table,
    version: i64,
    entry: &Entry,
    attempts: &mut Attempts,
) -> Result<Put, LakeError> {
    let path = entry_path(table, version);
    loop {
        let create = PutOptions::from(PutMode::Create);
        let put = (table.store_once()).put_opts(&path, entry.bytes.clone().into(), create);
        let Err(error) = failpoint::during("lake.entry-under-way", put).await else {
            failpoint::reached("lake.entry-stored");
            return Ok(Put::Ours);
        };
        let failed = |e| LakeError::store(format!("commit to {}", table.name()), e);
        let why = match read_entry_once(table, version).await {
            Ok(Some(found)) if entry.is(&found) => return Ok(Put::Ours),
            Ok(Some(found)) => return Ok(Put::Theirs(found)),
            Ok(None) if is_transient(&error) => error.to_string(),
            Ok(None) if is_taken(&error) => {
                // A write that is still under way, ours or another's; or a store whose answers contradict one another.
                format!("version {version} exists, the store says, and cannot be found")
            }
            Ok(None) => return Err(failed(error)),
            Err(unread) => format!("{error}; {unread}"),
        };
        let why = format!("commit to {}: {why}", table.name());
        if !attempts.again(&why).await {
            return Err(failed(error));
        }
    }
}

/// "There is something already", in the words of different stores.
fn is_taken(error: &object_store::Error) -> bool {
    matches!(
        error,
        object_store::Error::AlreadyExists { .. }
            | object_store::Error::Precondition { .. }
            | object_store::Error::NotModified { .. }
    )
}
