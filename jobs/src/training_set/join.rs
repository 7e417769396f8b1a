//! Labels and answers become the training set: the labels' columns and order, and the features.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::csv::Writer as CsvWriter;
use datafusion::arrow::datatypes::DataType;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::properties::WriterProperties;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use futures::TryStreamExt;
use userflow_process::exit::WrongSetup;

use super::answers::LABEL;
use super::asked::Asked;
use super::labels::{Labels, TIME};
use crate::engine::quoted;
use crate::workspace::Workspace;

/// How a training set is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    Parquet,
}

impl Format {
    /// By the end of its name.
    pub(super) fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|end| end.to_str()) {
            Some("csv") => Ok(Self::Csv),
            Some("parquet") => Ok(Self::Parquet),
            _ => {
                let message = format!("--into {}: name a .csv or a .parquet file", path.display());
                Err(WrongSetup(message).into())
            }
        }
    }
}

/// What becomes a training set.
pub(super) struct Made<'a> {
    pub(super) labels: &'a Labels,
    pub(super) asked: &'a Asked,
    /// Files of answers: by view, by partition.
    pub(super) answered: &'a [Vec<PathBuf>],
    pub(super) with_versions: bool,
    pub(super) into: &'a Path,
}

/// Writes the training set whole, or nothing. Says of each view how many labels have a row of it.
pub(super) async fn write(
    workspace: &Workspace,
    made: &Made<'_>,
    format: Format,
) -> Result<Vec<(String, u64)>> {
    let Made {
        labels,
        asked,
        answered,
        into,
        ..
    } = *made;
    // Two threads at least: with one, joins would hold a side in memory.
    let session = workspace
        .engine
        .session(workspace.engine.threads().max(2), [])?;
    for setting in ["repartition_joins = true", "prefer_hash_join = false"] {
        session
            .sql(&format!("set datafusion.optimizer.{setting}"))
            .await?;
    }
    let labels = labels.file.display().to_string();
    session
        .register_parquet("labels", labels, ParquetReadOptions::default())
        .await?;
    for (number, files) in answered.iter().enumerate() {
        let paths: Vec<String> = files
            .iter()
            .map(|file| file.display().to_string())
            .collect();
        let frame = match paths.is_empty() {
            true => session.sql("select 1").await?,
            false => {
                session
                    .read_parquet(paths, ParquetReadOptions::default())
                    .await?
            }
        };
        session.register_table(format!("view{number}"), frame.into_view())?;
    }
    one_partition_each(&session, asked, answered).await?;
    let sql = sql(made);
    let mut rows = session
        .sql(&sql)
        .await?
        .execute_stream()
        .await
        .context("join labels and features")?;

    let part = into.with_extension("part");
    let mut found = vec![0; asked.views.len()];
    let shown = part.display();
    let file =
        File::create(&part).map_err(|error| WrongSetup(format!("--into {shown}: {error}")))?;
    let schema = rows.schema();
    let kept: Vec<usize> = (0..schema.fields().len() - found.len()).collect();
    let schema = std::sync::Arc::new(schema.project(&kept)?);
    let mut out = Out::new(format, file, &schema, into)?;
    while let Some(batch) = rows.try_next().await.context("join labels and features")? {
        for (number, found) in found.iter_mut().enumerate() {
            let marks = batch.column(kept.len() + number);
            *found += u64::try_from(marks.len() - marks.null_count())?;
        }
        out.write(&batch.project(&kept)?)?;
    }
    out.finish()?;
    std::fs::rename(&part, into).with_context(|| format!("name {}", into.display()))?;
    let names = asked.views.iter().map(|view| view.view.name.clone());
    Ok(names.zip(found).collect())
}

/// What an entity has in several partitions is merged where the store is read, and nothing here does that yet. Where all events of an entity
/// are in one partition there is nothing to merge.
async fn one_partition_each(
    session: &SessionContext,
    asked: &Asked,
    answered: &[Vec<PathBuf>],
) -> Result<()> {
    for (number, view) in asked.views.iter().enumerate() {
        if view.view.partition_local || answered[number].len() < 2 {
            continue;
        }
        let sql = format!(
            "select {LABEL} from view{number} group by {LABEL} having count(*) > 1 limit 1"
        );
        let several = session.sql(&sql).await?.collect().await?;
        if several.iter().any(|batch| batch.num_rows() > 0) {
            let name = &view.view.name;
            let message = format!(
                "{name}: an entity of the labels has events in several Kafka partitions, and a training set cannot merge them yet: leave out \
                 the features of {name}"
            );
            return Err(WrongSetup(message).into());
        }
    }
    Ok(())
}

