//! Settings of `load`.

use std::path::PathBuf;

use clap::Args;
use userflow_process::arguments::{LakeArgs, ModelsArgs};

use super::ingest::FlushArgs;
use super::output::Output;

/// What `--help` says beyond the options.
pub const HELP: &str = "\
History, an export, another system's log: one JSON message per line, as it would be in the topic.

  userflow-ingester load --domain D --dry-run exports/     what would land, what would be refused and why
  userflow-ingester load --domain D exports/               land it
  userflow-jobs run '+gold.*' --planned                    the windows that the new rows touch

A folder's files are those that end in .jsonl, .ndjson, .jsonl.gz, .ndjson.gz, .jsonl.zst or .ndjson.zst, in its folders too; a file
that is named is read whatever its name. How it is compressed is told by its first bytes.

A content is landed once: the same bytes under another name, or compressed in another way, are passed over, and the summary says so. Kill
it at any moment and run it again: it goes on where the table stands. Run it beside `ingest`, and two at once. A file that grew is
another content, of which every line lands: load a file when nobody writes to it any more.

Rows have `_topic_id` = sha256:<hash> <file>, `_offset` = the line, `_kafka_time` = null. Refused lines go to the quarantine, blank ones
nowhere. Events may be as old as the year 2000, whatever the contract's max_past; max_future counts from now.
Exit codes: 0 done, 1 failed (a file is damaged or changed, the lake is away) and safe to retry, 2 wrong usage or contract, 4 another
`load` of the same files kept coming between.";

/// Settings of `load`.
#[derive(Clone, Debug, Args)]
pub struct LoadArgs {
    /// Files of JSON lines, plain or compressed by gzip or zstd, and folders of them
    #[arg(required = true, value_name = "FILES")]
    pub files: Vec<PathBuf>,
    /// The domain: a folder under --models with a contract.json
    #[arg(long, env = "USERFLOW_DOMAIN", value_name = "NAME")]
    pub domain: String,
    /// Where domains are.
    #[command(flatten)]
    pub models: ModelsArgs,
    /// The lake.
    #[command(flatten)]
    pub lake: LakeArgs,
    /// Flushing.
    #[command(flatten)]
    pub flush: FlushArgs,
    /// Say what would land, and what would be refused and why, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How the closing summary is printed
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}
