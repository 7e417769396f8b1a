//! The query engine: DataFusion with a bounded memory pool that spills, time zone UTC, and without the functions that would make a
//! result depend on anything but its inputs.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use datafusion::catalog::{CatalogProvider, MemorySchemaProvider, TableProvider};
use datafusion::common::config::ConfigNonZeroUsize;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::TrackConsumersPool;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};
use userflow_lake::Lake;

use crate::config::Common;
use crate::functions::{ArgMin, is_json_object};
use crate::memory::SharedPool;
use crate::spill;

/// The scheme under which the lake's store is registered in every session.
const LAKE_URL: &str = "lake://tables/";
/// The catalog of every session; models never name it.
const CATALOG: &str = "lake";
/// One part in so many of the memory limit is what operators may reserve. The rest is for what they do not account for: decoding, the rows
/// between operators, the copies that a spill and a join's build make, the Parquet files being encoded. Measured with 30 M events:
/// `tests/bench/run --events 30000000 bronze batch`.
const POOL_SHARE: usize = 2;
/// A batch has a row for each so many bytes of a thread's part of the pool. An operator that merges what it spilled holds a batch of each
/// run and one of results, and cannot spill these. A memory limit of 2 GB and two threads make 8,192 rows, DataFusion's own.
const BYTES_PER_ROW: usize = 64 << 10;
/// Rows of the smallest batch: below, the work per batch is more than that of its rows.
const SMALLEST_BATCH: usize = 256;
/// Functions that read a clock or make up values: a run must be a function of its inputs.
const UNREPEATABLE: [&str; 10] = [
    "now",
    "current_timestamp",
    "current_date",
    "today",
    "current_time",
    "random",
    "uuid",
    "uuidv4",
    "uuidv7",
    "version",
];

/// What the sessions of one process share: the memory pool, the spill folder, the lake.
pub struct Engine {
    runtime: Arc<RuntimeEnv>,
    pool_size: usize,
    threads: usize,
    spill_dir: PathBuf,
}

impl Engine {
    /// Sets up the pool, the spill folder and the store.
    pub fn new(settings: &Common, lake: &Lake) -> Result<Self> {
        let engine = Self::without_lake(settings)?;
        let url = url::Url::parse(LAKE_URL).context("parse the lake's URL")?;
        (engine.runtime).register_object_store(&url, lake.object_store());
        Ok(engine)
    }

    /// The same for queries over tables in memory only.
    pub fn without_lake(settings: &Common) -> Result<Self> {
        let pool_size = settings.memory_limit / POOL_SHARE;
        let pool = SharedPool::new(pool_size);
        let shown = const { NonZeroUsize::new(3).expect("three is not zero") };
        if let Some(folder) = &settings.spill_dir {
            spill::usable(folder)?;
        }
        let mode = match &settings.spill_dir {
            Some(folder) => DiskManagerMode::Directories(vec![folder.clone()]),
            None => DiskManagerMode::OsTmpDirectory,
        };
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(TrackConsumersPool::new(pool, shown)))
            .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(mode))
            .build_arc()
            .context("set up the query engine")?;
        Ok(Self {
            runtime,
            pool_size,
            threads: settings.threads(),
            spill_dir: settings.spill_dir(),
        })
    }

    /// Threads that one query may use.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Bytes that the operators of all queries may reserve.
    pub fn pool_size(&self) -> usize {
        self.pool_size
    }

    /// The folder for what queries spill.
    pub fn spill_dir(&self) -> &Path {
        &self.spill_dir
    }

    /// Where sessions find the lake's files.
    pub fn lake_url() -> Result<ObjectStoreUrl> {
        ObjectStoreUrl::parse(LAKE_URL).context("parse the lake's URL")
    }

    /// A session with these tables, each under its `schema.table` name, and nothing else.
    pub fn session(
        &self,
        parallelism: usize,
        tables: impl IntoIterator<Item = (String, Arc<dyn TableProvider>)>,
    ) -> Result<SessionContext> {
        let mut config = SessionConfig::new()
            .with_target_partitions(parallelism.max(1))
            .with_default_catalog_and_schema(CATALOG, "public")
            .with_create_default_catalog_and_schema(true);
        let options = config.options_mut();
        // The last sort runs in one piece: merging the sorted parts of several threads needs memory that cannot spill, and the parts
        // have taken it all by then.
        options.optimizer.repartition_sorts = false;
        // A join's left side is collected and its right side streams by. Models put the small side left; shuffling both by their key
        // copies every row of the large one (a fifth of the time of a silver day), and neither way can spill.
        options.optimizer.repartition_joins = false;
        // Sorts set this much aside to merge what they spilled, each of them; the default is meant for large pools.
        let share = self.pool_size / 16 / parallelism.max(1);
        options.execution.sort_spill_reservation_bytes =
            options.execution.sort_spill_reservation_bytes.min(share);
        // Of what waits between operators every batch is spilled to a file of its own. With two in a file that is still written to, readers
        // and writers can come to wait for each other for ever (DataFusion's issue 24883, mended after 55.2).
        options.execution.max_spill_file_size_bytes = ConfigNonZeroUsize::try_new(1)?;
        options.execution.time_zone = Some("UTC".into());
        options.sql_parser.collect_spans = true;
        let rows = self.pool_size / self.threads.max(1) / BYTES_PER_ROW;
        let largest = options.execution.batch_size.get();
        config = config.with_batch_size(rows.clamp(SMALLEST_BATCH, largest));
        let context = SessionContext::new_with_config_rt(config, Arc::clone(&self.runtime));
        for function in UNREPEATABLE {
            context.deregister_udf(function);
        }
        for function in [ArgMin::first(), ArgMin::last()] {
            context.register_udaf(function.into());
        }
        context.register_udf(is_json_object());
        let catalog = context
            .catalog(CATALOG)
            .context("open the session's catalog")?;
        for (name, table) in tables {
            let (schema, table_name) = name
                .split_once('.')
                .with_context(|| format!("{name} has no schema"))?;
            schema_of(&catalog, schema)?.register_table(table_name.to_owned(), table)?;
        }
        Ok(context)
    }
}

fn schema_of(
    catalog: &Arc<dyn CatalogProvider>,
    name: &str,
) -> Result<Arc<dyn datafusion::catalog::SchemaProvider>> {
    if let Some(schema) = catalog.schema(name) {
        return Ok(schema);
    }
    let schema = Arc::new(MemorySchemaProvider::new());
    catalog.register_schema(name, Arc::clone(&schema) as _)?;
    Ok(schema)
}

/// A name of a column as SQL has it, whatever is in the name.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
