//! A version of a lake table as a DataFusion table: exactly the files of one snapshot, pruned by partition before any is opened.
//!
//! The planner gets no row counts, although the log has them. From counts without the distribution of values it guesses the sizes of
//! filtered and grouped inputs, and builds hash tables on the wrong side of a join. Without counts it keeps the order of the join in the
//! model's SQL (the first side is kept in memory), and the plan does not change from day to day.
//!
//! A job that reads a table twice, or over an hour, reads the same rows: it never sees later versions. Not here: what is written
//! ([`crate::run`]).

mod prune;

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, ScalarValue, plan_err, project_schema};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use object_store::ObjectMeta;
use object_store::path::Path;
use userflow_lake::{DataFile, PARTITION, Snapshot};

/// One version of a table, ready to be queried.
#[derive(Debug)]
pub struct SnapshotTable {
    store: ObjectStoreUrl,
    prefix: Path,
    files: Vec<DataFile>,
    /// The files' columns, then the partition column.
    schema: SchemaRef,
    /// The files' columns.
    file_schema: SchemaRef,
    /// The only dates that a query may touch, and how to say so when it touches others.
    bounds: Option<Bounds>,
}

/// The dates that a model declares to read of a table.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Days since 1970-01-01.
    pub dates: Range<i32>,
    /// What to do when the query reads other dates.
    pub advice: String,
}

impl SnapshotTable {
    /// The table of a snapshot whose files lie in `store`.
    ///
    /// With `bounds`, a query that would open a file of another date is refused when it is planned: what `plan` knows about a
    /// model's inputs is then true, and a filter that does not prune is found on the first day and not on the thousandth.
    pub fn new(store: ObjectStoreUrl, snapshot: &Snapshot, bounds: Option<Bounds>) -> Self {
        let columns = snapshot.schema();
        let data = columns
            .fields()
            .iter()
            .filter(|field| field.name() != PARTITION);
        let file_schema = Arc::new(Schema::new(data.map(as_view).collect::<Fields>()));
        let partition = Field::new(PARTITION, DataType::Date32, true);
        let all = file_schema
            .fields()
            .iter()
            .cloned()
            .chain([Arc::new(partition)]);
        Self {
            store,
            prefix: snapshot.table().prefix(),
            files: snapshot.files().to_vec(),
            schema: Arc::new(Schema::new(all.collect::<Fields>())),
            file_schema,
            bounds,
        }
    }

    /// The same table, its texts read as said.
    pub fn texts(mut self, texts: Texts) -> Self {
        if texts == Texts::Copies {
            let copied = |schema: &Schema| {
                Arc::new(Schema::new(
                    schema.fields().iter().map(as_copy).collect::<Fields>(),
                ))
            };
            self.schema = copied(&self.schema);
            self.file_schema = copied(&self.file_schema);
        }
        self
    }

    /// The same table with only these of its files.
    pub fn only(mut self, files: Vec<DataFile>) -> Self {
        self.files = files;
        self
    }

    fn check_bounds(&self, files: &[&DataFile]) -> Result<()> {
        let Some(Bounds { dates, advice }) = &self.bounds else {
            return Ok(());
        };
        let outside = |file: &&&DataFile| !file.partition.is_some_and(|date| dates.contains(&date));
        match files.iter().find(outside) {
            None => Ok(()),
            Some(file) => plan_err!("the query reads {}/{}, {advice}", self.prefix, file.path),
        }
    }

    fn partitioned(&self, file: &DataFile) -> PartitionedFile {
        let location = Path::from_iter(
            self.prefix
                .parts()
                .chain(Path::from(file.path.as_str()).parts()),
        );
        let meta = ObjectMeta {
            location,
            last_modified: Default::default(),
            size: file.size,
            e_tag: None,
            version: None,
        };
        PartitionedFile::new_from_meta(meta)
            .with_partition_values(vec![ScalarValue::Date32(file.partition)])
    }
}

/// How strings and bytes are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Texts {
    /// As views: no copy out of the Parquet page. A batch of views counts as memory all that they point into: few rows of a sorted batch
    /// can count the pages of the whole file, once for each column.
    Views,
    /// Copied: slower, and a batch counts its own.
    Copies,
}

fn as_copy(field: &Arc<Field>) -> Arc<Field> {
    let data_type = match field.data_type() {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        _ => return Arc::clone(field),
    };
    Arc::new(field.as_ref().clone().with_data_type(data_type))
}

fn as_view(field: &Arc<Field>) -> Arc<Field> {
    match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => {
            Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8View))
        }
        DataType::Binary | DataType::LargeBinary => {
            Arc::new(field.as_ref().clone().with_data_type(DataType::BinaryView))
        }
        _ => Arc::clone(field),
    }
}

#[async_trait]
impl TableProvider for SnapshotTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| match prune::on_partition_only(filter) {
            true => TableProviderFilterPushDown::Exact,
            false => TableProviderFilterPushDown::Inexact,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let kept = prune::files(state, &self.files, filters)?;
        self.check_bounds(&kept)?;
        if kept.is_empty() {
            let projected = project_schema(&self.schema, projection)?;
            return Ok(Arc::new(EmptyExec::new(projected)));
        }
        let files: Vec<PartitionedFile> = kept
            .into_iter()
            .map(|file| self.partitioned(file))
            .collect();
        let groups = FileGroup::new(files).split_files(state.config().target_partitions());
        let partition = Arc::new(self.schema.field(self.schema.fields().len() - 1).clone());
        let columns = TableSchema::builder(Arc::clone(&self.file_schema))
            .with_table_partition_cols(vec![partition]);
        let source = ParquetSource::new(columns.build())
            .with_table_parquet_options(state.default_table_options().parquet);
        let config = FileScanConfigBuilder::new(self.store.clone(), Arc::new(source))
            .with_file_groups(groups)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}
