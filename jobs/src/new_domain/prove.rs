//! Holds what was written against the sample: the readers of the project take every file, and the decoder takes every message.

use std::path::Path;

use anyhow::{Context, Result};
use userflow_models::decode::{Decoder, Rejection};
use userflow_models::domain::Domain;
use userflow_models::features;
use userflow_models::project::Project;

use super::sample::Sample;

/// Rows that a decoder buffers before they are dropped.
const ROWS: usize = 10_000;

/// The messages that the decoder refuses, each with its line.
pub(super) fn refused(
    models: &Path,
    name: &str,
    sample: &Sample,
) -> Result<Vec<(usize, Rejection)>> {
    let domain = Domain::load(models, name).context("read the contract that was written")?;
    let mut decoder = Decoder::new(&domain.contract);
    let mut refused = Vec::new();
    for message in &sample.messages {
        // Without Kafka's time: how old a sample is says nothing about its shape.
        if let Err(rejection) = decoder.decode(message.text.as_bytes(), -1) {
            refused.push((message.line, rejection));
        }
        if decoder.rows() >= ROWS {
            drop(decoder.finish());
        }
    }
    Ok(refused)
}

/// Reads the feature views and the SQL models that were written.
pub(super) fn readable(models: &Path, name: &str) -> Result<()> {
    let domain = Domain::load(models, name)?;
    features::load(&domain).context("read the feature views that were written")?;
    Project::load(models).context("read the models that were written")?;
    Ok(())
}
