//! `feast`: what Feast's Python clients need to read from `userflow-serving`: a `feature_store.yaml` that leads there, and the registry with
//! entities, feature views and feature services. From the files under models/ alone; the same models give the same bytes.
//!
//! Not here: serving itself (the crate `serving`), what a feature service is (`userflow_models::services`).

mod args;
mod messages;
mod registry;

use anyhow::{Context, Result};
use prost::Message;
use userflow_models::services;

pub use args::{FeastArgs, HELP};

use crate::config::{Common, Output};
use crate::print;

const STORE: &str = "feature_store.yaml";
const REGISTRY: &str = "registry.db";

/// Writes the two files, and prints what is in them.
pub fn run(common: &Common, args: &FeastArgs) -> Result<()> {
    let readable = services::all(&common.models.models)?;
    let registry = registry::registry(&readable).encode_to_vec();
    let url = args.serving_url.as_str().trim_end_matches('/');
    let store = format!(
        "# Written by `userflow-jobs feast`. For reading features only: feast apply and materialize have nothing to do here.\n\
         project: {}\nprovider: local\nregistry: {REGISTRY}\nonline_store:\n  type: remote\n  path: {url}\n\
         offline_store:\n  type: file\nentity_key_serialization_version: 3\n",
        registry::PROJECT
    );
    if !args.dry_run {
        let wrong = || format!("write into {}", args.into.display());
        std::fs::create_dir_all(&args.into).with_context(wrong)?;
        std::fs::write(args.into.join(REGISTRY), registry).with_context(wrong)?;
        std::fs::write(args.into.join(STORE), store).with_context(wrong)?;
    }
    let (views, services) = (readable.views.len(), readable.services.len());
    if common.output == Output::Json {
        return print::json(
            &serde_json::json!({"command": "feast", "dry_run": args.dry_run, "into": args.into, "feature_views": views, "feature_services": services}),
        );
    }
    let dry = if args.dry_run {
        "dry run: nothing was written; there are "
    } else {
        ""
    };
    print::text(&format!(
        "{dry}{views} feature views and {services} feature services in {}: feature_store.yaml, registry.db",
        args.into.display()
    ))
}
