//! Answers on their way to the join: a file for each view and Kafka partition, each row with the number of its label.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use datafusion::arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::row::RowConverter;
use datafusion::parquet::arrow::ArrowWriter;

use crate::history::{Answer, Wanted};

/// The number of a label, in files of the spill folder.
pub(super) const LABEL: &str = "_label";
/// Rows that are held before they are written.
const ROWS: usize = 8_192;

/// The answers of one partition.
pub(super) struct Answers(Vec<View>);

struct View {
    converter: RowConverter,
    labels: Vec<u64>,
    rows: Vec<Answer>,
    schema: SchemaRef,
    writer: ArrowWriter<File>,
    path: PathBuf,
}

/// Columns of a view's file: the label's number, then `c0`, `c1` and so on.
fn schema(wanted: &Wanted) -> SchemaRef {
    let columns = wanted.value_types().enumerate();
    let columns =
        columns.map(|(number, data_type)| Field::new(format!("c{number}"), data_type, true));
    let label = Field::new(LABEL, DataType::UInt64, false);
    Arc::new(Schema::new(
        std::iter::once(label).chain(columns).collect::<Vec<_>>(),
    ))
}

impl Answers {
    /// Files for a partition.
    pub(super) fn create(folder: &Path, partition: usize, wanted: &[Wanted]) -> Result<Self> {
        let views = wanted.iter().enumerate().map(|(number, wanted)| {
            let path = folder.join(format!("view-{number}-partition-{partition}.parquet"));
            let file = File::create(&path).with_context(|| format!("make {}", path.display()))?;
            let schema = schema(wanted);
            Ok(View {
                converter: wanted.values()?,
                labels: Vec::new(),
                rows: Vec::new(),
                writer: ArrowWriter::try_new(file, Arc::clone(&schema), None)?,
                schema,
                path,
            })
        });
        Ok(Self(views.collect::<Result<_>>()?))
    }

    /// Takes the answer of a view to a label.
    pub(super) fn push(&mut self, view: usize, label: u64, answer: Answer) -> Result<()> {
        let view = &mut self.0[view];
        view.labels.push(label);
        view.rows.push(answer);
        match view.rows.len() < ROWS {
            true => Ok(()),
            false => view.write(),
        }
    }

    /// Writes what is held, and says where the files are.
    pub(super) fn finish(self) -> Result<Vec<PathBuf>> {
        let views = self.0.into_iter().map(|mut view| {
            view.write()?;
            view.writer.close().context("end a file of answers")?;
            Ok(view.path)
        });
        views.collect()
    }
}

impl View {
    fn write(&mut self) -> Result<()> {
        let parser = self.converter.parser();
        let rows = self.rows.iter().map(|row| parser.parse(row));
        let answers = self.converter.convert_rows(rows)?;
        let labels: ArrayRef = Arc::new(UInt64Array::from(std::mem::take(&mut self.labels)));
        self.rows.clear();
        let columns = std::iter::once(labels).chain(answers).collect();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        self.writer
            .write(&batch)
            .context("write answers to the spill folder")
    }
}
