//! Arguments of every job that writes to the operations tables.

use clap::Args;
use userflow_process::postgres::PostgresUrl;

/// Where a job logs what it did.
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
