//! What a client sent: the body of `POST /get-online-features`, as Feast's clients write it.
//!
//! Nothing nested is ever kept: a value of an entity is a scalar, and what the contract does not name is skipped, however deep it is. Not here: whether the names exist (`plan`).

use std::fmt;

use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

/// The body.
#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    /// A feature service by name; it wins over `features`.
    #[serde(default)]
    pub(crate) feature_service: Option<String>,
    /// `view:feature`, in the order of the answer.
    #[serde(default)]
    pub(crate) features: Option<Vec<String>>,
    /// Columns of values, by join key.
    pub(crate) entities: Entities,
    /// Whether a feature is called `view__feature` in the answer.
    #[serde(default)]
    pub(crate) full_feature_names: Option<bool>,
    /// Whether the answer lists the views.
    #[serde(default)]
    pub(crate) include_feature_view_version_metadata: Option<bool>,
}

/// Columns by name, in the order of the request.
#[derive(Debug, Default)]
pub(crate) struct Entities(pub(crate) Vec<(String, Vec<Scalar>)>);

/// A value of a join key, echoed as it came.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Scalar {
    Null,
    Truth(bool),
    Whole(i64),
    Large(u64),
    Double(f64),
    Text(String),
}

impl Entities {
    /// Number of rows, if all columns have as many.
    pub(crate) fn rows(&self) -> Result<usize, String> {
        let Some((first, values)) = self.0.first() else {
            return Ok(0);
        };
        let rows = values.len();
        match self.0.iter().find(|(_, values)| values.len() != rows) {
            None => Ok(rows),
            Some((name, values)) => Err(format!(
                "`entities`: all columns have equally many values, but `{first}` has {rows} and `{name}` has {}",
                values.len()
            )),
        }
    }

    /// A column by its name.
    pub(crate) fn column(&self, name: &str) -> Option<&[Scalar]> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, values)| values.as_slice())
    }
}

impl<'de> Deserialize<'de> for Entities {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Columns;
        impl<'de> Visitor<'de> for Columns {
            type Value = Entities;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`entities` to be an object of join keys, each with a list of values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entities, A::Error> {
                let mut columns: Vec<(String, Vec<Scalar>)> = Vec::new();
                while let Some((name, values)) = map.next_entry::<String, Vec<Scalar>>()? {
                    if columns.iter().any(|(known, _)| *known == name) {
                        return Err(de::Error::custom("`entities` names a join key twice"));
                    }
                    columns.push((name, values));
                }
                Ok(Entities(columns))
            }
        }
        deserializer.deserialize_map(Columns)
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Plain;
        impl Visitor<'_> for Plain {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value of an entity to be a text, a number, true, false or null")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar::Truth(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar::Whole(value))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
                Ok(i64::try_from(value).map_or(Scalar::Large(value), Scalar::Whole))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Scalar, E> {
                Ok(Scalar::Double(value))
            }

            fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(value.to_owned()))
            }

            fn visit_string<E>(self, value: String) -> Result<Scalar, E> {
                Ok(Scalar::Text(value))
            }

            fn visit_unit<E>(self) -> Result<Scalar, E> {
                Ok(Scalar::Null)
            }
        }
        deserializer.deserialize_any(Plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Asked, String> {
        serde_json::from_str(text).map_err(|e| e.to_string())
    }

    #[test]
    fn entities_keep_their_order_and_their_values() {
        let asked = read(
            r#"{"entities": {"b": ["x", 1, null], "a": [18446744073709551615, 1.5, true]}, "more": {"ignored": []}}"#,
        )
        .unwrap();
        let names: Vec<&str> = (asked.entities.0.iter())
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(names, ["b", "a"]);
        assert_eq!(asked.entities.rows(), Ok(3));
        let echoed = serde_json::to_string(asked.entities.column("a").unwrap()).unwrap();
        assert_eq!(echoed, "[18446744073709551615,1.5,true]");
    }

    #[test]
    fn what_is_no_table_of_scalars_is_refused() {
        for (text, said) in [
            (r#"{"features": []}"#, "missing field `entities`"),
            (
                r#"{"entities": {"a": [["x"]]}}"#,
                "a value of an entity to be a text",
            ),
            (r#"{"entities": {"a": "x"}}"#, "expected a sequence"),
            (
                r#"{"entities": {"a": [], "a": []}}"#,
                "names a join key twice",
            ),
            (r#"{"entities": []}"#, "`entities` to be an object"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
        // What is skipped may be as deep as it likes: it is skipped without recursion.
        let brackets = ["[".repeat(100_000), "]".repeat(100_000)].join("1");
        assert!(read(&format!(r#"{{"x": {brackets}, "entities": {{}}}}"#)).is_ok());
        let deep = read(&format!(r#"{{"entities": {{"a": [{brackets}]}}}}"#));
        assert!(
            deep.unwrap_err()
                .contains("a value of an entity to be a text")
        );
        let uneven = read(r#"{"entities": {"a": [1], "b": [1, 2]}}"#).unwrap();
        assert!(
            uneven
                .entities
                .rows()
                .unwrap_err()
                .contains("`a` has 1 and `b` has 2")
        );
    }
}
