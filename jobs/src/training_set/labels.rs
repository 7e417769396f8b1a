//! The labels: which entities are asked for, and when. Everything else that a label says lies in a file until the join.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Field, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType,
};
use datafusion::arrow::row::{OwnedRow, RowConverter};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::prelude::{CsvReadOptions, DataFrame, ParquetReadOptions, SessionContext};
use futures::TryStreamExt;
use userflow_process::exit::WrongSetup;

use super::answers::{Answers, LABEL};
use super::args::TrainingSetArgs;
use super::asked::Asked;
use crate::history::{Player, Wanted};
use crate::workspace::Workspace;

/// The time of a label, in its file.
pub(super) const TIME: &str = "_time";
/// The entity of a label that names none.
const NOBODY: u32 = u32::MAX;
/// Bytes of a key and what holds it, beside its own.
const KEY_BYTES: usize = 96;

/// All labels, in the order of their times.
pub(super) struct Labels {
    /// Columns as they came.
    pub(super) columns: Vec<String>,
    /// The file with them, and the number and time of each.
    pub(super) file: PathBuf,
    /// Microseconds UTC.
    times: Vec<i64>,
    /// Number of the label as it came.
    numbers: Vec<u32>,
    /// Entities of the views, which may share them.
    entities: Vec<Entities>,
    /// The entities of each view.
    of_view: Vec<usize>,
    _memory: MemoryReservation,
}

/// The different keys of some columns.
struct Entities {
    columns: Vec<String>,
    types: Vec<DataType>,
    keys: Vec<OwnedRow>,
    /// The key of each label.
    of: Vec<u32>,
}

impl Labels {
    /// Reads the file once.
    pub(super) async fn read(
        workspace: &Workspace,
        args: &TrainingSetArgs,
        asked: &Asked,
        wanted: &mut [Wanted],
        folder: &Path,
    ) -> Result<Self> {
        let session = workspace.engine.session(1, [])?;
        let shown = args.labels.display().to_string();
        let mut entities: Vec<Entities> = Vec::new();
        let mut of_view = Vec::new();
        for (view, wanted) in asked.views.iter().zip(wanted.iter()) {
            let columns: Vec<String> = view.view.key().into_iter().map(str::to_owned).collect();
            let known = entities.iter().position(|known| known.columns == columns);
            of_view.push(known.unwrap_or_else(|| {
                entities.push(Entities {
                    types: wanted.key_types().to_vec(),
                    columns,
                    keys: Vec::new(),
                    of: Vec::new(),
                });
                entities.len() - 1
            }));
        }
        let exact: Vec<&str> = entities
            .iter()
            .flat_map(|entities| &entities.columns)
            .map(String::as_str)
            .chain([args.time_column.as_str()])
            .collect();
        let frame = open(&session, &args.labels, &exact).await?;
        let schema = Arc::new(frame.schema().as_arrow().clone());
        check_columns(&schema, &exact, asked, &shown)?;

        let file = folder.join("labels.parquet");
        let out = File::create(&file).with_context(|| format!("make {}", file.display()))?;
        let kept = with_own_columns(&schema);
        let mut writer = ArrowWriter::try_new(out, Arc::clone(&kept), None)?;
        let converters = (0..entities.len()).map(|number| {
            let view = of_view.iter().position(|set| *set == number);
            wanted[view.expect("entities are those of some view")].keys()
        });
        let converters: Vec<RowConverter> = converters.collect::<Result<_>>()?;
        let consumer = MemoryConsumer::new("entities and times of labels");
        let memory = consumer.register(&session.runtime_env().memory_pool);
        let mut numbers: Vec<HashMap<OwnedRow, u32>> = vec![HashMap::new(); entities.len()];
        let mut times: Vec<i64> = Vec::new();
        let mut stream = frame
            .execute_stream()
            .await
            .with_context(|| format!("read {shown}"))?;
        while let Some(batch) = stream
            .try_next()
            .await
            .with_context(|| format!("read {shown}"))?
        {
            let first = times.len();
            let time = times_of(&batch, &args.time_column, first, &shown)?;
            times.extend(time.as_primitive::<TimestampMicrosecondType>().values());
            let mut bytes = batch.num_rows() * (size_of::<i64>() + size_of::<u32>());
            for ((entities, converter), numbers) in
                entities.iter_mut().zip(&converters).zip(&mut numbers)
            {
                bytes += entities.take(&batch, converter, numbers)?;
            }
            memory.try_grow(bytes).context(
                "the labels' entities do not fit into memory: raise --memory-limit, or make several training sets",
            )?;
            let count = u64::try_from(times.len())?;
            let own: ArrayRef = Arc::new(UInt64Array::from_iter_values(first as u64..count));
            let columns = batch.columns().iter().cloned().chain([own, time]).collect();
            writer.write(&RecordBatch::try_new(Arc::clone(&kept), columns)?)?;
        }
        writer.close().context("end the file of labels")?;
        if times.is_empty() {
            return Err(
                WrongSetup(format!("{shown} has no rows: there is nothing to make")).into(),
            );
        }
        let mut order: Vec<u32> = (0..u32::try_from(times.len())?).collect();
        order.sort_by_key(|number| times[*number as usize]);
        for entities in &mut entities {
            entities.of = order
                .iter()
                .map(|number| entities.of[*number as usize])
                .collect();
        }
        for (wanted, set) in wanted.iter_mut().zip(&of_view) {
            for key in &entities[*set].keys {
                wanted.add(key.clone());
            }
        }
        Ok(Self {
            columns: schema
                .fields()
                .iter()
                .map(|field| field.name().clone())
                .collect(),
            file,
            times: order.iter().map(|number| times[*number as usize]).collect(),
            numbers: order,
            entities,
            of_view,
            _memory: memory,
        })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.times.len()
    }

