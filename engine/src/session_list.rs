//! The sessions of each entity, where they have no id: their starts and their records.

use hashbrown::HashTable;

use super::hash::hash;
use super::ids::RecordId;

/// The sessions of the entities of a table, found by the entity's key.
#[derive(Default)]
pub(super) struct Sessions(HashTable<OfEntity>);

/// The sessions of one entity, one or more.
struct OfEntity {
    hash: u64,
    key: Box<[u8]>,
    /// Starts and records, the earliest first.
    list: Vec<(i64, RecordId)>,
}

impl Sessions {
    /// The sessions of an entity, the earliest first.
    pub(super) fn of(&self, key: &[u8]) -> &[(i64, RecordId)] {
        let found = self.0.find(hash(key), |entity| *entity.key == *key);
        found.map_or(&[], |entity| &entity.list)
    }

    /// Adds a session.
    pub(super) fn insert(&mut self, key: &[u8], start: i64, record: RecordId) {
        let hashed = hash(key);
        let found = self.0.find_mut(hashed, |entity| *entity.key == *key);
        let Some(entity) = found else {
            let entity = OfEntity {
                hash: hashed,
                key: key.into(),
                list: vec![(start, record)],
            };
            (self.0).insert_unique(hashed, entity, |entity| entity.hash);
            return;
        };
        let at = entity.list.partition_point(|(known, _)| *known < start);
        entity.list.insert(at, (start, record));
    }

    /// Takes a session away.
    pub(super) fn remove(&mut self, key: &[u8], record: RecordId) {
        let found = (self.0).find_entry(hash(key), |entity| *entity.key == *key);
        if let Ok(mut entity) = found {
            entity.get_mut().list.retain(|(_, known)| *known != record);
            if entity.get().list.is_empty() {
                entity.remove();
            }
        }
    }

    /// Bytes, an estimate.
    pub(super) fn bytes(&self) -> usize {
        self.0.capacity() * (size_of::<OfEntity>() + 1) + self.0.len() * 64
    }
}
