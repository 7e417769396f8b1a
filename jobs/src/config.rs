//! Settings: one struct per job, each field a flag. What belongs to a deployment (where things are, how much memory there is) has an
//! environment variable too; what somebody decides for one run has none, so that an exported variable changes no job. The only file of
//! this crate that reads the environment.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use userflow_models::ConfigError;
use userflow_models::project::WindowRange;
use userflow_process::arguments::{LakeArgs, LogArgs, ModelsArgs};
use userflow_process::postgres::PostgresUrl;
use userflow_process::units::{LONGEST, duration_within, size_from};

use crate::notify::Webhook;
use crate::register::{CatalogName, Location};
use crate::trino::TrinoUrl;

/// Settings of every job.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// Where domains are.
    #[command(flatten)]
    pub models: ModelsArgs,
    /// The lake.
    #[command(flatten)]
    pub lake: LakeArgs,
    /// What to log.
    #[command(flatten)]
    pub log: LogArgs,
    /// Bound of the memory of queries; beyond it they spill to disk
    #[arg(long, env = "USERFLOW_JOBS_MEMORY_LIMIT", default_value = "2GB", global = true, value_name = "SIZE", value_parser = size_from(1 << 20, "2GB"))]
    pub memory_limit: usize,
    /// Threads; default one per core
    #[arg(long, env = "USERFLOW_THREADS", global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Folder for what queries spill; default the system's temporary folder
    #[arg(long, env = "USERFLOW_SPILL_DIR", global = true, value_name = "FOLDER")]
    pub spill_dir: Option<PathBuf>,
    /// How the result is printed: for people, or as one JSON object on standard output and nothing else there; csv is for `show`
    #[arg(long, value_enum, default_value_t = Output::Text, global = true)]
    pub output: Output,
}

impl Common {
    /// Threads to run on.
    pub fn threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, Into::into);
        self.threads.map_or_else(cores, usize::from)
    }

    /// The folder for what queries spill.
    pub fn spill_dir(&self) -> PathBuf {
        self.spill_dir.clone().unwrap_or_else(std::env::temp_dir)
    }

    /// The runtime that everything runs in. Multi-threaded even for one thread: the log's checkpoints need it.
    pub fn start_runtime(&self) -> anyhow::Result<tokio::runtime::Runtime> {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(self.threads())
            .enable_all()
            .build()
            .context("start the runtime")
    }
}

/// How a result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// One JSON object.
    Json,
    /// The rows of a table, exactly.
    Csv,
}

/// Settings of `init`.
#[derive(Clone, Debug, Args)]
pub struct InitArgs {
    /// Only this domain; default all under --models
    #[arg(long, env = "USERFLOW_DOMAIN", value_name = "NAME")]
    pub domain: Option<String>,
    /// The online store and the operations tables, postgres://user:password@host:5432/database; without it only the lake is prepared
    #[arg(
        long,
        env = "USERFLOW_POSTGRES_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub postgres_url: Option<PostgresUrl>,
    /// Drop the online rows of this feature view and make its table again; repeatable
    #[arg(
        long,
        value_name = "VIEW",
        value_delimiter = ',',
        requires = "postgres_url"
    )]
    pub recreate: Vec<String>,
    /// Say what would be created or added, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// The window or range of windows of a job: a date, or from and to. T is a date or a date-hour, widened to its day.
#[derive(Clone, Debug, Args)]
pub struct WindowArgs {
    /// The window: 2026-11-01, or an hour of it, 2026-11-01T05 (UTC)
    #[arg(long, value_name = "T", conflicts_with_all = ["from", "to"])]
    pub date: Option<String>,
    /// Start of a range of windows
    #[arg(long, value_name = "T", requires = "to")]
    pub from: Option<String>,
    /// End of the range, exclusive
    #[arg(long, value_name = "T", requires = "from")]
    pub to: Option<String>,
}

impl WindowArgs {
    /// The windows asked for, when any are.
    pub fn range(&self) -> Result<Option<WindowRange>, ConfigError> {
        match (&self.date, &self.from, &self.to) {
            (Some(date), ..) => WindowRange::date(date).map(Some),
            (None, Some(from), Some(to)) => WindowRange::span(from, to).map(Some),
            _ => Ok(None),
        }
    }

    /// The windows asked for, which must be some.
    pub fn required(&self) -> Result<WindowRange, ConfigError> {
        let missing =
            || ConfigError::Window("no window: give --date T, or --from T and --to T".into());
        self.range()?.ok_or_else(missing)
    }
}

/// Settings of `list`.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Models: silver.sessions, gold.*, +gold.x with its ancestors, silver.y+ with its descendants; default all
    #[arg(value_name = "MODEL", value_delimiter = ' ')]
    pub select: Vec<String>,
}

/// Settings of `compile`.
#[derive(Clone, Debug, Args)]
pub struct CompileArgs {
    /// Models: silver.sessions, gold.*, +gold.x with its ancestors, silver.y+ with its descendants; default all
    #[arg(value_name = "MODEL", value_delimiter = ' ')]
    pub select: Vec<String>,
    /// The window.
    #[command(flatten)]
    pub window: WindowArgs,
    /// Write <folder>/<layer>/<table>.sql instead of printing
    #[arg(long, value_name = "FOLDER")]
    pub into: Option<PathBuf>,
}

