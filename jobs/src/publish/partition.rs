//! The partition of a date as the rows of a view: read from one version of the table, given as text that `COPY` takes.

use std::sync::Arc;

use anyhow::{Context, Result};
use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::execution::SendableRecordBatchStream;
use userflow_lake::{PARTITION, Snapshot};
use userflow_models::project::Window;
use userflow_models::publish::BatchView;

use crate::engine::{Engine, quoted};
use crate::scan::SnapshotTable;
use crate::workspace::Workspace;

/// The rows of a date, batch by batch.
pub(super) async fn rows(
    workspace: &Workspace,
    view: &BatchView,
    snapshot: &Snapshot,
    window: Window,
) -> Result<SendableRecordBatchStream> {
    let table = Arc::new(SnapshotTable::new(Engine::lake_url()?, snapshot, None));
    let tables = [(view.model.clone(), table as _)];
    let session = workspace
        .engine
        .session(workspace.engine.threads(), tables)?;
    let columns = view.key.iter().chain(&view.features);
    let columns: Vec<String> = columns.map(|column| quoted(&column.name)).collect();
    let sql = format!(
        "select {} from {} where {PARTITION} = date '{window}'",
        columns.join(", "),
        view.model
    );
    let context = || format!("read the partition {window} of {}", view.model);
    let frame = session.sql(&sql).await.with_context(context)?;
    frame.execute_stream().await.with_context(context)
}

/// How many rows the log says that a date has; none when a file's writer did not count them.
pub(super) fn count(snapshot: &Snapshot, window: Window) -> Option<u64> {
    let of_date = (snapshot.files().iter()).filter(|file| file.partition == Some(window.days()));
    of_date.map(|file| file.rows).sum()
}

/// Rows as lines of the text format of `COPY`.
pub(super) fn lines(batch: &RecordBatch) -> Result<String> {
    let options = FormatOptions::default();
    let columns = batch.columns().iter();
    let columns = columns.map(|column| ArrayFormatter::try_new(column, &options));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let mut text = String::new();
    for row in 0..batch.num_rows() {
        for (at, (cells, column)) in columns.iter().zip(batch.columns()).enumerate() {
            if at > 0 {
                text.push('\t');
            }
            match column.is_valid(row) {
                true => escape(&cells.value(row).to_string(), &mut text),
                false => text.push_str("\\N"),
            }
        }
        text.push('\n');
    }
    Ok(text)
}

fn escape(cell: &str, into: &mut String) {
    for character in cell.chars() {
        match character {
            '\\' => into.push_str("\\\\"),
            '\t' => into.push_str("\\t"),
            '\n' => into.push_str("\\n"),
            '\r' => into.push_str("\\r"),
            // No text of PostgreSQL has it: as for the rows of streaming views.
            '\0' => into.push(char::REPLACEMENT_CHARACTER),
            other => into.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{
        ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array,
        StringArray, TimestampMicrosecondArray,
    };

    use super::*;

    #[test]
    fn every_type_is_text_that_postgresql_reads() {
        let decimals = Decimal128Array::from(vec![Some(-12_345), None]);
        let times = TimestampMicrosecondArray::from(vec![Some(1_500_000), None]);
        let columns: [(&str, ArrayRef); 7] = [
            (
                "text",
                Arc::new(StringArray::from(vec![Some("a\tb\\c\nd\re\0"), None])),
            ),
            (
                "bigint",
                Arc::new(Int64Array::from(vec![Some(i64::MIN), None])),
            ),
            (
                "double",
                Arc::new(Float64Array::from(vec![Some(0.1), None])),
            ),
            (
                "boolean",
                Arc::new(BooleanArray::from(vec![Some(true), None])),
            ),
            (
                "date",
                Arc::new(Date32Array::from(vec![Some(20_758), None])),
            ),
            (
                "decimal",
                Arc::new(decimals.with_precision_and_scale(14, 2).unwrap()),
            ),
            ("time", Arc::new(times.with_timezone("UTC"))),
        ];
        let batch = RecordBatch::try_from_iter_with_nullable(
            columns.map(|(name, column)| (name, column, true)),
        );
        let expected = [
            "a\\tb\\\\c\\nd\\re\u{fffd}",
            "-9223372036854775808",
            "0.1",
            "true",
            "2026-11-01",
            "-123.45",
            "1970-01-01T00:00:01.500Z",
        ];
        let nulls = ["\\N"; 7].join("\t");
        assert_eq!(
            lines(&batch.unwrap()).unwrap(),
            format!("{}\n{nulls}\n", expected.join("\t"))
        );
    }
}
