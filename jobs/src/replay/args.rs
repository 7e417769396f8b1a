//! Arguments of `replay`.

use clap::Args;

use crate::config::WindowArgs;

/// What `--help` says beyond the options.
pub const HELP: &str = "\
What is refused is not lost: the quarantine keeps every message with its bytes. When the contract has been widened or a mistake in it mended:

  userflow-jobs replay --domain D --dry-run                what waits, what would land, and why the rest would not
  userflow-jobs init                                       if the contract gained a column
  userflow-jobs replay --domain D --reason missing_field --from 2026-11-01 --to 2026-11-03
  userflow-jobs replay --domain D --where \"problems[1]['field'] = 'NAME'\"
  userflow-jobs run '+gold.*' --planned                    the windows that the landed rows touch

Rows keep their topic id, partition, offset and Kafka time; _ingested_at and _replayed_at are the time of landing. The quarantine keeps
its rows: what has a row in bronze no longer counts as refused. Run it as often as you like, with any selection, beside a running
ingester, and two at once: no message lands twice. Restart the ingester with the new contract first, or it goes on refusing.
Exit codes: 0 done, 1 failed and safe to retry, 2 wrong usage or contract, 4 other replays kept coming between.";

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
