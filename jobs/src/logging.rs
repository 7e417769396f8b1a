//! Logs go to standard error: lines for people on a terminal, JSON lines otherwise.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Libraries that tell each step of reading a table, or that a table is there already, at level info; a filter that names them has its way.
const QUIET: &str = "buoyant_kernel=warn,deltalake_core=warn,sqlx::postgres::notice=warn";

/// Starts logging with a filter such as `info` or `userflow_jobs=debug`.
pub fn start(filter: &str) {
    let with_defaults = |filter: &str| format!("{QUIET},{filter}");
    let filter = EnvFilter::try_new(with_defaults(filter))
        .unwrap_or_else(|_| EnvFilter::new(with_defaults("info")));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        builder.with_target(false).compact().init();
    } else {
        builder.json().flatten_event(true).init();
    }
}
