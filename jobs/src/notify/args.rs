//! Arguments of every job that tells people how it ended.

use clap::Args;

use super::webhook::Webhook;

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
