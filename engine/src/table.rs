//! The records of one entity: fixed-size words in one slab, found by the hash of their key.

use hashbrown::HashTable;

use super::ids::RecordId;

/// A record's own data; its words are in the slab.
pub(super) struct Header {
    pub(super) hash: u64,
    pub(super) key: Box<[u8]>,
    /// Views that hold something of this entity, one bit each.
    pub(super) alive: u32,
    /// Views whose row has changed since it was last taken.
    pub(super) dirty: u32,
    /// Views that are in the list of sliding windows with content.
    pub(super) listed: u32,
}

/// All records of one entity.
pub(super) struct Table {
    stride: usize,
    /// What the words of a new record hold.
    empty: Vec<i64>,
    words: Vec<i64>,
    headers: Vec<Header>,
    index: HashTable<RecordId>,
    free: Vec<RecordId>,
}

impl Table {
    pub(super) fn new(stride: usize, empty: Vec<i64>) -> Self {
        Self {
            stride,
            empty,
            words: Vec::new(),
            headers: Vec::new(),
            index: HashTable::new(),
            free: Vec::new(),
        }
    }

    /// Number of entities held.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// The record of a key, if there is one.
    pub(super) fn find(&self, hash: u64, key: &[u8]) -> Option<RecordId> {
        let headers = &self.headers;
        let same = |at: &RecordId| {
            let header = &headers[at.index()];
            header.hash == hash && *header.key == *key
        };
        self.index.find(hash, same).copied()
    }

    /// Makes the record of a key that has none.
    pub(super) fn insert(&mut self, hash: u64, key: &[u8]) -> RecordId {
        let header = Header {
            hash,
            key: key.into(),
            alive: 0,
            dirty: 0,
            listed: 0,
        };
        let at = match self.free.pop() {
            Some(at) => {
                self.headers[at.index()] = header;
                at
            }
            None => {
                let at = RecordId::new(self.headers.len());
                self.headers.push(header);
                self.words.extend_from_slice(&self.empty);
                at
            }
        };
        let headers = &self.headers;
        self.index
            .insert_unique(hash, at, |at| headers[at.index()].hash);
        at
    }

    /// Forgets a record that holds nothing any more; its words must be as empty as a new one's.
    pub(super) fn remove(&mut self, at: RecordId) {
        let hash = self.headers[at.index()].hash;
        if let Ok(found) = self.index.find_entry(hash, |known| *known == at) {
            found.remove();
            self.headers[at.index()].key = Box::default();
            self.free.push(at);
        }
    }

    pub(super) fn header(&self, at: RecordId) -> &Header {
        &self.headers[at.index()]
    }

    pub(super) fn header_mut(&mut self, at: RecordId) -> &mut Header {
        &mut self.headers[at.index()]
    }

    /// The words of a record.
    pub(super) fn record(&mut self, at: RecordId) -> &mut [i64] {
        let at = at.index();
        &mut self.words[at * self.stride..(at + 1) * self.stride]
    }

    /// The words of a record, to look at.
    pub(super) fn look(&self, at: RecordId) -> &[i64] {
        let at = at.index();
        &self.words[at * self.stride..(at + 1) * self.stride]
    }

    /// What some words of a new record hold.
    pub(super) fn empty_words(&self, at: usize, count: usize) -> Vec<i64> {
        self.empty[at..at + count].to_vec()
    }

    /// The records in use.
    pub(super) fn used(&self) -> impl Iterator<Item = RecordId> + '_ {
        self.index.iter().copied()
    }

    /// Bytes of the slab and its index, an estimate.
    pub(super) fn bytes(&self) -> usize {
        let keys: usize = self.headers.iter().map(|header| header.key.len()).sum();
        self.words.capacity() * 8
            + self.headers.capacity() * size_of::<Header>()
            + self.index.capacity() * 5
            + keys
    }
}
