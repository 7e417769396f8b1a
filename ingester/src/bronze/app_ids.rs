//! The application ids under which positions stand in the two tables, and which rows of the quarantine belong to which of them.
//!
//! A **slot** is what has a position: a Kafka partition, by its number; or a file's content, by its place in the list of a `load`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use userflow_models::bronze::{content_of, content_position, position_prefix};

/// The application ids of what a process reads.
#[derive(Clone, Debug)]
pub(super) struct AppIds(Source);

#[derive(Clone, Debug)]
enum Source {
    /// The partitions of a topic.
    Topic {
        name: String,
        id: String,
        prefix: String,
    },
    /// The contents of files: their ids in the order of the slots, and back.
    Contents(Arc<(Vec<String>, HashMap<String, i32>)>),
}

impl AppIds {
    /// Of a topic's partitions.
    pub(super) fn topic(name: &str, id: &str) -> Self {
        Self(Source::Topic {
            name: name.to_owned(),
            id: id.to_owned(),
            prefix: position_prefix(name, id),
        })
    }

    /// Of contents, each of which is in the list once.
    pub(super) fn contents(ids: Vec<String>) -> Self {
        let slots: HashMap<String, i32> = (ids.iter().cloned()).zip(0..).collect();
        Self(Source::Contents(Arc::new((ids, slots))))
    }

    pub(super) fn of(&self, slot: i32) -> String {
        match &self.0 {
            Source::Topic { prefix, .. } => format!("{prefix}{slot}"),
            Source::Contents(contents) => {
                let at = usize::try_from(slot).expect("slots are counted from 0");
                content_position(&contents.0[at])
            }
        }
    }

    pub(super) fn all<'a>(&self, slots: impl Iterator<Item = &'a i32>) -> HashSet<String> {
        slots.map(|slot| self.of(*slot)).collect()
    }

    /// The positions of these slots among all positions of a table.
    pub(super) fn pick(&self, positions: &HashMap<String, i64>) -> BTreeMap<i32, i64> {
        match &self.0 {
            Source::Topic { prefix, .. } => {
                let of_topic = positions.iter().filter_map(|(id, next)| {
                    let partition = id.strip_prefix(prefix)?.parse().ok()?;
                    Some((partition, *next))
                });
                of_topic.collect()
            }
            Source::Contents(contents) => {
                let known = contents.0.iter().zip(0..).filter_map(|(id, slot)| {
                    let next = positions.get(&content_position(id))?;
                    Some((slot, *next))
                });
                known.collect()
            }
        }
    }

    /// The slot of a row of the quarantine; none if it came from elsewhere.
    pub(super) fn slot_of(
        &self,
        topic: &str,
        topic_id: Option<&str>,
        partition: i32,
    ) -> Option<i32> {
        match &self.0 {
            Source::Topic { name, id, .. } => {
                // Rows of before the ids have none.
                let ours = topic == name && topic_id.is_none_or(|other| other == id);
                ours.then_some(partition)
            }
            Source::Contents(contents) => contents.1.get(content_of(topic_id?)?).copied(),
        }
    }

    /// The Kafka partition that rows of a slot have.
    pub(super) fn partition_of(&self, slot: i32) -> i32 {
        match &self.0 {
            Source::Topic { .. } => slot,
            Source::Contents(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_of_one_topic_and_id() {
        let ids = AppIds::topic("t", "id");
        let all = HashMap::from([
            ("userflow-ingester/t/id/3".to_owned(), 7),
            ("userflow-ingester/t/other/3".to_owned(), 8),
            ("userflow-ingester/tt/id/3".to_owned(), 9),
            ("userflow-load/sha256:00".to_owned(), 10),
        ]);
        assert_eq!(ids.pick(&all), BTreeMap::from([(3, 7)]));
        assert_eq!(ids.of(3), "userflow-ingester/t/id/3");
        assert_eq!(ids.slot_of("t", Some("id"), 3), Some(3));
        assert_eq!(ids.slot_of("t", None, 3), Some(3));
        assert_eq!(ids.slot_of("t", Some("other"), 3), None);
        assert_eq!(ids.slot_of("u", Some("id"), 3), None);
        assert_eq!(ids.partition_of(3), 3);
    }

    #[test]
    fn positions_are_of_a_content_whatever_its_name() {
        let ids = AppIds::contents(vec!["sha256:aa".to_owned(), "sha256:bb".to_owned()]);
        let all = HashMap::from([
            ("userflow-ingester/t/id/1".to_owned(), 7),
            ("userflow-load/sha256:bb".to_owned(), 8),
            ("userflow-load/sha256:cc".to_owned(), 9),
        ]);
        assert_eq!(ids.pick(&all), BTreeMap::from([(1, 8)]));
        assert_eq!(ids.of(0), "userflow-load/sha256:aa");
        assert_eq!(ids.slot_of("x", Some("sha256:bb any name"), 0), Some(1));
        assert_eq!(ids.slot_of("x", Some("sha256:cc any name"), 0), None);
        assert_eq!(ids.slot_of("t", Some("id"), 1), None);
        assert_eq!(ids.slot_of("t", None, 1), None);
        assert_eq!(ids.partition_of(1), 0);
    }
}
