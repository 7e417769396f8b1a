//! A file that is in the store and in no version yet: how it gets there, and since when.

use arrow::datatypes::{Schema, SchemaRef};
use object_store::ObjectStoreExt;

use super::data_file::DataFile;
use super::writer::EncodedFile;
use crate::partition::{DATES, PARTITION, date_text};
use crate::{LakeError, Table, failpoint};

/// A stored file that no version refers to yet: a commit adds it. Until then it is an orphan that vacuum removes.
#[derive(Clone, Debug)]
pub struct NewFile {
    pub(crate) path: String,
    pub(crate) size: u64,
    /// Days since 1970-01-01.
    pub partition: i32,
    /// Rows in it.
    pub rows: u64,
    pub(crate) stats: String,
    pub(crate) age: Age,
}

/// Since when a file has been in the store, at the longest: taken before it is sent.
///
/// By two clocks, whichever says more: one can be set back, the other stands while a machine sleeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Age {
    monotonic: std::time::Instant,
    wall: std::time::SystemTime,
}

impl Age {
    pub(crate) fn now() -> Self {
        Self {
            monotonic: std::time::Instant::now(),
            wall: std::time::SystemTime::now(),
        }
    }

    pub(crate) fn elapsed(self) -> std::time::Duration {
        let wall = self.wall.elapsed().unwrap_or_default(); // A clock that was set back says nothing.
        self.monotonic.elapsed().max(wall)
    }

    /// As if it had been taken earlier.
    #[cfg(test)]
    pub(crate) fn earlier(self, by: std::time::Duration) -> Self {
        Self {
            wall: self.wall - by,
            ..self
        }
    }
}

impl NewFile {
    /// Path relative to the table's root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl From<&NewFile> for DataFile {
    /// The file as it would be in a version that has it.
    fn from(file: &NewFile) -> Self {
        Self {
            path: file.path.clone(),
            size: file.size,
            partition: Some(file.partition),
            rows: Some(file.rows),
            stats: Some(file.stats.clone()),
        }
    }
}

impl Table {
    /// The schema of the table's data files: all columns but the partition column.
    pub fn file_schema(table: &SchemaRef) -> SchemaRef {
        let stored = table.fields().iter().filter(|f| f.name() != PARTITION);
        Schema::new(stored.cloned().collect::<Vec<_>>()).into()
    }

    /// Stores an encoded file under a new name. It becomes part of the table when a commit adds it.
    pub async fn put(&self, file: EncodedFile, partition: i32) -> Result<NewFile, LakeError> {
        let path = new_path(partition)?;
        let age = Age::now();
        let size = file.bytes.len() as u64;
        let full = self.full_path(&path);
        let put = self.store().put(&full, file.bytes.into());
        failpoint::during("lake.file-under-way", put)
            .await
            .map_err(|e| LakeError::store(format!("write {full}"), e))?;
        failpoint::reached("lake.file-stored");
        Ok(NewFile {
            path,
            size,
            partition,
            rows: file.rows,
            stats: file.stats,
            age,
        })
    }

    /// Removes stored files that no commit was given, because they are not wanted after all.
    pub async fn discard(&self, files: &[NewFile]) -> Result<(), LakeError> {
        for file in files {
            let full = self.full_path(&file.path);
            match self.store().delete(&full).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(e) => return Err(LakeError::store(format!("remove {full}"), e)),
            }
        }
        Ok(())
    }
}

/// The path of a new file: unique, so that no two attempts ever meet.
///
/// A date beyond the year 9999 would be written as `+10000-01-01`, and one such partition makes the table unreadable for delta-rs in
/// Python, for every date.
fn new_path(partition: i32) -> Result<String, LakeError> {
    if !DATES.contains(&partition) {
        return Err(LakeError::Invalid(format!(
            "{PARTITION} is {partition} days from 1970-01-01, which is not in the years 1 to 9999: not every reader can write such a date"
        )));
    }
    Ok(format!(
        "{PARTITION}={}/part-{}.zstd.parquet",
        date_text(partition),
        uuid::Uuid::new_v4()
    ))
}
