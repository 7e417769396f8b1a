//! The events that a view is tried on: lines of a file, or rows of bronze in the order in which Kafka received them.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::physical_plan::execute_stream;
use futures::TryStreamExt;
use userflow_models::bronze;
use userflow_models::contract::{Contract, PARTITION};
use userflow_models::decode::Decoder;
use userflow_models::project::WindowRange;
use userflow_process::exit::WrongSetup;

use crate::engine::{Engine, quoted};
use crate::history::contract_columns;
use crate::scan::{SnapshotTable, Texts};
use crate::workspace::Workspace;

/// Lines that are decoded before they are handed on.
const LINES: usize = 4_096;

/// Events in the order in which they come.
pub(super) struct Events {
    /// Columns of the contract's schema.
    pub(super) batch: RecordBatch,
    /// When Kafka received each, microseconds UTC, if that is known.
    pub(super) arrived: Vec<Option<i64>>,
}

/// Hands on the events of a file, and says how many lines the contract refuses, with the first one's reason.
pub(super) fn of_file(
    file: &Path,
    contract: &Contract,
    mut each: impl FnMut(&Events) -> Result<()>,
) -> Result<(u64, Option<String>)> {
    let shown = file.display();
    let input: Box<dyn Read> = match file.to_str() {
        Some("-") => Box::new(std::io::stdin()),
        _ => Box::new(
            std::fs::File::open(file).map_err(|error| WrongSetup(format!("{shown}: {error}")))?,
        ),
    };
    let mut decoder = Decoder::new(contract);
    let (mut refused, mut first) = (0, None);
    let mut hand_on = |decoder: &mut Decoder| {
        let batch = decoder.finish();
        // A line does not say when Kafka received it.
        let arrived = vec![None; batch.num_rows()];
        each(&Events { batch, arrived })
    };
    for (number, line) in BufReader::new(input).split(b'\n').enumerate() {
        let line = line.with_context(|| format!("read {shown}"))?;
        let line = line.trim_ascii_end();
        if line.is_empty() {
            continue;
        }
        if let Err(rejection) = decoder.decode(line, -1) {
            refused += 1;
            first.get_or_insert_with(|| format!("{shown}:{}: {rejection}", number + 1));
        }
        if decoder.rows() >= LINES {
            hand_on(&mut decoder)?;
        }
    }
    hand_on(&mut decoder)?;
    Ok((refused, first))
}

/// Hands on the events of bronze on some dates.
pub(super) async fn of_lake(
    workspace: &Workspace,
    contract: &Contract,
    range: WindowRange,
    mut each: impl FnMut(&Events) -> Result<()>,
) -> Result<()> {
    let name = bronze::events(contract).name;
    let snapshot = workspace.snapshot(&name).await?;
    let table = SnapshotTable::new(Engine::lake_url()?, &snapshot, None).texts(Texts::Copies);
    let threads = workspace.engine.threads();
    let session = workspace
        .engine
        .session(threads, [(name.clone(), Arc::new(table) as _)])?;
    let first = range.windows().next().context("a range has a window")?;
    let last = range
        .windows()
        .next_back()
        .context("a range has a window")?;
    let order = [
        bronze::KAFKA_TIME,
        bronze::TOPIC_ID,
        bronze::KAFKA_PARTITION,
        bronze::KAFKA_OFFSET,
        contract.event_time(),
    ];
    let order = order.map(quoted).join(", ");
    let sql = format!(
        "select * from {name} where {PARTITION} between date '{first}' and date '{last}' order by {order}"
    );
    let plan = session.sql(&sql).await?.create_physical_plan().await?;
    let mut rows = execute_stream(plan, session.task_ctx())?;
    while let Some(batch) = rows.try_next().await? {
        each(&decoded(&batch, contract)?)?;
    }
    Ok(())
}

/// Rows of bronze as the decoder gave them.
fn decoded(rows: &RecordBatch, contract: &Contract) -> Result<Events> {
    let times = rows
        .column_by_name(bronze::KAFKA_TIME)
        .context("bronze has Kafka's time")?;
    let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let times = cast(times, &micros)?;
    let arrived = times.as_primitive::<TimestampMicrosecondType>();
    Ok(Events {
        arrived: (0..times.len())
            .map(|row| arrived.is_valid(row).then(|| arrived.value(row)))
            .collect(),
        batch: contract_columns(rows, contract)?,
    })
}
