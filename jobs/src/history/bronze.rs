//! The events of one version of bronze, a Kafka partition at a time, in the order that a meaning of time asks for.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, new_null_array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::physical_plan::{SendableRecordBatchStream, execute_stream};
use datafusion::prelude::SessionContext;
use userflow_lake::Snapshot;
use userflow_models::bronze::{
    self, INGESTED_AT, KAFKA_OFFSET, KAFKA_PARTITION, KAFKA_TIME, TOPIC_ID,
};
use userflow_models::contract::{Contract, EXTRA, INDEX, PARTITION};

use super::AsOf;
use crate::engine::{Engine, quoted};
use crate::scan::{SnapshotTable, Texts};
use crate::workspace::Workspace;

/// One version of a domain's bronze events.
pub struct Bronze {
    name: String,
    contract: Arc<Contract>,
    snapshot: Snapshot,
    engine: Arc<Engine>,
}

/// A Kafka partition of one topic, of which a deleted and newly created topic is another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// Null in rows from before topics had ids.
    pub topic_id: Option<String>,
    /// Null in rows that came from no topic.
    pub partition: Option<i32>,
}

/// Rows of bronze as the decoder gave them, in order.
pub struct Events {
    /// Columns of the contract's schema.
    pub batch: RecordBatch,
    /// Offset of each row's message.
    pub offsets: Vec<i64>,
    /// When each came, as Kafka says, microseconds UTC, but no later than it was ingested.
    pub said: Vec<i64>,
}

impl Bronze {
    /// The newest version.
    pub async fn open(workspace: &Workspace, contract: &Arc<Contract>) -> Result<Self> {
        let name = bronze::events(contract).name;
        Ok(Self {
            snapshot: workspace.snapshot(&name).await?,
            engine: Arc::clone(&workspace.engine),
            contract: Arc::clone(contract),
            name,
        })
    }

    /// The table's name and version.
    pub fn version(&self) -> (&str, i64) {
        (&self.name, self.snapshot.version())
    }

    fn session(&self) -> Result<SessionContext> {
        let table = SnapshotTable::new(Engine::lake_url()?, &self.snapshot, None);
        let table = Arc::new(table.texts(Texts::Copies));
        // Partitions are read beside one another, each in one thread.
        self.engine.session(1, [(self.name.clone(), table as _)])
    }

    /// The Kafka partitions that there are events of, with how many.
    pub async fn sources(&self, since: Option<&str>) -> Result<BTreeMap<Source, u64>> {
        let [topic_id, partition] = [TOPIC_ID, KAFKA_PARTITION].map(quoted);
        let dates = dates(since, None);
        let sql = format!(
            "select {topic_id}, {partition}, count(*) from {} {dates} group by 1, 2",
            self.name
        );
        let batches = self.session()?.sql(&sql).await?.collect().await?;
        let mut sources = BTreeMap::new();
        for batch in batches {
            let topics = cast(batch.column(0), &DataType::Utf8)?;
            let (topics, counts) = (
                topics.as_string::<i32>(),
                batch.column(2).as_primitive::<Int64Type>(),
            );
            let partitions = batch
                .column(1)
                .as_primitive::<datafusion::arrow::datatypes::Int32Type>();
            for row in 0..batch.num_rows() {
                let source = Source {
                    topic_id: (topics.is_valid(row)).then(|| topics.value(row).to_owned()),
                    partition: (partitions.is_valid(row)).then(|| partitions.value(row)),
                };
                sources.insert(source, counts.value(row).cast_unsigned());
            }
        }
        Ok(sources)
    }

