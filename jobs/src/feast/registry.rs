//! The registry that Feast's clients read: entities, feature views and feature services of all domains, in one project.

use std::collections::BTreeMap;

use userflow_models::features::ValueType;
use userflow_models::services::{FeatureService, KeyType, Readable, ServedView};

use super::messages::{
    Duration, Entity, EntitySpec, FeatureServiceSpec, FeatureView, FeatureViewSpec, Field, Meta,
    Project, ProjectSpec, Projection, Registry, value_type,
};

/// The name of the project.
pub(super) const PROJECT: &str = "userflow";

/// The registry of all that can be read.
pub(super) fn registry(readable: &Readable) -> Registry {
    let project = ProjectSpec {
        name: PROJECT.to_owned(),
        description: "Features of userflow, served by userflow-serving".to_owned(),
    };
    let mut entities: BTreeMap<&str, i32> = BTreeMap::new();
    for view in &readable.views {
        for key in &view.key {
            entities.insert(&key.name, key_type(key.key_type));
        }
    }
    Registry {
        entities: entities.into_iter().map(entity).collect(),
        registry_schema_version: "1".to_owned(),
        version_id: "userflow".to_owned(),
        feature_views: readable.views.iter().map(view).collect(),
        feature_services: (readable.services.iter())
            .map(|one| service(one, &readable.views))
            .collect(),
        projects: vec![Project {
            spec: Some(project),
            meta: Some(Meta {}),
        }],
    }
}

fn entity((name, value_type): (&str, i32)) -> Entity {
    Entity {
        spec: Some(EntitySpec {
            name: name.to_owned(),
            value_type,
            join_key: name.to_owned(),
            project: PROJECT.to_owned(),
        }),
        meta: Some(Meta {}),
    }
}

fn view(view: &ServedView) -> FeatureView {
    let ttl = view.ttl.map(|ttl| Duration {
        seconds: i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(ttl.subsec_nanos()).expect("less than a second"),
    });
    let names = 0..view.features.len();
    let entity_columns = view.key.iter().map(|key| Field {
        name: key.name.clone(),
        value_type: key_type(key.key_type),
    });
    let spec = FeatureViewSpec {
        name: view.name.clone(),
        project: PROJECT.to_owned(),
        entities: view.key.iter().map(|key| key.name.clone()).collect(),
        features: names.map(|feature| field(view, feature)).collect(),
        tags: BTreeMap::from([("domain".to_owned(), view.domain.clone())]),
        ttl,
        online: true,
        description: view.description.clone(),
        entity_columns: entity_columns.collect(),
    };
    FeatureView {
        spec: Some(spec),
        meta: Some(Meta {}),
    }
}

fn service(service: &FeatureService, views: &[ServedView]) -> super::messages::FeatureService {
    let mut projections: Vec<Projection> = Vec::new();
    for feature in &service.features {
        let view = views.iter().find(|view| view.name == feature.view);
        let view = view.expect("the service was checked: its views are there");
        let place = view.feature(&feature.feature);
        let column = field(view, place.expect("and so are their features"));
        let known = (projections.iter_mut()).find(|known| known.feature_view_name == view.name);
        match known {
            Some(known) => known.feature_columns.push(column),
            None => projections.push(Projection {
                feature_view_name: view.name.clone(),
                feature_columns: vec![column],
            }),
        }
    }
    let spec = FeatureServiceSpec {
        name: service.name.clone(),
        project: PROJECT.to_owned(),
        features: projections,
        tags: BTreeMap::from([
            ("domain".to_owned(), service.domain.clone()),
            ("version".to_owned(), service.version.clone()),
        ]),
        description: service.description.clone(),
        owner: service.owner.clone(),
    };
    super::messages::FeatureService {
        spec: Some(spec),
        meta: Some(Meta {}),
    }
}

fn field(view: &ServedView, feature: usize) -> Field {
    let served = &view.features[feature];
    let value_type = match served.value_type {
        ValueType::BigInt => value_type::INT64,
        ValueType::Decimal { .. } | ValueType::Double => value_type::DOUBLE,
        ValueType::Text => value_type::STRING,
        ValueType::Boolean => value_type::BOOL,
        ValueType::Timestamp => value_type::UNIX_TIMESTAMP,
        ValueType::TextArray => value_type::STRING_LIST,
    };
    Field {
        name: served.name.clone(),
        value_type,
    }
}

fn key_type(key_type: KeyType) -> i32 {
    match key_type {
        KeyType::Text => value_type::STRING,
        KeyType::Time => value_type::UNIX_TIMESTAMP,
    }
}
