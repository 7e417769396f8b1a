//! The Parquet files of a table.
//!
//! Files are tens of megabytes, bounded by the caller's flush size, so a file is one buffer and one PUT: nothing
//! half-written can be seen, and a failed PUT leaves the rows with the caller.
//!
//! ```text
//! settings ─▶ writer (rows to bytes, with statistics) ─▶ new_file (stored, in no version) ─▶ data_file (in a version)
//! ```

mod data_file;
mod new_file;
mod settings;
mod statistics;
mod writer;

pub use data_file::DataFile;
pub(crate) use data_file::row_count;
pub use new_file::NewFile;
pub use settings::WriteSettings;
pub use writer::{EncodedFile, FileWriter};
