//! Lists of objects: the fields of their items, as a list column has them. Other lists (of texts, of lists, of anything) are no column.

use std::collections::HashMap;

use super::fields::Fields;
use crate::new_domain::sample::{Json, Sample};

/// The items of the lists at each place that has nothing but lists of objects.
#[derive(Debug, Default)]
pub(crate) struct Lists(HashMap<Vec<String>, Fields>);

impl Lists {
    pub(super) fn of(sample: &Sample, fields: &Fields) -> Self {
        let mut lists = HashMap::new();
        let only = fields
            .all()
            .filter(|field| field.lists > 0 && field.scalars() + field.objects == 0);
        for field in only {
            let at = sample
                .events
                .iter()
                .filter_map(|(_, event)| event.at(&field.path));
            let items = at.filter_map(|value| match value {
                Json::List(items) => Some(items),
                _ => None,
            });
            let items: Vec<&Json> = items.flatten().collect();
            let objects = items.iter().all(|item| matches!(item, Json::Object(_)));
            if objects && !items.is_empty() {
                lists.insert(field.path.clone(), Fields::of(items));
            }
        }
        Self(lists)
    }

    /// The places inside the items of a list.
    pub(crate) fn at(&self, path: &[String]) -> Option<&Fields> {
        self.0.get(path)
    }
}
