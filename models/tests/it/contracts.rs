//! The contracts under test: the one that ships, and one that uses everything that it does not.

use std::path::Path;

use userflow_models::contract::Contract;
use userflow_models::domain::Domain;

pub(crate) fn webtoon() -> Contract {
    Domain::load(Path::new(env!("CARGO_MANIFEST_DIR")), "webtoon")
        .unwrap()
        .contract
}

pub(crate) fn nested() -> Contract {
    Contract::parse(Path::new("nested.json"), NESTED).unwrap()
}

/// Objects in objects, aliases inside objects and inside undeclared ones, a value map, every column type, a named zone.
pub(crate) const NESTED: &str = r#"{
  "type": "object",
  "x-domain": "nested",
  "x-limits": {"max_bytes": 4096, "max_depth": 6, "max_future": "10m", "max_past": "40000d"},
  "x-event-id": "id", "x-event-type": "kind", "x-event-time": "at", "x-key": "id", "x-partition": "event_date",
  "required": ["id", "kind", "context"],
  "anyOf": [
    {"required": ["at"]},
    {"required": ["context"], "properties": {"context": {"required": ["sent_at"]}}},
    {"required": ["meta"], "properties": {"meta": {"required": ["time"]}}}
  ],
  "dependencies": {"coupon": ["price", "online"]},
  "properties": {
    "price": {"type": ["number", "null"], "exclusiveMinimum": -100, "maximum": 1000,
              "x-column": {"name": "price", "type": "decimal(6,2)"}},
    "id": {"type": ["integer", "string"], "minLength": 1, "x-column": {"name": "id", "type": "id"}},
    "kind": {"type": "string", "enum": ["view", "click", "buy"],
             "x-column": {"name": "kind", "type": "string", "values": {"view": "page_view"}}},
    "context": {
      "type": "object",
      "required": ["device"],
      "properties": {
        "device": {
          "type": "object",
          "required": ["type"],
          "properties": {
            "type": {"type": "string", "x-column": {"name": "device_type", "type": "string"}},
            "cores": {"type": "integer", "x-column": {"name": "cores", "type": "bigint"}}
          }
        },
        "battery": {"type": "number", "minimum": 0, "exclusiveMaximum": 1,
                    "x-column": {"name": "battery", "type": "double"}},
        "place": {
          "type": ["object", "null"],
          "required": ["city"],
          "properties": {
            "city": {"type": "string", "x-column": {"name": "city", "type": "string"}},
            "street/no": {"type": "string", "x-column": {"name": "street", "type": "string"}}
          }
        }
      }
    },
    "at": {"type": ["string", "integer", "null"],
           "x-column": {"name": "at", "type": "timestamp", "aliases": ["/context/sent_at", "/meta/time"],
                        "default_zone": "America/New_York"}},
    "online": {"type": "boolean", "x-column": {"name": "online", "type": "boolean"}},
    "born": {"type": "string", "format": "date", "x-column": {"name": "born", "type": "date"}},
    "coupon": {"type": "string", "x-column": {"name": "coupon", "type": "string"}}
  }
}"#;
