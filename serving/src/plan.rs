//! What a request asks for, in terms of what there is: the views, their features in the order of the answer, and the values of the keys.
//!
//! Not here: SQL and Redis commands (`store`), what is sent (`answer`).

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Datelike, Utc};
use userflow_models::services::{FeatureRef, FeatureService, KeyType, Readable, ServedView};

use crate::refusal::Refusal;
use crate::request::{Entities, Scalar};

/// Longest text of a key.
const LONGEST_KEY: usize = 4_096;

/// All that can be asked for, by name.
pub(crate) struct Catalogue {
    pub(crate) views: HashMap<String, Arc<ServedView>>,
    pub(crate) services: HashMap<String, Arc<FeatureService>>,
}

/// What is read of a view, and the values that name its rows.
pub(crate) struct Part {
    pub(crate) view: Arc<ServedView>,
    /// Places of the features in the view.
    pub(crate) features: Vec<usize>,
    /// The columns of its key: places in the keys of the plan.
    pub(crate) keys: Vec<usize>,
}

/// A column of the answer.
pub(crate) struct Column {
    /// Its name in the answer.
    pub(crate) name: String,
    /// The place of its part in the plan.
    pub(crate) part: usize,
    /// Its place in what is read of the view.
    pub(crate) feature: usize,
}

/// The values of a key, one for each row; none: nothing can be found by it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum KeyValues {
    Text(Vec<Option<String>>),
    Time(Vec<Option<DateTime<Utc>>>),
}

/// What a request comes to.
pub(crate) struct Plan {
    pub(crate) parts: Vec<Part>,
    pub(crate) columns: Vec<Column>,
    pub(crate) keys: Vec<(String, KeyValues)>,
    pub(crate) rows: usize,
}

impl Catalogue {
    /// By name.
    pub(crate) fn new(readable: Readable) -> Self {
        let views = readable.views.into_iter();
        let services = readable.services.into_iter();
        Self {
            views: views
                .map(|view| (view.name.clone(), Arc::new(view)))
                .collect(),
            services: services
                .map(|service| (service.name.clone(), Arc::new(service)))
                .collect(),
        }
    }

    /// A service by its name.
    pub(crate) fn service(&self, name: &str) -> Result<&Arc<FeatureService>, Refusal> {
        self.services.get(name).ok_or_else(|| {
            let class = "FeatureServiceNotFoundException";
            Refusal::not_found(
                class,
                format!("there is no feature service `{name}`: GET /services lists them"),
            )
        })
    }

    /// A view by its name.
    pub(crate) fn view(&self, name: &str) -> Result<&Arc<ServedView>, Refusal> {
        self.views.get(name).ok_or_else(|| {
            let class = "FeatureViewNotFoundException";
            Refusal::not_found(
                class,
                format!("there is no feature view `{name}`: GET /services lists them"),
            )
        })
    }

    /// Finds what `features` name, and the values by which rows are found.
    pub(crate) fn plan(
        &self,
        features: &[FeatureRef],
        entities: &Entities,
        full_names: bool,
    ) -> Result<Plan, Refusal> {
        let rows = entities.rows().map_err(Refusal::unprocessable)?;
        let mut plan = Plan {
            parts: Vec::new(),
            columns: Vec::new(),
            keys: Vec::new(),
            rows,
        };
        for feature in features {
            let view = self.view(&feature.view)?;
            let place = view.feature(&feature.feature).ok_or_else(|| {
                let message = format!(
                    "the feature view `{}` has no feature `{}`",
                    view.name, feature.feature
                );
                Refusal::not_found("SpecifiedFeaturesNotPresentError", message)
            })?;
            let part = match (plan.parts.iter()).position(|part| part.view.name == view.name) {
                Some(part) => part,
                None => plan.add(view, entities)?,
            };
            let name = match full_names {
                true => format!("{}__{}", feature.view, feature.feature),
                false => feature.feature.clone(),
            };
            let known = &mut plan.parts[part].features;
            let feature = (known.iter().position(|known| *known == place)).unwrap_or_else(|| {
                known.push(place);
                known.len() - 1
            });
            plan.columns.push(Column {
                name,
                part,
                feature,
            });
        }
        plan.names_differ(entities)?;
        Ok(plan)
    }
}

