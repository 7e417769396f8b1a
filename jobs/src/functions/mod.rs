//! SQL functions that models have here beside DataFusion's own. Each is DuckDB's of the same name, so that real dbt computes the same
//! cells. Not here: which functions are taken away, because they would make a result depend on more than its inputs ([`crate::engine`]).

mod arg_min;
mod byte_slots;

pub use arg_min::ArgMin;
