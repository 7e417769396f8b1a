//! Arguments of `training-set`.

use std::path::PathBuf;

use clap::Args;

use crate::history::AsOf;

/// Settings of `training-set`.
#[derive(Clone, Debug, Args)]
pub struct TrainingSetArgs {
    /// Whose features: a domain of the models folder
    #[arg(long, env = "USERFLOW_DOMAIN")]
    pub domain: String,
    /// The labels: a .csv or .parquet file, one row a label, with the entity's columns, a time, and whatever else
    #[arg(long, value_name = "FILE")]
    pub labels: PathBuf,
    /// The column with the time of a label: a timestamp, or text such as 2026-11-01T10:00:00Z; without a zone it is UTC
    #[arg(long, default_value = "event_timestamp", value_name = "COLUMN")]
    pub time_column: String,
    /// Which features: those of this feature service, a file of the domain's services/
    #[arg(long, value_name = "NAME", conflicts_with = "features")]
    pub service: Option<String>,
    /// Which features, each as view:feature
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "VIEW:FEATURE",
        required_unless_present = "service"
    )]
    pub features: Vec<String>,
    /// Name columns <view>__<feature>, and not only <feature>
    #[arg(long)]
    pub full_feature_names: bool,
    /// Add for each view <view>__event_time, the newest event behind its values, and <view>__version, as the online store has them
    #[arg(long)]
    pub with_versions: bool,
    /// What a label may know
    #[arg(long, value_enum, value_name = "MEANING")]
    pub as_of: AsOf,
    /// Read bronze from this date on only: faster, but what happened before is in no window
    #[arg(long, value_name = "DATE")]
    pub since: Option<String>,
    /// The file to write, .csv or .parquet: the labels' columns and order, and the features
    #[arg(long, value_name = "FILE")]
    pub into: PathBuf,
}

/// What `--help` says below the options.
pub const HELP: &str = "\
  userflow-jobs training-set --domain music --labels clicks.csv --service listener --as-of known --into train.parquet
  userflow-jobs training-set --domain music --labels clicks.csv --features music_user_1h:plays --as-of known --into train.csv

Every label gets the features of its entity as they stood at its time; an entity that nothing was known of, and a value that was older
than its view's ttl, is null. The two meanings of time answer different questions:

  --as-of known       only events that had come by then, in the order in which they came: what the online store would have answered, so
                      a model is trained on what it will be served. Late events are late here, too
  --as-of event-time  everything that had happened by then, as if nothing had come late: what would be best to know

Both read bronze and never look beyond a label's time. The definitions of features are those of today: a new feature has a history at once.";
