//! Arguments of `try`.

use std::path::PathBuf;

use clap::Args;

use crate::config::WindowArgs;

/// Settings of `try`.
#[derive(Clone, Debug, Args)]
pub struct TryArgs {
    /// A feature view, such as user_1h, or a table, such as gold.user_daily
    #[arg(value_name = "VIEW|MODEL")]
    pub name: String,
    /// Of a view: the events, one JSON message a line, in the order in which they come; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from_lake", "date", "from"])]
    pub events: Option<PathBuf>,
    /// Of a view: the events of bronze on --date, or from --from to --to
    #[arg(long)]
    pub from_lake: bool,
    /// The windows.
    #[command(flatten)]
    pub window: WindowArgs,
    /// Of a view: only rows of this entity; several key columns are separated by commas
    #[arg(long, value_name = "KEY")]
    pub entity: Option<String>,
    /// Compare with the definition in this models folder; by default with that of git's HEAD, where the file was edited since, and a
    /// model that is not in git with what its table holds
    #[arg(long, value_name = "FOLDER")]
    pub against: Option<PathBuf>,
    /// Print at most so many rows
    #[arg(long, default_value = "20", value_name = "N")]
    pub limit: usize,
    /// Characters of a line, 0 for no limit; default those of the terminal, and no limit where the output goes elsewhere
    #[arg(long, env = "COLUMNS", value_name = "N")]
    pub width: Option<usize>,
}

/// What `--help` says below the options.
pub const HELP: &str = "\
  userflow-jobs try music_user_1h --events plays.jsonl --entity ann
  userflow-jobs try music_user_1h --from-lake --date 2026-11-01
  userflow-jobs try gold.music_user_daily --date 2026-11-01 --limit 5

A view's rows are printed as they would change, event by event, a model's as a run of it would give them. Where the file was edited
since git's HEAD, the rows that both definitions end with are compared: how many differ, and how. A model that is not in git is compared
with what its table holds. Nothing is written.
A view starts empty: what happened before the first event that is read is not in its windows. All events count as of one partition.";
