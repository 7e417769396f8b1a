//! Messages that the contract accepts now, on their way into bronze: decoded rows in memory, then a file per date, then one commit.
//!
//! Rows are held decoded and written date by date, so that one file is being encoded at a time however many dates there are.

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context, Result};
use arrow::array::{BooleanArray, Date32Array, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use serde_json::{Map, json};
use userflow_lake::{
    Commit, CommitError, FileWriter, Guard, NewFile, Table, WriteSettings, failpoint,
};
use userflow_models::bronze::{self, Origin, OriginColumns, TOPIC_ID, with_constants};
use userflow_models::contract::Contract;
use userflow_models::decode::{Decoder, Rejection};

/// The `txn` that every replay of a bronze table moves: the version of the quarantine that it read. A replay that finds it moved has
/// committed nothing; it looks again at what was landed, and lands the rest.
pub(super) const REPLAY_TXN: &str = "userflow-replay";
/// Rows that are decoded into one batch.
const BATCH_ROWS: usize = 16_384;
/// Size at which a file is closed and the next begun.
const FILE_SIZE: usize = 128 << 20;

/// Rows that wait for a commit.
pub(super) struct Landing {
    decoder: Decoder,
    origins: OriginColumns,
    file_schema: SchemaRef,
    batch_schema: SchemaRef,
    batches: Vec<(Date32Array, RecordBatch)>,
    bytes: usize,
    /// Most bytes to hold.
    most: usize,
}

impl Landing {
    pub(super) fn new(contract: &Contract, most: usize) -> Self {
        let file_schema = Table::file_schema(&bronze::events(contract).schema);
        Self {
            decoder: Decoder::new(contract),
            origins: OriginColumns::new(None, 0),
            batch_schema: with_constants(&file_schema, &[TOPIC_ID]),
            file_schema,
            batches: Vec::new(),
            bytes: 0,
            most,
        }
    }

    /// Takes a message that the contract accepts, or says why it does not. `read_ms` is when `load` read it, if it is a line of a file.
    pub(super) fn push(
        &mut self,
        topic_id: Option<&str>,
        origin: Origin,
        read_ms: Option<i64>,
        message: Option<&[u8]>,
    ) -> Result<Result<(), Rejection>> {
        if self.origins.topic_id() != topic_id {
            self.close_batch()?;
            self.origins = OriginColumns::new(topic_id, 0);
        }
        let before = self.decoder.rows();
        let decoded = match (message, read_ms) {
            // As `load` judged it.
            (Some(line), Some(read_ms)) => self.decoder.decode_history(line, read_ms),
            (Some(bytes), None) => self.decoder.decode(bytes, origin.stored_clock_ms()),
            (None, _) => Err(Rejection::no_value()),
        };
        for _ in before..self.decoder.rows() {
            self.origins.append(origin);
        }
        if self.decoder.rows() >= BATCH_ROWS || self.decoder.bytes() >= self.most / 4 {
            self.close_batch()?;
        }
        Ok(decoded)
    }

    fn close_batch(&mut self) -> Result<()> {
        if self.decoder.rows() == 0 {
            return Ok(());
        }
        let decoded = self.decoder.finish();
        let (dates, rows) =
            bronze::rows(&decoded, self.origins.finish(), true, &self.batch_schema)?;
        self.bytes += rows.get_array_memory_size();
        self.batches.push((dates, rows));
        Ok(())
    }

    /// Whether it is time to commit.
    pub(super) fn is_full(&self) -> bool {
        self.bytes + self.decoder.bytes() >= self.most
    }

    /// Rows by date, in days since 1970-01-01.
    pub(super) fn dates(&mut self) -> Result<BTreeMap<i32, u64>> {
        self.close_batch()?;
        let mut dates = BTreeMap::new();
        for date in self.batches.iter().flat_map(|(dates, _)| dates.values()) {
            *dates.entry(*date).or_default() += 1;
        }
        Ok(dates)
    }

    /// Forgets the rows, which were committed or only counted.
    pub(super) fn clear(&mut self) -> Result<()> {
        self.close_batch()?;
        self.batches.clear();
        self.bytes = 0;
        Ok(())
    }

    /// Adds the rows to `table` as one version, unless another replay committed since version `base`. Then the files are removed again.
    pub(super) async fn commit(
        &mut self,
        table: &Table,
        base: i64,
        quarantine_version: i64,
        described: &Map<String, serde_json::Value>,
    ) -> Result<i64> {
        let adds = self.store(table).await?;
        failpoint::reached("replay.stored");
        let rows: u64 = adds.iter().map(|file| file.rows).sum();
        let commit = Commit {
            base,
            adds,
            removes: Vec::new(),
            txns: vec![(REPLAY_TXN.to_owned(), quarantine_version)],
            data_change: true,
            operation: "REPLAY",
            info: Map::from_iter([
                ("operationParameters".to_owned(), json!(described)),
                ("quarantineVersion".to_owned(), json!(quarantine_version)),
                ("replayedRows".to_owned(), json!(rows)),
            ]),
        };
        let guard = Guard::Txns(HashSet::from([REPLAY_TXN.to_owned()]));
        match table.commit(&commit, &guard).await {
            Ok(version) => {
                failpoint::reached("replay.landed");
                Ok(version)
            }
            Err(error) => {
                // Only with these errors is it certain that no version has the files.
                if matches!(
                    error,
                    CommitError::Fenced { .. } | CommitError::Conflict { .. }
                ) {
                    discard(table, &commit.adds).await;
                }
                Err(error.into())
            }
        }
    }

    /// Writes the files of every date.
    async fn store(&mut self, table: &Table) -> Result<Vec<NewFile>> {
        let mut files = Vec::new();
        let settings = WriteSettings::default();
        for date in self.dates()?.into_keys() {
            let mut open: Option<FileWriter> = None;
            for (dates, rows) in &self.batches {
                let of_date = BooleanArray::from_unary(dates, |other| other == date);
                let rows = filter_record_batch(rows, &of_date)?;
                if rows.num_rows() == 0 {
                    continue;
                }
                let mut writer = match open.take() {
                    Some(writer) => writer,
                    None => FileWriter::new(&self.file_schema, &settings)?,
                };
                writer.write(&rows)?;
                if writer.size() < FILE_SIZE {
                    open = Some(writer);
                } else {
                    files.push(put(table, writer, date).await?);
                }
            }
            if let Some(writer) = open {
                files.push(put(table, writer, date).await?);
            }
        }
        Ok(files)
    }
}

async fn put(table: &Table, writer: FileWriter, date: i32) -> Result<NewFile> {
    let stored = table.put(writer.finish()?, date).await;
    stored.with_context(|| format!("store rows for {}", table.name()))
}

/// Removes what no version has. What cannot be removed is an orphan that `maintain` removes later.
async fn discard(table: &Table, files: &[NewFile]) {
    if let Err(error) = table.discard(files).await {
        tracing::warn!("files that were not committed stay behind until `maintain`: {error}");
    }
}