/// Settings of `plan`.
#[derive(Clone, Debug, Args)]
pub struct PlanArgs {
    /// Models: silver.sessions, gold.*, +gold.x with its ancestors, silver.y+ with its descendants; default all
    #[arg(value_name = "MODEL", value_delimiter = ' ')]
    pub select: Vec<String>,
    /// Only windows of this range.
    #[command(flatten)]
    pub window: WindowArgs,
}

/// Settings of `run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Models: silver.sessions, gold.*, +gold.x with its ancestors, silver.y+ with its descendants
    #[arg(value_name = "MODEL", required = true, value_delimiter = ' ')]
    pub select: Vec<String>,
    /// The windows.
    #[command(flatten)]
    pub window: WindowArgs,
    /// Run the windows that `plan` lists, instead of a range
    #[arg(long, conflicts_with = "date")]
    pub planned: bool,
    /// Judge open sessions as of this time (RFC 3339) instead of the end of the window plus the model's margin
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<DateTime<Utc>>,
    /// Compute and judge, but write and commit nothing; the query runs again for each question about its rows
    #[arg(long)]
    pub dry_run: bool,
    /// What the gate does.
    #[command(flatten)]
    pub gate: GateArgs,
    /// Where word is left.
    #[command(flatten)]
    pub ops: OpsArgs,
    /// Whom it tells.
    #[command(flatten)]
    pub notify: NotifyArgs,
}

/// The quality gate of `run` and `backfill`.
#[derive(Clone, Debug, Args)]
pub struct GateArgs {
    /// For emergencies: publish also what the quality gate blocks. It is still judged, logged as blocked and said loudly
    #[arg(long)]
    pub publish_blocked: bool,
}

/// Where a job leaves word of what it did.
#[derive(Clone, Debug, Args)]
pub struct OpsArgs {
    /// Log every window in ops.job_runs and every test in ops.quality_log: postgres://user:password@host:5432/database
    #[arg(
        long,
        env = "USERFLOW_POSTGRES_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub postgres_url: Option<PostgresUrl>,
    /// Who asked for it, for ops.job_runs; default user@host
    #[arg(long, env = "USERFLOW_ASKED_BY", value_name = "NAME")]
    pub asked_by: Option<String>,
    #[arg(long, env = "USER", hide = true, value_name = "NAME")]
    user: Option<String>,
}

impl OpsArgs {
    /// Who asked for it.
    pub fn asked_by(&self) -> String {
        let default = || {
            let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
            let user = self.user.as_deref().unwrap_or("unknown");
            format!("{user}@{}", host.trim())
        };
        self.asked_by.clone().unwrap_or_else(default)
    }
}

/// Whom a job tells how it ended.
#[derive(Clone, Debug, Args)]
pub struct NotifyArgs {
    /// Tell Slack how it ended: done, blocked with the failing tests, failed, recovered
    #[arg(long)]
    pub notify: bool,
    /// The incoming webhook, https://hooks.slack.com/services/…: a secret, so set the variable instead of writing it on the command line
    #[arg(
        long,
        env = "USERFLOW_SLACK_WEBHOOK",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub slack_webhook: Option<Webhook>,
}

/// Settings of `check`.
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// Tables to judge by their tests: bronze.events, gold.*; default all of all domains
    #[arg(value_name = "TABLE", value_delimiter = ' ')]
    pub tables: Vec<String>,
    /// The windows.
    #[command(flatten)]
    pub window: WindowArgs,
    /// Instead: compare the online store with the batch tables of --date
    #[arg(long, conflicts_with = "tables")]
    pub skew: bool,
    /// Instead: print what the last runs found, from ops.quality_log
    #[arg(long, conflicts_with_all = ["skew", "date", "from", "to"])]
    pub trend: bool,
    /// Windows that --trend prints
    #[arg(long, default_value = "20", value_name = "N")]
    pub limit: u32,
    /// Only this domain; default all under --models
    #[arg(long, env = "USERFLOW_DOMAIN", value_name = "NAME")]
    pub domain: Option<String>,
    /// Where word is left.
    #[command(flatten)]
    pub ops: OpsArgs,
    /// Whom it tells.
    #[command(flatten)]
    pub notify: NotifyArgs,
}

/// Settings of `backfill`.
#[derive(Clone, Debug, Args)]
pub struct BackfillArgs {
    /// Models: silver.sessions, gold.*, +gold.x with its ancestors, silver.y+ with its descendants
    #[arg(value_name = "MODEL", required = true, value_delimiter = ' ')]
    pub select: Vec<String>,
    /// The windows.
    #[command(flatten)]
    pub window: WindowArgs,
    /// Windows of one model to run at the same time
    #[arg(long, default_value = "1", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: u16,
    /// Run also the windows that are up to date
    #[arg(long)]
    pub force: bool,
    /// Say which windows would run, and run none
    #[arg(long)]
    pub dry_run: bool,
    /// What the gate does.
    #[command(flatten)]
    pub gate: GateArgs,
    /// Where word is left.
    #[command(flatten)]
    pub ops: OpsArgs,
    /// Whom it tells.
    #[command(flatten)]
    pub notify: NotifyArgs,
}

