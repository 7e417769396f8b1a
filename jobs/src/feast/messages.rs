//! Feast's registry as protocol buffers: the messages of `feast/core/*.proto` (0.63 to 0.67) with the fields that a reader of features needs.
//! Fields that are left out have their defaults, which is what Feast reads of an older registry too.

use std::collections::BTreeMap;

use prost::Message;

/// `feast.core.Registry`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Registry {
    #[prost(message, repeated, tag = "1")]
    pub(super) entities: Vec<Entity>,
    #[prost(string, tag = "3")]
    pub(super) registry_schema_version: String,
    #[prost(string, tag = "4")]
    pub(super) version_id: String,
    #[prost(message, repeated, tag = "6")]
    pub(super) feature_views: Vec<FeatureView>,
    #[prost(message, repeated, tag = "7")]
    pub(super) feature_services: Vec<FeatureService>,
    #[prost(message, repeated, tag = "17")]
    pub(super) projects: Vec<Project>,
}

/// `feast.core.Project`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Project {
    #[prost(message, optional, tag = "1")]
    pub(super) spec: Option<ProjectSpec>,
    #[prost(message, optional, tag = "2")]
    pub(super) meta: Option<Meta>,
}

/// `feast.core.ProjectSpec`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ProjectSpec {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) description: String,
}

/// `feast.core.Entity`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Entity {
    #[prost(message, optional, tag = "1")]
    pub(super) spec: Option<EntitySpec>,
    #[prost(message, optional, tag = "2")]
    pub(super) meta: Option<Meta>,
}

/// `feast.core.EntitySpecV2`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct EntitySpec {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(int32, tag = "2")]
    pub(super) value_type: i32,
    #[prost(string, tag = "4")]
    pub(super) join_key: String,
    #[prost(string, tag = "9")]
    pub(super) project: String,
}

/// The meta of an entity, a project, a view or a service: when it was made is not said, so that the same models give the same bytes.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Meta {}

/// `feast.core.FeatureView`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct FeatureView {
    #[prost(message, optional, tag = "1")]
    pub(super) spec: Option<FeatureViewSpec>,
    #[prost(message, optional, tag = "2")]
    pub(super) meta: Option<Meta>,
}

/// `feast.core.FeatureViewSpec`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct FeatureViewSpec {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) project: String,
    #[prost(string, repeated, tag = "3")]
    pub(super) entities: Vec<String>,
    #[prost(message, repeated, tag = "4")]
    pub(super) features: Vec<Field>,
    #[prost(btree_map = "string, string", tag = "5")]
    pub(super) tags: BTreeMap<String, String>,
    #[prost(message, optional, tag = "6")]
    pub(super) ttl: Option<Duration>,
    #[prost(bool, tag = "8")]
    pub(super) online: bool,
    #[prost(string, tag = "10")]
    pub(super) description: String,
    #[prost(message, repeated, tag = "12")]
    pub(super) entity_columns: Vec<Field>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub(super) struct Duration {
    #[prost(int64, tag = "1")]
    pub(super) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(super) nanos: i32,
}

/// `feast.core.FeatureSpecV2`.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub(super) struct Field {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(int32, tag = "2")]
    pub(super) value_type: i32,
}

/// `feast.core.FeatureService`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct FeatureService {
    #[prost(message, optional, tag = "1")]
    pub(super) spec: Option<FeatureServiceSpec>,
    #[prost(message, optional, tag = "2")]
    pub(super) meta: Option<Meta>,
}

/// `feast.core.FeatureServiceSpec`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct FeatureServiceSpec {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) project: String,
    #[prost(message, repeated, tag = "3")]
    pub(super) features: Vec<Projection>,
    #[prost(btree_map = "string, string", tag = "4")]
    pub(super) tags: BTreeMap<String, String>,
    #[prost(string, tag = "5")]
    pub(super) description: String,
    #[prost(string, tag = "6")]
    pub(super) owner: String,
}

/// `feast.core.FeatureViewProjection`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Projection {
    #[prost(string, tag = "1")]
    pub(super) feature_view_name: String,
    #[prost(message, repeated, tag = "2")]
    pub(super) feature_columns: Vec<Field>,
}

/// `feast.types.ValueType.Enum`.
pub(super) mod value_type {
    pub(in super::super) const STRING: i32 = 2;
    pub(in super::super) const INT64: i32 = 4;
    pub(in super::super) const DOUBLE: i32 = 5;
    pub(in super::super) const BOOL: i32 = 7;
    pub(in super::super) const UNIX_TIMESTAMP: i32 = 8;
    pub(in super::super) const STRING_LIST: i32 = 12;
}
