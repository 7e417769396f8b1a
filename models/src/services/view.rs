//! A view as whoever reads it online sees it, whatever writes its rows.

use std::time::Duration;

use crate::domain::Domain;
use crate::error::ConfigError;
use crate::features::{self, FeatureView, RedisRows, RedisShape, ValueType};

/// A view of the schema `online`.
#[derive(Clone, Debug, PartialEq)]
pub struct ServedView {
    /// Its name, also of its SQL view.
    pub name: String,
    /// Whose events it is computed from.
    pub domain: String,
    /// One sentence: what a row is.
    pub description: String,
    /// The columns that name a row.
    pub key: Vec<Key>,
    /// What a row has, in the order of the file.
    pub features: Vec<Served>,
    /// A row whose event time is older is not served; none: rows of any age are.
    pub ttl: Option<Duration>,
    /// How its rows stand in Redis as well.
    pub redis: Option<RedisRows>,
    /// Changes with the view's meaning.
    pub fingerprint: String,
}

/// A column that names rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its name: the join key of a request.
    pub name: String,
    /// What its values are.
    pub key_type: KeyType,
}

/// What the values of a key are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// `text`.
    Text,
    /// `timestamptz`: the start of a session without an id.
    Time,
}

/// A feature that can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// Its name, the column's.
    pub name: String,
    /// Type of its values.
    pub value_type: ValueType,
    /// Its field of the hash in Redis; of a list, its name. None: it is in PostgreSQL only.
    pub field: Option<String>,
}

impl ServedView {
    /// A feature by its name.
    pub fn feature(&self, name: &str) -> Option<usize> {
        self.features.iter().position(|served| served.name == name)
    }

    fn of(view: &FeatureView) -> Self {
        let entity = view.entity.iter().map(|name| (name, KeyType::Text));
        let start = view.start().map(str::to_owned);
        let start = start.iter().map(|name| (name, KeyType::Time));
        let key = entity.chain(start).map(|(name, key_type)| Key {
            name: name.clone(),
            key_type,
        });
        let features = (view.features.iter())
            .filter(|feature| !feature.hidden)
            .map(|feature| (feature.name.as_str(), feature.value_type));
        let is_final = view
            .is_session()
            .then_some(("is_final", ValueType::Boolean));
        let window_end = view
            .has_window_end()
            .then_some(("window_end", ValueType::Timestamp));
        let features = features.chain(is_final).chain(window_end);
        Self {
            name: view.name.clone(),
            domain: view.domain.clone(),
            description: view.description.clone(),
            key: key.collect(),
            features: features
                .map(|(name, value_type)| Served {
                    name: name.to_owned(),
                    value_type,
                    field: (view.redis.as_ref()).and_then(|redis| field(redis, name)),
                })
                .collect(),
            ttl: view.ttl,
            redis: view.redis.clone(),
            fingerprint: view.fingerprint.clone(),
        }
    }
}

/// Where a column of a row is under its key in Redis.
fn field(redis: &RedisRows, column: &str) -> Option<String> {
    match &redis.shape {
        RedisShape::Hash { fields, .. } => {
            let mut fields = fields.iter();
            let found = fields.find(|(_, shown)| shown == column);
            found.map(|(field, _)| field.clone())
        }
        RedisShape::List(feature) => (feature == column).then(|| feature.clone()),
    }
}

/// The views of a domain.
pub(super) fn of_domain(domain: &Domain) -> Result<Vec<ServedView>, ConfigError> {
    let views = features::load(domain)?;
    Ok(views.iter().map(ServedView::of).collect())
}
