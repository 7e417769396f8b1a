//! SQL functions that models have here beside DataFusion's own. Each is DuckDB's of the same name, so that real dbt computes the same
//! cells; beside them is what only the checks of this program use, and what merges partials in the online store. Not here: which functions are taken away, because they would make a result depend on more than its inputs ([`crate::engine`]).

mod arg_min;
mod byte_slots;
mod json_object;
mod of_online;

pub use arg_min::ArgMin;
pub use json_object::{IS_JSON_OBJECT, is_json_object};
pub use of_online::register_online;
