//! What versions did to the rows of a table: the change feed that `plan` reads.

use super::action::Action;
use super::entry::read_entry;
use crate::file::DataFile;
use crate::{LakeError, Table};

/// What one version did to the table's rows.
#[derive(Clone, Debug)]
pub struct Change {
    /// The version.
    pub version: i64,
    /// Files that came with rows that were not in the table before (compactions are left out).
    pub added: Vec<DataFile>,
    /// Partitions of files whose rows went away (compactions are left out); `None` for an unreadable partition value.
    pub removed_from: Vec<Option<i32>>,
}

impl Table {
    /// What the versions after `from` up to `to` did to rows; `None` when the log no longer reaches back that far.
    pub async fn changes(&self, from: i64, to: i64) -> Result<Option<Vec<Change>>, LakeError> {
        let mut changes = Vec::new();
        for version in from + 1..=to {
            match read_entry(self, version).await? {
                Some(entry) => changes.push(change(version, &entry)),
                None => return Ok(None),
            }
        }
        Ok(Some(changes))
    }
}

/// The version's changes to rows.
fn change(version: i64, actions: &[Action]) -> Change {
    let mut change = Change {
        version,
        added: Vec::new(),
        removed_from: Vec::new(),
    };
    for action in actions {
        match action {
            Action::Add(add) if add.data_change => change.added.push(add.data_file()),
            Action::Remove(remove) if remove.data_change => {
                change.removed_from.push(remove.partition());
            }
            _ => {}
        }
    }
    change
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Map;

    use super::super::action::{Add, Txn};
    use super::super::entry::{parse_entry, render_entry};
    use super::*;
    use crate::PARTITION;

    #[test]
    fn an_entry_survives_writing_and_reading() {
        let entry = vec![
            Action::CommitInfo(Map::from_iter([("operation".to_owned(), "WRITE".into())])),
            Action::Txn(Txn {
                app_id: "a/b/0".into(),
                version: 7,
            }),
            Action::Add(Add {
                path: "event_date=2026-11-01/x.parquet".into(),
                partition_values: BTreeMap::from([(
                    PARTITION.to_owned(),
                    Some("2026-11-01".to_owned()),
                )]),
                size: 10,
                modification_time: 1,
                data_change: true,
                stats: Some("{\"numRecords\":3}".into()),
            }),
        ];
        let read = parse_entry(&render_entry(&entry).unwrap()).unwrap();
        let change = change(4, &read);
        assert_eq!(change.version, 4);
        assert_eq!(change.added.len(), 1);
        assert_eq!(change.added[0].rows, Some(3));
        // 2026-11-01 is 20,758 days after 1970-01-01: 56 years * 365 + 14 leap days + 304 days into 2026.
        assert_eq!(change.added[0].partition, Some(56 * 365 + 14 + 304));
        assert!(matches!(&read[1], Action::Txn(t) if t.version == 7 && t.app_id == "a/b/0"));
    }

    #[test]
    fn actions_of_other_writers_are_passed_over() {
        let read = parse_entry(
            b"{\"domainMetadata\":{\"domain\":\"d\",\"configuration\":\"\",\"removed\":false}}\n\n\
              {\"remove\":{\"path\":\"a%20b\",\"dataChange\":true}}",
        )
        .unwrap();
        assert!(matches!(&read[0], Action::Other(_)));
        assert_eq!(change(0, &read).removed_from, vec![None]);
    }
}