    /// The latest time.
    pub(super) fn newest(&self) -> i64 {
        *self.times.last().expect("there is a label")
    }

    /// Asks for all labels from the one at `next` on whose time is before a moment. Says which is next.
    pub(super) fn ask_before(
        &self,
        mut next: usize,
        moment: i64,
        player: &mut Player,
        answers: &mut Answers,
    ) -> Result<usize> {
        while next < self.times.len() && self.times[next] < moment {
            player.until(self.times[next]);
            for (view, set) in self.of_view.iter().enumerate() {
                let entities = &self.entities[*set];
                let entity = entities.of[next];
                if entity != NOBODY
                    && let Some(answer) = player.answer(view, &entities.keys[entity as usize])?
                {
                    answers.push(view, u64::from(self.numbers[next]), answer.clone())?;
                }
            }
            next += 1;
        }
        Ok(next)
    }
}

impl Entities {
    /// Takes the keys of some labels. Says how many bytes more are held.
    fn take(
        &mut self,
        batch: &RecordBatch,
        converter: &RowConverter,
        numbers: &mut HashMap<OwnedRow, u32>,
    ) -> Result<usize> {
        let columns = self
            .columns
            .iter()
            .zip(&self.types)
            .map(|(name, data_type)| {
                let column = batch
                    .column_by_name(name)
                    .expect("the columns were checked");
                let wrong = |error| WrongSetup(format!("column {name} of the labels: {error}"));
                cast(column, data_type).map_err(|error| wrong(error).into())
            });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let rows = converter.convert_columns(&columns)?;
        let mut bytes = batch.num_rows() * size_of::<u32>();
        for row in 0..batch.num_rows() {
            if columns.iter().any(|column| column.is_null(row)) {
                self.of.push(NOBODY);
                continue;
            }
            let key = rows.row(row).owned();
            let next = u32::try_from(self.keys.len())?;
            let number = *numbers.entry(key).or_insert_with_key(|key| {
                bytes += 3 * (key.as_ref().len() + KEY_BYTES);
                self.keys.push(key.clone());
                next
            });
            self.of.push(number);
        }
        Ok(bytes)
    }
}

