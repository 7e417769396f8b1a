//! What a feature service is, and its version.

use std::fmt;

use sha2::{Digest, Sha256};

use super::view::ServedView;

/// A named list of features that a model reads together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureService {
    /// Its name, also of its file.
    pub name: String,
    /// The domain whose views it names.
    pub domain: String,
    /// One sentence: who reads it, and what for.
    pub description: String,
    /// Who is asked before it changes.
    pub owner: String,
    /// What is read, in order.
    pub features: Vec<FeatureRef>,
    /// Changes whenever the list or the meaning of a view in it does, and never otherwise.
    pub version: String,
}

/// A feature by its names, written `view:feature`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FeatureRef {
    /// The view's name.
    pub view: String,
    /// The feature's name.
    pub feature: String,
}

impl FeatureRef {
    /// Reads `view:feature`; none: it is not so written.
    pub fn parse(text: &str) -> Option<Self> {
        let (view, feature) = text.split_once(':')?;
        (!view.is_empty() && !feature.is_empty() && !feature.contains(':')).then(|| Self {
            view: view.to_owned(),
            feature: feature.to_owned(),
        })
    }
}

impl fmt::Display for FeatureRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.view, self.feature)
    }
}

/// The version of a service: a hash of what it names, and of what that means.
pub(super) fn version(name: &str, features: &[FeatureRef], views: &[ServedView]) -> String {
    let mut hash = Sha256::new();
    hash.update(name);
    for feature in features {
        let view = views.iter().find(|view| view.name == feature.view);
        let meaning = view.map_or("", |view| view.fingerprint.as_str());
        hash.update(format!("\n{feature} {meaning}"));
    }
    let digits = hash.finalize();
    digits.iter().take(8).map(|b| format!("{b:02x}")).collect()
}
