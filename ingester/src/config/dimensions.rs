//! Settings of the dimensions that views join.

use std::time::Duration;

use clap::Args;
use userflow_process::postgres_table::Limits;
use userflow_process::units::size_from;

use super::values::{LEAST_SIZE, seconds};

/// How dimensions are read.
#[derive(Clone, Debug, Args)]
pub struct DimensionArgs {
    /// How often the files of dimensions that views join are looked at; one that has changed is read again
    #[arg(id = "dimension_interval", long = "dimension-interval", env = "USERFLOW_DIMENSION_INTERVAL", default_value = "2s", value_name = "DURATION", value_parser = seconds("2s"))]
    pub interval: Duration,
    /// How often PostgreSQL is asked whether the tables of dimensions have changed, which reads them on the server; one that has is read again
    #[arg(id = "dimension_table_interval", long = "dimension-table-interval", env = "USERFLOW_DIMENSION_TABLE_INTERVAL", default_value = "30s", value_name = "DURATION", value_parser = seconds("30s"))]
    pub table_interval: Duration,
    /// Most rows of a dimension; one with more is not read
    #[arg(
        id = "dimension_rows",
        long = "dimension-rows",
        env = "USERFLOW_DIMENSION_ROWS",
        default_value = "1000000",
        value_name = "N"
    )]
    pub rows: u32,
    /// Most bytes of a dimension, of its file or of its cells as text; one with more is not read
    #[arg(id = "dimension_bytes", long = "dimension-bytes", env = "USERFLOW_DIMENSION_BYTES", default_value = "256MB", value_name = "SIZE", value_parser = size_from(LEAST_SIZE, "256MB"))]
    pub bytes: usize,
}

impl DimensionArgs {
    /// Most of a dimension that is read.
    pub fn limits(&self) -> Limits {
        Limits {
            rows: self.rows.into(),
            bytes: u64::try_from(self.bytes).unwrap_or(u64::MAX),
        }
    }
}