/// Settings of `maintain`.
#[derive(Clone, Debug, Args)]
pub struct MaintainArgs {
    /// Tables such as bronze.events or gold.*; default all tables of all domains
    #[arg(value_name = "TABLE", value_delimiter = ' ')]
    pub tables: Vec<String>,
    /// Merge the files of a partition into files of about this size
    #[arg(long, env = "USERFLOW_TARGET_SIZE", default_value = "128MB", value_name = "SIZE", value_parser = size_from(1 << 20, "128MB"))]
    pub target_size: usize,
    /// Keep files that a version of the last so many hours or days needs; more than the longest job and query, and at least 1h
    #[arg(long, env = "USERFLOW_RETENTION", default_value = "7d", value_name = "DURATION", value_parser = duration_within(Duration::ZERO..=LONGEST, "7d"))]
    pub retention: Duration,
    /// Allow a --retention below 1h, when nothing reads these tables now
    #[arg(long)]
    pub unsafe_retention: bool,
    /// Say what would be merged and removed, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Settings of `replay`.
#[derive(Clone, Debug, Args)]
pub struct ReplayArgs {
    /// The domain whose quarantine it is
    #[arg(long, env = "USERFLOW_DOMAIN", value_name = "NAME")]
    pub domain: String,
    /// Only messages that were refused for this first reason, such as missing_field; repeatable
    #[arg(long, value_name = "REASON", value_delimiter = ',')]
    pub reason: Vec<String>,
    /// Only messages of these dates of Kafka's time, which are the quarantine's partitions.
    #[command(flatten)]
    pub window: WindowArgs,
    /// Only messages for which this SQL condition over the quarantine's columns holds
    #[arg(long = "where", value_name = "SQL")]
    pub condition: Option<String>,
    /// Say what would land and why the rest would not, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Settings of `register`.
#[derive(Clone, Debug, Args)]
pub struct RegisterArgs {
    /// Trino: http://host:8080, or https://user:password@host:443
    #[arg(
        long,
        env = "USERFLOW_TRINO_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub trino_url: TrinoUrl,
    /// The catalog of the lake in Trino
    #[arg(
        long,
        env = "USERFLOW_TRINO_CATALOG",
        default_value = "delta",
        value_name = "NAME"
    )]
    pub catalog: CatalogName,
    /// The lake as Trino sees it: local:///folder below its local.location, or s3://bucket/prefix; default local:///lake for a
    /// lake in a folder, and the lake itself for one in S3
    #[arg(long, env = "USERFLOW_TRINO_LOCATION", value_name = "LOCATION")]
    pub location: Option<Location>,
    /// Say what would be registered, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Settings of `show`.
#[derive(Clone, Debug, Args)]
pub struct ShowArgs {
    /// The table, such as gold.user_daily
    #[arg(value_name = "TABLE")]
    pub table: String,
    /// The windows.
    #[command(flatten)]
    pub window: WindowArgs,
    /// Only rows for which this SQL condition holds
    #[arg(long = "where", value_name = "SQL")]
    pub condition: Option<String>,
    /// Only these columns, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// Order by these columns; `-name` is descending
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    pub order: Vec<String>,
    /// Print at most so many rows
    #[arg(long, default_value = "20", value_name = "N")]
    pub limit: usize,
    /// One column a line; as it is anyway where the columns do not fit
    #[arg(long)]
    pub vertical: bool,
    /// Characters of a line, 0 for no limit; default those of the terminal, and no limit where the output goes elsewhere
    #[arg(long, env = "COLUMNS", value_name = "N")]
    pub width: Option<usize>,
}

impl ShowArgs {
    /// Characters of a line.
    pub fn width(&self) -> Option<usize> {
        let terminal = || console::Term::stdout().size_checked();
        let width = self
            .width
            .or_else(|| terminal().map(|(_, columns)| columns.into()));
        width.filter(|width| *width > 0)
    }
}

/// Settings of `docs`.
#[derive(Clone, Debug, Args)]
pub struct DocsArgs {
    /// Write the pages into this folder, which holds nothing else; what it held of an older catalogue is replaced
    #[arg(long, value_name = "FOLDER")]
    pub into: PathBuf,
    /// The operations tables, postgres://user:password@host:5432/database; without it runs and quality are left out
    #[arg(
        long,
        env = "USERFLOW_POSTGRES_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub postgres_url: Option<PostgresUrl>,
    /// Say which pages would be written or removed, and touch nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_without_a_window_is_told_how_to_give_one() {
        let none = WindowArgs {
            date: None,
            from: None,
            to: None,
        };
        assert!(none.required().unwrap_err().to_string().contains("--date"));
    }
}