/// The query. Where an entity has answers of several partitions, as after a topic was given more of them, the newest event's counts.
fn sql(made: &Made<'_>) -> String {
    let Made {
        labels,
        asked,
        answered,
        ..
    } = *made;
    let mut select: Vec<String> = labels
        .columns
        .iter()
        .map(|name| format!("l.{}", quoted(name)))
        .collect();
    let fresh = |number: usize| {
        let view = &asked.views[number];
        let event_time = format!("v{number}.c{}", view.features.len());
        match view.view.ttl {
            None => format!("{event_time} is not null"),
            Some(ttl) => format!(
                "l.{TIME} <= {event_time} + interval '{} milliseconds'",
                ttl.as_millis()
            ),
        }
    };
    for (number, place, column) in &asked.columns {
        let column = quoted(column);
        select.push(match answered[*number].is_empty() {
            true => format!("null as {column}"),
            false => format!(
                "case when {} then v{number}.c{place} end as {column}",
                fresh(*number)
            ),
        });
    }
    for (number, view) in asked
        .views
        .iter()
        .enumerate()
        .filter(|_| made.with_versions)
    {
        for (place, what) in ["event_time", "version"].iter().enumerate() {
            let column = quoted(&format!("{}__{what}", view.view.name));
            select.push(match answered[number].is_empty() {
                true => format!("null as {column}"),
                false => format!("v{number}.c{} as {column}", view.features.len() + place),
            });
        }
    }
    let mut joins = String::new();
    for (number, files) in answered.iter().enumerate() {
        if files.is_empty() {
            select.push("null".to_owned());
            continue;
        }
        select.push(format!(
            "case when {} then 1 end as _found{number}",
            fresh(number)
        ));
        let features = asked.views[number].features.len();
        let newest = match files.len() {
            1 => format!("select * from view{number}"),
            _ => format!(
                "select * from (select *, row_number() over (partition by {LABEL} order by c{features} desc nulls last, c{} desc) as _rank \
                 from view{number}) where _rank = 1",
                features + 1
            ),
        };
        joins.push_str(&format!(
            " left join ({newest}) v{number} on v{number}.{LABEL} = l.{LABEL}"
        ));
    }
    format!(
        "select {} from labels l{joins} order by l.{LABEL}",
        select.join(", ")
    )
}

/// The file being written.
enum Out {
    Csv(Box<CsvWriter<File>>),
    Parquet(Box<ArrowWriter<File>>),
}

impl Out {
    fn new(
        format: Format,
        file: File,
        schema: &std::sync::Arc<datafusion::arrow::datatypes::Schema>,
        into: &Path,
    ) -> Result<Self> {
        match format {
            Format::Csv => {
                let list = schema
                    .fields()
                    .iter()
                    .find(|field| matches!(field.data_type(), DataType::List(_)));
                if let Some(list) = list {
                    let message = format!(
                        "--into {}: {} is a list, which CSV has no way to write: name a .parquet file",
                        into.display(),
                        list.name()
                    );
                    return Err(WrongSetup(message).into());
                }
                Ok(Self::Csv(Box::new(CsvWriter::new(file))))
            }
            Format::Parquet => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?));
                let writer = ArrowWriter::try_new(
                    file,
                    std::sync::Arc::clone(schema),
                    Some(properties.build()),
                )?;
                Ok(Self::Parquet(Box::new(writer)))
            }
        }
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        match self {
            Self::Csv(out) => out.write(batch).context("write the training set"),
            Self::Parquet(out) => out.write(batch).context("write the training set"),
        }
    }

    fn finish(self) -> Result<()> {
        match self {
            // What the writer holds is written when it goes.
            Self::Csv(out) => {
                let file = out.into_inner();
                file.sync_all().context("write the training set")
            }
            Self::Parquet(out) => {
                let file = out.into_inner().context("write the training set")?;
                file.sync_all().context("write the training set")
            }
        }
    }
}
