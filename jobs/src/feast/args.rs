//! Arguments of `feast`.

use std::path::PathBuf;

use clap::Args;

/// What `userflow-jobs feast --help` ends with.
pub const HELP: &str = "\
Then, in Python with feast installed:
  from feast import FeatureStore
  store = FeatureStore(\"FOLDER\")
  service = store.get_feature_service(\"recommender\")
  store.get_online_features(service, [{\"user_id\": \"101267\"}]).to_dict()";

/// Settings of `feast`.
#[derive(Clone, Debug, Args)]
pub struct FeastArgs {
    /// Write feature_store.yaml and registry.db into this folder; files of these names are replaced
    #[arg(long, value_name = "FOLDER")]
    pub into: PathBuf,
    /// Where clients reach userflow-serving
    #[arg(
        long,
        env = "USERFLOW_SERVING_URL",
        default_value = "http://127.0.0.1:6566",
        value_name = "URL"
    )]
    pub serving_url: url::Url,
    /// Say what would be written, and write nothing
    #[arg(long)]
    pub dry_run: bool,
}
