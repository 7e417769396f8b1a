//! Which features are asked for: `view:feature`, found in the domain's views.

use std::collections::BTreeMap;

use anyhow::Result;
use userflow_models::features::FeatureView;
use userflow_models::features::online::{self, Source};
use userflow_process::exit::WrongSetup;

use crate::stream::whole;

/// The features, in the order asked, and their views.
pub(super) struct Asked {
    /// Every view once.
    pub(super) views: Vec<AskedView>,
    /// Number of the view, number of the feature in it, name of the column in the result.
    pub(super) columns: Vec<(usize, usize, String)>,
}

/// A view of which features are asked for.
pub(super) struct AskedView {
    pub(super) view: FeatureView,
    /// Their names.
    pub(super) features: Vec<String>,
}

impl Asked {
    pub(super) fn new(views: &[FeatureView], names: &[String], full: bool) -> Result<Self> {
        let mut asked = Self {
            views: Vec::new(),
            columns: Vec::new(),
        };
        let mut taken: BTreeMap<String, &String> = BTreeMap::new();
        for reference in names {
            let (view, feature) = reference.split_once(':').ok_or_else(|| {
                WrongSetup(format!(
                    "--features {reference}: write view:feature, for example {}",
                    example(views)
                ))
            })?;
            let (view, feature) = found(views, reference, view, feature)?;
            let known = asked
                .views
                .iter()
                .position(|known| known.view.name == view.name);
            let number = known.unwrap_or_else(|| {
                asked.views.push(AskedView {
                    view: view.clone(),
                    features: Vec::new(),
                });
                asked.views.len() - 1
            });
            let features = &mut asked.views[number].features;
            let place = features.iter().position(|known| known == feature);
            let place = place.unwrap_or_else(|| {
                features.push(feature.to_owned());
                features.len() - 1
            });
            let column = match full {
                true => format!("{}__{feature}", view.name),
                false => feature.to_owned(),
            };
            if let Some(other) = taken.insert(column.clone(), reference) {
                let advice = match other == reference {
                    true => "name it once",
                    false => "add --full-feature-names",
                };
                let message = format!(
                    "--features {other} and {reference} would both be the column {column}: {advice}"
                );
                return Err(WrongSetup(message).into());
            }
            asked.columns.push((number, place, column));
        }
        Ok(asked)
    }
}

/// The features that readers see.
fn features(view: &FeatureView) -> Vec<String> {
    let stored = online::stored(&whole(view)).into_iter();
    let features =
        stored.filter(|column| matches!(column.source, Source::Value(_) | Source::IsFinal));
    features.map(|column| column.name).collect()
}

fn example(views: &[FeatureView]) -> String {
    let view = views.first();
    let feature = view.and_then(|view| Some(format!("{}:{}", view.name, features(view).first()?)));
    feature.unwrap_or_else(|| "user_1h:events".to_owned())
}

fn found<'a, 'b>(
    views: &'a [FeatureView],
    reference: &str,
    view: &str,
    feature: &'b str,
) -> Result<(&'a FeatureView, &'b str)> {
    let Some(view) = views.iter().find(|known| known.name == view) else {
        let known: Vec<&str> = views.iter().map(|view| view.name.as_str()).collect();
        let message = format!(
            "--features {reference}: there is no feature view {view}: there are {}",
            known.join(", ")
        );
        return Err(WrongSetup(message).into());
    };
    let known = features(view);
    if !known.iter().any(|known| known == feature) {
        let message = format!(
            "--features {reference}: {} has no feature {feature}: it has {}",
            view.name,
            known.join(", ")
        );
        return Err(WrongSetup(message).into());
    }
    Ok((view, feature))
}
