//! Arguments of `publish`.

use clap::Args;
use userflow_process::postgres::PostgresUrl;
use userflow_process::redis::RedisUrl;

/// What `publish --help` says after the options.
pub const HELP: &str = r#"The model's .yml says what is published:

    config:
      meta:
        publish:
          entity: [user_id]            # what tells the rows of a date apart
          features: [sessions, …]      # default: every other column
          ttl: 3d                      # how long a row holds after the end of its date
          view: user_7d                # default: the model's name
          stores: {redis: "user_7d:{user_id}"}   # a copy in Redis beside PostgreSQL; default: none

`userflow-jobs init` makes online.<view>; each publish then shows there the partition of one date, all at once. Rows that are as they
were are not written. An older date never takes the place of a newer one. Killed at any moment, run it again."#;

/// Settings of `publish`.
#[derive(Clone, Debug, Args)]
pub struct PublishArgs {
    /// Models: gold.user_7d, gold.*; a name with a wildcard means those with a `publish` block
    #[arg(value_name = "MODEL", required = true, value_delimiter = ' ')]
    pub select: Vec<String>,
    /// The partition: 2026-11-01
    #[arg(long, value_name = "D")]
    pub date: String,
    /// The online store, postgres://user:password@host:5432/database
    #[arg(
        long,
        env = "USERFLOW_POSTGRES_URL",
        hide_env_values = true,
        value_name = "URL",
        required = true
    )]
    pub postgres_url: Option<PostgresUrl>,
    /// Redis, for views whose `publish` block has `stores: {redis: …}`: redis://user:password@host:6379/0, rediss:// for TLS
    #[arg(
        long,
        env = "USERFLOW_REDIS_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub redis_url: Option<RedisUrl>,
    /// Say how many rows would be written, and write none
    #[arg(long)]
    pub dry_run: bool,
}