/// The file as a frame. Of a CSV the columns in `exact` stay texts, because a key 007 is no number.
async fn open(session: &SessionContext, path: &Path, exact: &[&str]) -> Result<DataFrame> {
    let shown = path.display().to_string();
    if !path.is_file() {
        return Err(WrongSetup(format!("--labels {shown}: there is no such file")).into());
    }
    let read = |error| WrongSetup(format!("--labels {shown}: {error}"));
    match path.extension().and_then(|end| end.to_str()) {
        Some("parquet") => {
            let frame = session.read_parquet(shown.as_str(), ParquetReadOptions::default());
            Ok(frame.await.map_err(read)?)
        }
        Some("csv") => {
            let options = CsvReadOptions::new().has_header(true);
            let guessed = session
                .read_csv(shown.as_str(), options)
                .await
                .map_err(read)?;
            let fields = guessed.schema().fields().iter().map(|field| {
                match exact.contains(&field.name().as_str()) {
                    true => Arc::new(Field::new(field.name(), DataType::Utf8, true)),
                    false => Arc::clone(field),
                }
            });
            let schema = Schema::new(fields.collect::<Vec<_>>());
            let options = CsvReadOptions::new().has_header(true).schema(&schema);
            Ok(session
                .read_csv(shown.as_str(), options)
                .await
                .map_err(read)?)
        }
        _ => {
            let message = format!("--labels {shown}: only .csv and .parquet files can be read");
            Err(WrongSetup(message).into())
        }
    }
}

fn check_columns(schema: &Schema, needed: &[&str], asked: &Asked, shown: &str) -> Result<()> {
    let names: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    for name in needed {
        if !names.contains(name) {
            let hint = match names.len() == needed.len() {
                _ if *name == needed[needed.len() - 1] => {
                    ": name the column with the time with --time-column"
                }
                _ => ": the features asked for are of entities with that key",
            };
            let message = format!(
                "{shown} has no column {name}{hint}; it has {}",
                names.join(", ")
            );
            return Err(WrongSetup(message).into());
        }
    }
    for (_, _, column) in &asked.columns {
        if names.contains(&column.as_str()) {
            let message = format!(
                "{shown} has a column {column}, as a feature is called: rename it, or add --full-feature-names"
            );
            return Err(WrongSetup(message).into());
        }
    }
    match names.iter().find(|name| [LABEL, TIME].contains(name)) {
        None => Ok(()),
        Some(name) => Err(WrongSetup(format!("{shown} has a column {name}: rename it")).into()),
    }
}

fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn with_own_columns(schema: &Schema) -> SchemaRef {
    let own = [
        Arc::new(Field::new(LABEL, DataType::UInt64, false)),
        Arc::new(Field::new(TIME, time_type(), false)),
    ];
    Arc::new(Schema::new(
        schema
            .fields()
            .iter()
            .cloned()
            .chain(own)
            .collect::<Vec<_>>(),
    ))
}

/// The times of labels, of which `first` came before.
fn times_of(batch: &RecordBatch, name: &str, first: usize, shown: &str) -> Result<ArrayRef> {
    let column = batch
        .column_by_name(name)
        .expect("the columns were checked");
    let kind = column.data_type();
    let is_time = matches!(
        kind,
        DataType::Timestamp(..)
            | DataType::Date32
            | DataType::Date64
            | DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
    );
    if !is_time {
        let message = format!(
            "{shown}: column {name} is {kind}, and a label's time is a timestamp or a text such as 2026-11-01T10:00:00Z"
        );
        return Err(WrongSetup(message).into());
    }
    let utc = match kind {
        // A time without a zone is UTC: said first, so that no zone is added to it.
        DataType::Timestamp(unit, None) => {
            cast(column, &DataType::Timestamp(*unit, Some("UTC".into())))?
        }
        _ => Arc::clone(column),
    };
    let times = cast(&utc, &time_type())?;
    match (0..times.len()).find(|row| times.is_null(*row)) {
        None => Ok(times),
        Some(row) => {
            let message = format!(
                "{shown}, row {}: {name} is no time: write it as 2026-11-01T10:00:00Z",
                first + row + 1
            );
            Err(WrongSetup(message).into())
        }
    }
}
