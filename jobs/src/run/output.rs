//! Writes the result of a run to files of its window's partition, in bounded memory: one file is encoded at a time, and stored when it
//! is full.

use anyhow::{Context, Result};
use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::kernels::aggregate::{max, min};
use datafusion::arrow::datatypes::{Date32Type, Schema, SchemaRef};
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use userflow_lake::{FileWriter, NewFile, Table, WriteSettings};
use userflow_models::project::{Model, PARTITION_COLUMN, Window};
use userflow_process::exit::WrongSetup;

/// Size at which a file is closed and the next begun.
const FILE_SIZE: usize = 128 << 20;

/// The stored files of a result, in no version yet.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// The files.
    pub files: Vec<NewFile>,
    /// Rows in all of them.
    pub rows: u64,
}

/// Writes a result whose rows all belong to `window`; a row of another date is the model's mistake. `written` has also what was stored
/// before an error.
pub(super) async fn write(
    written: &mut Written,
    table: &Table,
    model: &Model,
    window: Window,
    mut result: SendableRecordBatchStream,
) -> Result<()> {
    let mut open: Option<FileWriter> = None;
    while let Some(batch) = result.next().await {
        let batch = within(&batch?, model, window)?;
        if batch.num_rows() == 0 {
            continue;
        }
        let mut writer = match open.take() {
            Some(writer) => writer,
            None => FileWriter::new(&batch.schema(), &WriteSettings::default())?,
        };
        writer.write(&batch)?;
        if writer.size() < FILE_SIZE {
            open = Some(writer);
        } else {
            written.store(table, window, writer).await?;
        }
    }
    if let Some(writer) = open {
        written.store(table, window, writer).await?;
    }
    Ok(())
}

/// Runs a result to its end and checks it like [`write`], but stores nothing.
pub(super) async fn count(
    model: &Model,
    window: Window,
    mut result: SendableRecordBatchStream,
) -> Result<u64> {
    let mut rows = 0;
    while let Some(batch) = result.next().await {
        rows += within(&batch?, model, window)?.num_rows() as u64;
    }
    Ok(rows)
}

impl Written {
    async fn store(&mut self, table: &Table, window: Window, writer: FileWriter) -> Result<()> {
        let file = writer.finish()?;
        self.rows += file.rows;
        self.files.push(table.put(file, window.days()).await?);
        Ok(())
    }
}

/// The batch without the partition column, whose every value must be the window's date.
fn within(batch: &RecordBatch, model: &Model, window: Window) -> Result<RecordBatch> {
    let at = check_dates(batch, model, window)?;
    let mut columns = batch.columns().to_vec();
    columns.remove(at);
    Ok(RecordBatch::try_new(
        without(batch.schema_ref(), at),
        columns,
    )?)
}

/// Refuses a row of another date than the window's, and says where the partition column is.
pub fn check_dates(batch: &RecordBatch, model: &Model, window: Window) -> Result<usize> {
    let (at, _) = batch
        .schema_ref()
        .column_with_name(PARTITION_COLUMN)
        .context("the result has no partition column")?;
    let dates = batch.column(at).as_primitive::<Date32Type>();
    let day = Some(window.days());
    let empty = batch.num_rows() == 0;
    if !empty && (dates.null_count() > 0 || min(dates) != day || max(dates) != day) {
        let found =
            (0..dates.len()).find(|row| dates.is_null(*row) || Some(dates.value(*row)) != day);
        let shown = found
            .filter(|row| dates.is_valid(*row))
            .and_then(|row| Window::from_days(dates.value(row)));
        let shown = shown.map_or_else(|| "null".to_owned(), |date| date.to_string());
        return Err(WrongSetup(format!(
            "{}: the run of {window} returned a row with {PARTITION_COLUMN} {shown}: a run replaces its own date only, so filter \
             the result to the window",
            model.path.display()
        ))
        .into());
    }
    Ok(at)
}

fn without(schema: &SchemaRef, at: usize) -> SchemaRef {
    let fields = schema
        .fields()
        .iter()
        .enumerate()
        .filter(|(field, _)| *field != at);
    Schema::new(fields.map(|(_, field)| field.clone()).collect::<Vec<_>>()).into()
}
