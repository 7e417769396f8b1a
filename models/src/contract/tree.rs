//! The contract file as an ordered tree of JSON values.
//!
//! `serde_json::Value` sorts the keys of an object and lets a repeated key win in silence; a contract needs the order of its
//! properties (it is the order of the columns) and must not say the same thing twice. Not used for events: see `decode`.

use std::fmt;
use std::path::Path;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::place::Place;
use crate::error::ConfigError;

/// One JSON value of the contract.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    Null,
    Bool(bool),
    /// The number's shortest decimal text: bounds are compared exactly, never as floats.
    Number(String),
    Text(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    pub(super) fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        serde_json::from_str(text).map_err(|error| ConfigError::ContractSyntax {
            file: file.to_owned(),
            line: error.line(),
            column: error.column(),
            message: without_position(&error.to_string()),
        })
    }

    /// The member `key`, when this is an object that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members
                .iter()
                .find_map(|(name, value)| (name == key).then_some(value)),
            _ => None,
        }
    }

    pub(super) fn object(&self, place: &Place<'_>) -> Result<&[(String, Self)], ConfigError> {
        match self {
            Self::Object(members) => Ok(members),
            other => Err(place.error(format!("expected an object, found {other}"))),
        }
    }

    pub(super) fn list(&self, place: &Place<'_>) -> Result<&[Self], ConfigError> {
        match self {
            Self::List(items) => Ok(items),
            other => Err(place.error(format!("expected a list, found {other}"))),
        }
    }

    pub(super) fn text(&self, place: &Place<'_>) -> Result<&str, ConfigError> {
        match self {
            Self::Text(text) => Ok(text),
            other => Err(place.error(format!("expected a text, found {other}"))),
        }
    }

    pub(super) fn texts(&self, place: &Place<'_>) -> Result<Vec<String>, ConfigError> {
        let items = self.list(place)?.iter().enumerate();
        items
            .map(|(i, item)| item.text(&place.index(i)).map(str::to_owned))
            .collect()
    }

    pub(super) fn count(&self, place: &Place<'_>) -> Result<usize, ConfigError> {
        match self {
            Self::Number(text) => text.parse().ok().filter(|count| *count > 0),
            _ => None,
        }
        .ok_or_else(|| place.error(format!("expected a positive integer, found {self}")))
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => out.write_str("null"),
            Self::Bool(value) => write!(out, "{value}"),
            Self::Number(text) => out.write_str(text),
            Self::Text(text) => write!(out, "`{text}`"),
            Self::List(_) => out.write_str("a list"),
            Self::Object(_) => out.write_str("an object"),
        }
    }
}

/// serde_json ends its messages with the position, which the error shows in front.
fn without_position(message: &str) -> String {
    message
        .rsplit_once(" at line ")
        .map_or(message, |(head, _)| head)
        .to_owned()
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Tree;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a JSON value")
            }
            fn visit_unit<E: de::Error>(self) -> Result<Tree, E> {
                Ok(Tree::Null)
            }
            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Tree, E> {
                Ok(Tree::Bool(value))
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Tree, E> {
                Ok(Tree::Number(value.to_string()))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Tree, E> {
                Ok(Tree::Number(value.to_string()))
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Tree, E> {
                Ok(Tree::Number(value.to_string()))
            }
            fn visit_str<E: de::Error>(self, value: &str) -> Result<Tree, E> {
                Ok(Tree::Text(value.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Tree::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree, A::Error> {
                let mut object: Vec<(String, Tree)> = Vec::new();
                while let Some(key) = members.next_key::<String>()? {
                    if object.iter().any(|(name, _)| *name == key) {
                        let message = format!("`{key}` is declared twice: remove one of the two");
                        return Err(de::Error::custom(message));
                    }
                    object.push((key, members.next_value()?));
                }
                Ok(Tree::Object(object))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}