    /// The events of a Kafka partition, in order: of offsets, or of event time up to `until` (microseconds UTC). Only those of dates from
    /// `since` on.
    pub async fn events(
        &self,
        source: &Source,
        as_of: AsOf,
        since: Option<&str>,
        until: i64,
    ) -> Result<SendableRecordBatchStream> {
        let session = self.session()?;
        // What no feature can read costs more than all the rest.
        let unread = [EXTRA];
        let columns = self.snapshot.schema();
        let columns = columns.fields().iter().map(|field| field.name().as_str());
        let columns = columns.filter(|name| !unread.contains(name)).map(quoted);
        let columns = columns.collect::<Vec<_>>().join(", ");
        let event_time = quoted(self.contract.event_time());
        let of_source = |column: &str, value: Option<String>| match value {
            Some(value) => format!("{} = {value}", quoted(column)),
            None => format!("{} is null", quoted(column)),
        };
        let topic_id = source
            .topic_id
            .as_ref()
            .map(|id| format!("'{}'", id.replace('\'', "''")));
        let mut conditions = vec![
            of_source(TOPIC_ID, topic_id),
            of_source(
                KAFKA_PARTITION,
                source.partition.map(|number| number.to_string()),
            ),
        ];
        if as_of == AsOf::EventTime {
            conditions.push(format!("{event_time} <= to_timestamp_micros({until})"));
        }
        let dates = dates(since, Some(&conditions.join(" and ")));
        let mut order = vec![quoted(KAFKA_OFFSET)];
        if self.contract.schema().column_with_name(INDEX).is_some() {
            order.push(quoted(INDEX));
        }
        if as_of == AsOf::EventTime {
            order.insert(0, event_time);
        }
        let order = order.join(", ");
        let sql = format!(
            "select {columns} from {} {dates} order by {order}",
            self.name
        );
        let plan = session.sql(&sql).await?.create_physical_plan().await?;
        execute_stream(plan, session.task_ctx()).with_context(|| format!("read {}", self.name))
    }

    /// Rows of [`Bronze::events`] as the decoder gave them; a column that an older table lacks is null.
    pub fn decoded(&self, rows: &RecordBatch) -> Result<Events> {
        let offsets = cast(column(rows, KAFKA_OFFSET)?, &DataType::Int64)?;
        let offsets = offsets.as_primitive::<Int64Type>().values().to_vec();
        let (kafka, ingested) = (
            micros(column(rows, KAFKA_TIME)?)?,
            micros(column(rows, INGESTED_AT)?)?,
        );
        let said = kafka
            .iter()
            .zip(&ingested)
            .map(|(kafka, ingested)| match (kafka, ingested) {
                (Some(kafka), Some(ingested)) => *kafka.min(ingested),
                (one, other) => one.or(*other).unwrap_or(i64::MIN),
            });
        Ok(Events {
            said: said.collect(),
            offsets,
            batch: contract_columns(rows, &self.contract)?,
        })
    }
}

impl Events {
    /// A column of times, microseconds UTC.
    pub fn times(&self, column: usize) -> Result<Vec<i64>> {
        let times = micros(self.batch.column(column))?.into_iter();
        let times = times.collect::<Option<Vec<_>>>();
        times.context("bronze has no event without its time")
    }
}

/// The columns of the contract's schema, with its types; one that is not there is null.
pub fn contract_columns(rows: &RecordBatch, contract: &Contract) -> Result<RecordBatch> {
    let schema = contract.schema();
    let columns = schema
        .fields()
        .iter()
        .map(|field| match rows.column_by_name(field.name()) {
            Some(column) => cast(column, field.data_type()),
            None => Ok(new_null_array(field.data_type(), rows.num_rows())),
        });
    let columns = columns.collect::<Result<_, _>>()?;
    Ok(RecordBatch::try_new(Arc::clone(&schema), columns)?)
}

fn column<'a>(rows: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    (rows.column_by_name(name)).with_context(|| format!("bronze has the column {name}"))
}

fn micros(column: &ArrayRef) -> Result<Vec<Option<i64>>> {
    let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let times = cast(column, &micros)?;
    Ok(times
        .as_primitive::<TimestampMicrosecondType>()
        .iter()
        .collect())
}

/// The condition of a query, which files are left out by.
fn dates(since: Option<&str>, condition: Option<&str>) -> String {
    let since = since.map(|date| format!("{PARTITION} >= date '{date}'"));
    let all: Vec<&str> = (since.as_deref().into_iter()).chain(condition).collect();
    match all.is_empty() {
        true => String::new(),
        false => format!("where {}", all.join(" and ")),
    }
}

/// When the messages of a partition had come, in the order of their offsets.
///
/// A message cannot have come before the one at the offset before it, whatever its producer's clock said: what counts is the latest time so
/// far. So a clock that is behind makes nothing known too early. One that is ahead is bounded by the time of ingestion.
#[derive(Debug)]
pub struct Arrivals(i64);

impl Default for Arrivals {
    fn default() -> Self {
        Self(i64::MIN)
    }
}

impl Arrivals {
    /// Takes what the next message says.
    pub fn next(&mut self, said: i64) -> i64 {
        self.0 = self.0.max(said);
        self.0
    }
}
