//! Files that are stored and not committed yet, and vacuum, which removes files that no version knows: how the two never meet.
//!
//! Vacuum takes a file that the log does not know for an orphan when it is older than [`ORPHAN_AGE`], at the least. A commit whose
//! files are younger than [`YOUNG`] has nothing to fear from it: between the two lies more time than a commit may take. A commit that
//! comes later (a query that ran for an hour) takes the table's upkeep lock, which vacuum holds while it looks and removes, and
//! makes sure that its files are still there. If one is not, the commit is refused and its rows are computed again.

use std::time::{Duration, Instant};

use object_store::ObjectStoreExt;

use crate::file::NewFile;
use crate::lock::TableLock;
use crate::{CommitError, LakeError, Table};

/// The least age at which a file that no version knows counts as an orphan.
pub(crate) const ORPHAN_AGE: Duration = Duration::from_hours(1);

/// Files that have been stored for less than this can be committed without the lock.
const YOUNG: Duration = Duration::from_mins(30);

/// How long a commit waits for upkeep to end.
const LOCK_TIMEOUT: Duration = Duration::from_mins(10);
const LOCK_POLL: Duration = Duration::from_millis(200);

/// The files of one commit.
pub(crate) struct UncommittedFiles<'a> {
    table: &'a Table,
    files: &'a [NewFile],
    safe: Safe,
}

/// What keeps vacuum away.
enum Safe {
    /// Their age, as long as it is small.
    Young,
    /// The caller's lock; they have not been looked at yet.
    Callers,
    /// A lock: the caller's (none here) or ours. They were there when it was taken.
    Locked(Option<TableLock>),
}

impl<'a> UncommittedFiles<'a> {
    pub(crate) fn new(table: &'a Table, files: &'a [NewFile]) -> Self {
        let safe = Safe::Young;
        Self { table, files, safe }
    }

    /// For a caller who holds the table's lock for as long as this lives.
    pub(crate) fn under(table: &'a Table, files: &'a [NewFile], _lock: &'a TableLock) -> Self {
        let safe = Safe::Callers;
        Self { table, files, safe }
    }

    /// Makes sure that the files are there, and stay for long enough to be committed.
    pub(crate) async fn still_there(&mut self, version: i64) -> Result<(), CommitError> {
        let young = self.files.iter().all(|file| file.age.elapsed() < YOUNG);
        match &self.safe {
            Safe::Locked(_) => return Ok(()),
            Safe::Young | Safe::Callers if young => return Ok(()),
            Safe::Young => self.safe = Safe::Locked(Some(self.lock().await?)),
            Safe::Callers => self.safe = Safe::Locked(None),
        }
        for file in self.files {
            self.look(file, version).await?;
        }
        Ok(())
    }

    async fn lock(&self) -> Result<TableLock, LakeError> {
        let since = Instant::now();
        loop {
            if let Some(lock) = self.table.lock().await? {
                return Ok(lock);
            }
            if since.elapsed() > LOCK_TIMEOUT {
                return Err(LakeError::store(
                    format!("commit to {}", self.table.name()),
                    "its upkeep lock has been held for ten minutes (`maintain` on another machine?)",
                ));
            }
            tokio::time::sleep(LOCK_POLL).await;
        }
    }

    async fn look(&self, file: &NewFile, version: i64) -> Result<(), CommitError> {
        match (self.table.store())
            .head(&self.table.full_path(&file.path))
            .await
        {
            Ok(_) => Ok(()),
            Err(object_store::Error::NotFound { .. }) => Err(CommitError::Conflict {
                table: self.table.name().to_string(),
                version,
                why: format!(
                    "{} was stored {} minutes ago and has been removed since",
                    file.path,
                    file.age.elapsed().as_secs() / 60
                ),
            }),
            Err(e) => {
                Err(LakeError::store(format!("look for {} before its commit", file.path), e).into())
            }
        }
    }