impl Plan {
    fn add(&mut self, view: &Arc<ServedView>, entities: &Entities) -> Result<usize, Refusal> {
        let mut keys = Vec::new();
        for key in &view.key {
            let known = self.keys.iter().position(|(name, _)| *name == key.name);
            keys.push(match known {
                Some(known) => known,
                None => {
                    let values = entities
                        .column(&key.name)
                        .ok_or_else(|| missing(view, &key.name))?;
                    let values = key_values(&key.name, key.key_type, values)?;
                    self.keys.push((key.name.clone(), values));
                    self.keys.len() - 1
                }
            });
        }
        self.parts.push(Part {
            view: Arc::clone(view),
            features: Vec::new(),
            keys,
        });
        Ok(self.parts.len() - 1)
    }

    /// Two columns of one name could not be told apart.
    fn names_differ(&self, entities: &Entities) -> Result<(), Refusal> {
        let mut seen: HashMap<&str, ()> = HashMap::new();
        let keys = entities.0.iter().map(|(name, _)| name.as_str());
        for name in keys.chain(self.columns.iter().map(|column| column.name.as_str())) {
            if seen.insert(name, ()).is_some() {
                let message = format!(
                    "two columns of the answer would be called `{name}`: ask with \"full_feature_names\": true, and name each feature once"
                );
                return Err(Refusal::bad("FeatureNameCollisionError", message));
            }
        }
        Ok(())
    }
}

fn missing(view: &ServedView, key: &str) -> Refusal {
    let names: Vec<&str> = view.key.iter().map(|key| key.name.as_str()).collect();
    Refusal::missing_key(format!(
        "`entities` lacks `{key}`: rows of {} are found by {}",
        view.name,
        names.join(" and ")
    ))
}

/// The values of a key as the stores know them.
fn key_values(name: &str, key_type: KeyType, values: &[Scalar]) -> Result<KeyValues, Refusal> {
    let wrong = |shape: &str| Refusal::unprocessable(format!("`entities`: `{name}` is {shape}"));
    match key_type {
        KeyType::Text => {
            let texts = values.iter().map(|value| match value {
                Scalar::Null => Ok(None),
                // As the stores keep it.
                Scalar::Text(text) if text.len() <= LONGEST_KEY => {
                    Ok(Some(text.replace('\0', "\u{fffd}")))
                }
                Scalar::Text(_) => Err(wrong("a text of at most 4096 bytes")),
                Scalar::Whole(number) => Ok(Some(number.to_string())),
                Scalar::Large(number) => Ok(Some(number.to_string())),
                Scalar::Truth(_) | Scalar::Double(_) => Err(wrong("a text or a whole number")),
            });
            texts.collect::<Result<_, _>>().map(KeyValues::Text)
        }
        KeyType::Time => {
            let read = |value: &Scalar| match value {
                Scalar::Null => Some(None),
                Scalar::Text(text) => DateTime::parse_from_rfc3339(text)
                    .ok()
                    .map(|time| Some(time.to_utc())),
                Scalar::Whole(seconds) => DateTime::from_timestamp(*seconds, 0).map(Some),
                _ => None,
            };
            let shape = "a time: write it as 2026-11-01T08:00:00.123Z, or in seconds since 1970";
            // PostgreSQL knows fewer years than chrono, and would fail on the others.
            let is_of_this_world = |time: &Option<DateTime<Utc>>| {
                time.is_none_or(|time| (1..=9999).contains(&time.year()))
            };
            let times = values.iter().map(|value| {
                let read = read(value).filter(is_of_this_world);
                read.ok_or_else(|| wrong(shape))
            });
            times.collect::<Result<_, _>>().map(KeyValues::Time)
        }
    }
}
