//! Whether this release may read a table: what the Delta protocol asks of readers, and what userflow reads.

use futures::TryStreamExt;

use crate::log::{self, Action, read_entry};
use crate::{LakeError, Table};

/// The newest versions of the Delta protocol that delta-rs knows.
const NEWEST_READER: i64 = 3;
const NEWEST_WRITER: i64 = 7;

/// delta-rs fails on a protocol that it does not know as on a torn file. The difference is whether a retry may help.
pub(super) async fn refuse_later_protocol(table: &Table) -> Result<(), LakeError> {
    let folder = log::folder(table);
    let failed = |e| LakeError::store(format!("list the log of {}", table.name()), e);
    let listed: Vec<_> = (table.store().list(Some(&folder)).try_collect().await).map_err(failed)?;
    let versions = listed.iter().rev().filter_map(|object| {
        let name = object.location.filename()?;
        name.strip_suffix(".json")?.parse::<i64>().ok()
    });
    for version in versions {
        let Ok(Some(entry)) = read_entry(table, version).await else {
            continue;
        };
        let protocol = entry.iter().find_map(|action| match action {
            Action::Protocol(protocol) => Some(protocol),
            _ => None,
        });
        let Some(protocol) = protocol else {
            continue;
        };
        let needed = |key: &str| protocol.get(key).and_then(serde_json::Value::as_i64);
        let (reader, writer) = (needed("minReaderVersion"), needed("minWriterVersion"));
        if reader.is_some_and(|version| version > NEWEST_READER)
            || writer.is_some_and(|version| version > NEWEST_WRITER)
        {
            return Err(LakeError::Invalid(format!(
                "table {} needs reader version {} and writer version {} since version {version}, which this release does not know: \
                 use the release or the tool that wrote it",
                table.name(),
                reader.unwrap_or_default(),
                writer.unwrap_or_default()
            )));
        }
        return Ok(());
    }
    Ok(())
}

/// Reading a file as it is would be wrong for a table with deletion vectors or mapped columns, which another writer may
/// have turned on.
pub(super) fn refuse_unknown_features(
    table: &Table,
    state: &deltalake::kernel::EagerSnapshot,
) -> Result<(), LakeError> {
    let reader = state.protocol().min_reader_version();
    let features: Vec<String> = state
        .protocol()
        .reader_features()
        .unwrap_or_default()
        .iter()
        .map(ToString::to_string)
        .collect();
    let harmless = ["timestampNtz", "vacuumProtocolCheck"];
    if reader == 1 || (reader >= 3 && features.iter().all(|f| harmless.contains(&f.as_str()))) {
        return Ok(());
    }
    Err(LakeError::Invalid(format!(
        "table {} needs reader version {reader} with features {features:?}, which userflow does not read; turn them \
         off with the tool that turned them on",
        table.name()
    )))
}