    /// The commit has been made, or has failed.
    pub(crate) async fn done(self) {
        if let Safe::Locked(Some(lock)) = self.safe
            && let Err(e) = lock.release().await
        {
            tracing::warn!(
                "the lock of {} stays until it expires: {e}",
                self.table.name()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};
    use std::sync::Arc;

    use arrow::array::{Int64Array, RecordBatch};
    use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
    use serde_json::Map;

    use super::*;
    use crate::{
        Commit, DataFile, FileWriter, Guard, Lake, PARTITION, TableName, TableSpec, WriteSettings,
    };

    const HOUR: Duration = Duration::from_hours(1);

    fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![
            Field::new("id", DataType::Int64, true),
            Field::new(PARTITION, DataType::Date32, true),
        ]))
    }

    async fn table(folder: &tempfile::TempDir) -> Table {
        let lake = Lake::open(folder.path().to_str().unwrap()).await.unwrap();
        let name = TableName::parse("bronze.events").unwrap();
        let table = lake.table(&name);
        let spec = TableSpec {
            name,
            description: String::new(),
            schema: schema(),
            append_only: false,
        };
        table.create(&spec).await.unwrap();
        table
    }

    /// A stored file, as if it had been stored some time ago.
    async fn stored(folder: &tempfile::TempDir, table: &Table, ago: Duration) -> NewFile {
        let columns = crate::Table::file_schema(&schema());
        let batch = RecordBatch::try_new(
            columns.clone(),
            vec![Arc::new(Int64Array::from(vec![1, 2]))],
        )
        .unwrap();
        let mut writer = FileWriter::new(&columns, &WriteSettings::default()).unwrap();
        writer.write(&batch).unwrap();
        let mut file = table.put(writer.finish().unwrap(), 0).await.unwrap();
        file.age = file.age.earlier(ago);
        let path = folder.path().join("bronze/events").join(&file.path);
        let on_disk = std::fs::File::options().write(true).open(path).unwrap();
        let long_ago = std::time::SystemTime::now() - ago;
        on_disk.set_modified(long_ago).unwrap();
        file
    }

    fn adding(base: i64, adds: Vec<NewFile>) -> Commit {
        Commit {
            base,
            adds,
            removes: Vec::new(),
            txns: vec![("p".into(), base + 1)],
            data_change: true,
            operation: "WRITE",
            info: Map::new(),
        }
    }

    fn guard() -> Guard {
        Guard::Txns(HashSet::from(["p".to_owned()]))
    }

    async fn vacuum(table: &Table, retention: Duration) -> Vec<String> {
        let lock = table.lock().await.unwrap().unwrap();
        let snapshot = table.require_snapshot().await.unwrap();
        let gone = snapshot.vacuum(&lock, retention, false).await.unwrap();
        lock.release().await.unwrap();
        gone
    }

    /// Every file of the newest version can be read.
    async fn readable(table: &Table) -> usize {
        let snapshot = table.require_snapshot().await.unwrap();
        for file in snapshot.files() {
            table
                .store()
                .head(&table.full_path(&file.path))
                .await
                .unwrap();
        }
        snapshot.files().len()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_file_on_its_way_into_the_table_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        let table = table(&folder).await;
        let young = stored(&folder, &table, YOUNG).await;
        assert_eq!(
            vacuum(&table, Duration::ZERO).await,
            Vec::<String>::new(),
            "younger than an hour"
        );
        table
            .commit(&adding(0, vec![young]), &guard())
            .await
            .unwrap();
        assert_eq!(readable(&table).await, 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_commit_whose_file_was_removed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let table = table(&folder).await;
        let old = stored(&folder, &table, HOUR + YOUNG).await;
        assert_eq!(
            vacuum(&table, Duration::ZERO).await,
            std::slice::from_ref(&old.path)
        );
        let commit = adding(0, vec![old]);
        let error = table.commit(&commit, &guard()).await.unwrap_err();
        assert!(matches!(&error, CommitError::Conflict { .. }), "{error}");
        assert!(
            error.to_string().contains("has been removed since"),
            "{error}"
        );
        // The same for who holds the lock: a merge.
        let lock = table.lock().await.unwrap().unwrap();
        let error = table
            .commit_under(&lock, &commit, &guard())
            .await
            .unwrap_err();
        assert!(matches!(&error, CommitError::Conflict { .. }), "{error}");
        assert_eq!(readable(&table).await, 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_late_commit_waits_for_upkeep_and_keeps_it_away() {
        let folder = tempfile::tempdir().unwrap();
        let table = table(&folder).await;
        let old = stored(&folder, &table, YOUNG).await;
        let lock = table.lock().await.unwrap().unwrap();
        let committing = tokio::spawn({
            let table = table.clone();
            async move { table.commit(&adding(0, vec![old]), &guard()).await }
        });
        // It cannot be done before the lock is free, however long it has had.
        for _ in 0..20 {
            tokio::task::yield_now().await;
            assert!(!committing.is_finished());
        }
        assert_eq!(readable(&table).await, 0);
        lock.release().await.unwrap();
        assert_eq!(committing.await.unwrap().unwrap(), 1);
        assert_eq!(readable(&table).await, 1);
        assert!(table.lock().await.unwrap().is_some(), "it was let go");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn replaced_files_go_by_retention_and_orphans_by_age() {
        let folder = tempfile::tempdir().unwrap();
        let table = table(&folder).await;
        let first = stored(&folder, &table, Duration::ZERO).await;
        table
            .commit(&adding(0, vec![first.clone()]), &guard())
            .await
            .unwrap();
        let second = stored(&folder, &table, Duration::ZERO).await;
        let replace = Commit {
            removes: vec![DataFile::from(&first)],
            txns: Vec::new(),
            ..adding(1, vec![second.clone()])
        };
        let day = Guard::Partitions(BTreeSet::from([0]));
        table.commit(&replace, &day).await.unwrap();
        let orphan = stored(&folder, &table, HOUR * 3).await;
        // A file of another tool, and what is no data.
        for name in ["_hidden/file.parquet", "event_date=1970-01-01/.part.crc"] {
            let path = folder.path().join("bronze/events").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }

        assert!(vacuum(&table, HOUR * 4).await.is_empty());
        assert_eq!(vacuum(&table, HOUR).await, [orphan.path]);
        assert_eq!(vacuum(&table, Duration::ZERO).await, [first.path]);
        assert!(vacuum(&table, Duration::ZERO).await.is_empty());
        assert_eq!(readable(&table).await, 1);
        assert!(
            folder
                .path()
                .join("bronze/events/_hidden/file.parquet")
                .exists()
        );
    }
}
