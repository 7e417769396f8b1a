//! Logs go to standard error: lines for people on a terminal, JSON lines otherwise.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts logging with a level such as `info`, which is ours (libraries speak up from `warn`), or with a filter such as
/// `userflow_ingester=debug,rdkafka=info`, which is taken as it is.
pub fn start(filter: &str) {
    let filter = match filter.parse::<tracing::Level>() {
        Ok(level) => EnvFilter::new(format!(
            "warn,userflow_ingester={level},userflow_lake={level},userflow_models={level}"
        )),
        Err(_) => EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("warn")),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        builder.with_target(false).compact().init();
    } else {
        builder.json().flatten_event(true).init();
    }
}
