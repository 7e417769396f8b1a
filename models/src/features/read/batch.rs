//! The batch table of a view.

use serde::Deserialize;
use serde_yaml_ng::{Mapping, Value};

use super::reader::Reader;
use crate::error::Problem;
use crate::features::view::{Batch, Feature};

/// `batch:` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenBatch {
    table: String,
    #[serde(default)]
    rename: Mapping,
    #[serde(default)]
    except: Vec<String>,
}

impl Reader<'_> {
    pub(super) fn batch(
        &self,
        written: WrittenBatch,
        features: &[Feature],
    ) -> Result<Batch, Problem> {
        let renamed = |name: &str| {
            (written.rename.iter())
                .find(|(feature, _)| feature.as_str() == Some(name))
                .and_then(|(_, column)| column.as_str())
                .unwrap_or(name)
                .to_owned()
        };
        let named = (written.rename.keys().filter_map(Value::as_str))
            .chain(written.except.iter().map(String::as_str));
        for name in named {
            if !features
                .iter()
                .any(|feature| feature.name == name && !feature.hidden)
            {
                return Err(self.problem("batch", format!("`batch`: there is no feature `{name}`")));
            }
        }
        Ok(Batch {
            features: (features.iter())
                .filter(|feature| !feature.hidden && !written.except.contains(&feature.name))
                .map(|feature| (feature.name.clone(), renamed(&feature.name)))
                .collect(),
            table: written.table,
        })
    }
}
