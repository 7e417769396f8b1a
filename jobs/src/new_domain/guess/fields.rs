//! The places of a sample, in the order in which they first appear.

use std::collections::HashMap;

use super::field::Field;
use crate::new_domain::sample::Json;

/// Keys of one object beyond which its keys are taken for data: a map from anything to anything.
const MOST_KEYS: usize = 150;
/// Objects inside one another that are looked into.
const DEEPEST: usize = 12;

/// Statistics of every place of a sample.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    fields: Vec<Field>,
    index: HashMap<Vec<String>, usize>,
    /// Different keys of the object at a path.
    keys: HashMap<Vec<String>, usize>,
    /// Places with lists of keys and values, each of whose keys is a field.
    pub(crate) in_lists: Vec<Vec<String>>,
    /// Events.
    pub(crate) events: usize,
}

impl Fields {
    pub(crate) fn of<'a>(events: impl IntoIterator<Item = &'a Json>) -> Self {
        let mut fields = Self::default();
        for event in events {
            fields.events += 1;
            fields.object(event, &mut Vec::new());
        }
        fields
    }

    /// Every place but those inside an object whose keys are data, or inside what is not always an object.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| self.reachable(field))
    }

    /// The place at a path.
    pub(crate) fn get(&self, path: &[String]) -> Option<&Field> {
        self.index.get(path).map(|index| &self.fields[*index])
    }

    /// Whether every value at the path is an object with a handful of known keys.
    pub(crate) fn is_object(&self, field: &Field) -> bool {
        let map = self.keys.get(&field.path).is_some_and(|n| *n > MOST_KEYS);
        field.objects > 0 && field.scalars() + field.lists == 0 && !map
    }

    /// Whether a place stands in a list of keys and values.
    pub(crate) fn in_list(&self, field: &Field) -> bool {
        let lists = self.in_lists.iter();
        lists.into_iter().any(|list| field.path.starts_with(list))
    }

    fn reachable(&self, field: &Field) -> bool {
        let parents = 1..field.path.len();
        parents.into_iter().all(|depth| {
            let parent = self.get(&field.path[..depth]);
            parent.is_some_and(|parent| self.is_object(parent))
        })
    }

    fn object(&mut self, value: &Json, path: &mut Vec<String>) {
        let Json::Object(members) = value else {
            return;
        };
        for (key, value) in members {
            path.push(key.clone());
            let index = match self.index.get(path.as_slice()) {
                Some(index) => Some(*index),
                None => self.add(path),
            };
            if let Some(index) = index {
                self.fields[index].observe(value);
                if path.len() < DEEPEST {
                    self.object(value, path);
                }
            }
            path.pop();
        }
    }

    /// A place that was not seen before; none if there are too many beside it already.
    fn add(&mut self, path: &[String]) -> Option<usize> {
        let keys = self
            .keys
            .entry(path[..path.len() - 1].to_vec())
            .or_default();
        *keys += 1;
        if *keys > MOST_KEYS && path.len() > 1 {
            return None;
        }
        let index = self.fields.len();
        self.fields.push(Field::new(path));
        self.index.insert(path.to_vec(), index);
        Some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(events: &[&str]) -> Fields {
        let events: Vec<Json> = events
            .iter()
            .map(|event| serde_json::from_str(event).unwrap())
            .collect();
        Fields::of(&events)
    }

    #[test]
    fn every_place_is_counted_by_kind() {
        let fields = fields(&[
            r#"{"id": 1, "who": "ann", "at": "2026-11-01T12:00:00Z", "more": {"price": 1.25, "on": true}}"#,
            r#"{"id": 2, "who": "", "at": "2026-11-01T11:00:00Z", "more": {"price": 100, "on": null}}"#,
            r#"{"id": 2, "who": "ann", "at": "2026-11-01T13:00:00Z", "more": null}"#,
        ]);
        let names: Vec<String> = fields.all().map(Field::pointer).collect();
        assert_eq!(
            names,
            ["/id", "/who", "/at", "/more", "/more/price", "/more/on"]
        );
        let at = |path: &[&str]| {
            let path: Vec<String> = path.iter().map(|key| (*key).to_owned()).collect();
            fields.get(&path).unwrap()
        };
        assert_eq!((at(&["id"]).integers, at(&["id"]).distinct()), (3, 2));
        assert_eq!((at(&["who"]).filled(), at(&["who"]).texts), (2, 3));
        assert!(at(&["at"]).is_time() && !at(&["id"]).is_time());
        assert!((at(&["at"]).order() - 2.0 / 3.0).abs() < 1e-9);
        let price = at(&["more", "price"]);
        assert_eq!((price.whole_digits, price.decimals), (3, 2));
        assert_eq!((price.integers, price.floats), (1, 1));
        assert_eq!((at(&["more"]).nulls, at(&["more", "on"]).nulls), (1, 1));
    }

    #[test]
    fn what_is_not_always_an_object_is_not_looked_into() {
        let mixed = fields(&[r#"{"a": {"b": 1}}"#, r#"{"a": "text"}"#]);
        assert_eq!(mixed.all().map(Field::pointer).collect::<Vec<_>>(), ["/a"]);
        let many: String = (0..200).map(|n| format!(",\"k{n}\": 1")).collect();
        let map = fields(&[&format!("{{\"m\": {{\"k\": 1{many}}}}}")]);
        assert_eq!(map.all().map(Field::pointer).collect::<Vec<_>>(), ["/m"]);
    }
}
