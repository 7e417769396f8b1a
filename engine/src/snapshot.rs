//! State as bytes and back: the inside of a checkpoint.
//!
//! A snapshot is self-contained and says of every view what it was made from, so that a view that has changed since is left out and
//! the others come back. Layout, little endian: magic, XXH3 of all that follows, length and JSON of [`Summary`], the identifiers, then
//! per entity its records: key, masks, and per view that is alive a segment with its length.
//!
//! Where snapshots are stored, and which one is read: `ingester/src/sessionize/checkpoints.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::hash::hash;
use super::ids::{ColumnId, ViewId, length};
use super::plan::{Kind, Plan, TIMER, TablePlan};
use super::segment::{Reader, put_bytes, read_view, write_view};
use super::{Engine, Settings, Timer};

/// The last character is the number of the format.
const MAGIC: &[u8; 8] = b"USFLCKP1";

/// Views of an entity: a mask of a record has a bit for each.
const MOST_VIEWS: usize = u32::BITS as usize;

/// Why bytes are no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Not the bytes that were written.
    #[error("damaged: {0}")]
    Damaged(&'static str),
    /// Whole, and written by another version of userflow.
    #[error("written by another version of userflow: {0}")]
    Format(String),
}

/// Which store has the rows of a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreMark {
    /// The store's id.
    pub id: String,
    /// When the table of each view was made.
    pub tables: BTreeMap<String, String>,
}

/// What a snapshot holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// Kafka partition.
    pub partition: i32,
    /// The next offset to read.
    pub next_offset: i64,
    /// Newest effective event time, microseconds UTC.
    pub newest: i64,
    /// Watermark, microseconds UTC.
    pub watermark: i64,
    /// Identifiers remembered.
    pub identifiers: usize,
    /// The store that has its rows; none in snapshots of releases that did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreMark>,
    /// Entities in the order of their records.
    pub entities: Vec<EntitySummary>,
}

/// One entity of a snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EntitySummary {
    /// Its columns' numbers in the contract of that time.
    pub columns: Vec<usize>,
    /// Their names, by which they are found when the contract has changed; releases up to 0.1 did not write them.
    #[serde(default)]
    pub names: Vec<String>,
    /// Records held.
    pub records: usize,
    /// Its views.
    pub views: Vec<ViewSummary>,
}

/// One view of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewSummary {
    /// Its name.
    pub name: String,
    /// What it was made from.
    pub fingerprint: String,
    /// Words of its state.
    pub words: usize,
    /// Entities of which it holds something.
    pub alive: usize,
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Views that are as they were.
    pub whole: Vec<String>,
    /// Views that start empty: new, or changed since.
    pub empty: Vec<String>,
    /// Views of the snapshot that are gone or were made differently.
    pub dropped: Vec<String>,
    /// The store that had its rows.
    pub store: Option<StoreMark>,
}

/// Reads what a snapshot holds, without its state.
pub fn inspect(bytes: &[u8]) -> Result<Summary, RestoreError> {
    open(bytes).map(|(summary, _)| summary)
}

fn open(bytes: &[u8]) -> Result<(Summary, Reader<'_>), RestoreError> {
    let (magic, rest) =
        (bytes.split_first_chunk::<8>()).ok_or(RestoreError::Damaged("too short"))?;
    if magic[..7] != MAGIC[..7] {
        return Err(RestoreError::Damaged("it does not begin as a checkpoint"));
    }
    if magic != MAGIC {
        let (theirs, ours) = (char::from(magic[7]), char::from(MAGIC[7]));
        return Err(RestoreError::Format(format!(
            "format {theirs}, and this release reads format {ours}"
        )));
    }
    let (sum, body) = (rest.split_first_chunk::<8>()).ok_or(RestoreError::Damaged("too short"))?;
    if hash(body) != u64::from_le_bytes(*sum) {
        return Err(RestoreError::Damaged(
            "the checksum does not fit the content",
        ));
    }
    let mut reader = Reader(body);
    let summary =
        serde_json::from_slice(reader.bytes()?).map_err(|e| RestoreError::Format(e.to_string()))?;
    Ok((summary, reader))
}

impl EntitySummary {
    fn is(&self, table: &TablePlan) -> bool {
        match self.names.is_empty() {
            true => self
                .columns
                .iter()
                .copied()
                .map(ColumnId::new)
                .eq(table.entity.iter().copied()),
            false => self.names == table.names(),
        }
    }
}

impl Engine {
    /// All state as bytes. Texts that nothing uses any more are forgotten on the way.
    pub fn snapshot(&mut self) -> Vec<u8> {
        let plan = Arc::clone(&self.plan);
        let mut out = Vec::with_capacity(1 << 16);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&[0; 8]);
        let summary = serde_json::to_vec(&self.summary()).expect("numbers and texts are JSON");
        put_bytes(&mut out, &summary);
        for (hash, span) in self.repeats.entries() {
            out.extend_from_slice(&hash.to_le_bytes());
            out.extend_from_slice(&span.to_le_bytes());
        }
        let mut marked = vec![false; self.arena.symbols.capacity()];
        for (number, table) in plan.tables.iter().enumerate() {
            for record in self.tables[number].used() {
                let header = self.tables[number].header(record);
                put_bytes(&mut out, &header.key);
                let held = header.alive | header.dirty;
                for mask in [held, header.alive, header.dirty] {
                    out.extend_from_slice(&mask.to_le_bytes());
                }
                for (index, view) in table.views.iter().enumerate() {
                    if held >> index & 1 == 0 {
                        continue;
                    }
                    let at = out.len();
                    out.extend_from_slice(&[0; 4]);
                    let words = &self.tables[number].look(record)[view.at..view.at + view.words];
                    write_view(&mut out, view, words, &self.arena, &mut marked);
                    let written = length(out.len() - at - 4);
                    out[at..at + 4].copy_from_slice(&written.to_le_bytes());
                }
            }
        }
        self.arena.symbols.keep(&marked);
        let sum = hash(&out[16..]);
        out[8..16].copy_from_slice(&sum.to_le_bytes());
        out
    }

    /// What [`Engine::snapshot`] would write, in short.
    pub fn summary(&self) -> Summary {
        let entities = self
            .plan
            .tables
            .iter()
            .zip(&self.tables)
            .map(|(plan, table)| {
                let mut alive = vec![0; plan.views.len()];
                for record in table.used() {
                    for (index, count) in alive.iter_mut().enumerate() {
                        *count += usize::from(table.header(record).alive >> index & 1 == 1);
                    }
                }
                let views = plan
                    .views
                    .iter()
                    .zip(alive)
                    .map(|(view, alive)| ViewSummary {
                        name: view.view.name.clone(),
                        fingerprint: view.view.fingerprint.clone(),
                        words: view.words,
                        alive,
                    });
                EntitySummary {
                    columns: plan.entity.iter().map(|column| column.index()).collect(),
                    names: plan.names().to_vec(),
                    records: table.len(),
                    views: views.collect(),
                }
            });
        Summary {
            partition: self.partition,
            next_offset: self.next_offset,
            newest: self.newest,
            watermark: self.watermark,
            identifiers: self.repeats.len(),
            store: self.store.clone(),
            entities: entities.collect(),
        }
    }

    /// An engine with the state of a snapshot, as far as views are still the same.
    pub fn restore(
        plan: Arc<Plan>,
        settings: Settings,
        bytes: &[u8],
    ) -> Result<(Self, Restored), RestoreError> {
        let (summary, mut reader) = open(bytes)?;
        let mut engine = Self::new(plan, settings, summary.partition, summary.next_offset);
        engine.newest = summary.newest;
        engine.watermark = summary.watermark;
        for _ in 0..summary.identifiers {
            let (hash, span) = (reader.number()?.cast_unsigned(), reader.number()?);
            engine.repeats.restore(hash, span);
        }
        let plan = Arc::clone(&engine.plan);
        engine.store.clone_from(&summary.store);
        let mut restored = Restored {
            store: summary.store,
            ..Restored::default()
        };
        for entity in &summary.entities {
            if entity.views.len() > MOST_VIEWS {
                return Err(RestoreError::Damaged("an entity has too many views"));
            }
            let number = plan.tables.iter().position(|table| entity.is(table));
            let place = |view: &ViewSummary| {
                let table = &plan.tables[number?];
                table.views.iter().position(|known| {
                    (&known.view.name, known.words) == (&view.name, view.words)
                        && known.view.recognises(&view.fingerprint)
                })
            };
            let places: Vec<Option<usize>> = entity.views.iter().map(place).collect();
            for (view, place) in entity.views.iter().zip(&places) {
                let list = match place {
                    Some(_) => &mut restored.whole,
                    None => &mut restored.dropped,
                };
                list.push(view.name.clone());
            }
            for _ in 0..entity.records {
                engine.restore_record(&mut reader, number, &places)?;
            }
        }
        for view in plan.views() {
            if !restored.whole.contains(&view.name) {
                restored.empty.push(view.name.clone());
            }
        }
        Ok((engine, restored))
    }

    fn restore_record(
        &mut self,
        reader: &mut Reader<'_>,
        number: Option<usize>,
        places: &[Option<usize>],
    ) -> Result<(), RestoreError> {
        let key = reader.bytes()?;
        let (held, alive, dirty) = (reader.mask()?, reader.mask()?, reader.mask()?);
        let mut record = None;
        for (written, place) in places.iter().enumerate() {
            if held >> written & 1 == 0 {
                continue;
            }
            let mut segment = Reader(reader.bytes()?);
            let (Some(number), Some(index)) = (number, place) else {
                continue;
            };
            // A record of nothing would never be given back.
            if (alive | dirty) >> written & 1 == 0 {
                continue;
            }
            let plan = Arc::clone(&self.plan);
            let view = &plan.tables[number].views[*index];
            let table = &mut self.tables[number];
            let record = *record.get_or_insert_with(|| table.insert(hash(key), key));
            let words = &mut table.record(record)[view.at..view.at + view.words];
            read_view(&mut segment, view, words, &mut self.arena)?;
            let id = ViewId::new(number, *index);
            if alive >> written & 1 == 1 {
                match view.kind {
                    Kind::Session { .. } => {
                        let timer = Timer { view: id, record };
                        self.wheel.set(words[TIMER], timer);
                    }
                    Kind::Sliding { .. } => {
                        table.header_mut(record).listed |= id.bit();
                        self.listed[number][*index].push(record);
                    }
                    Kind::Last { .. } | Kind::Lifetime => {}
                }
                self.tables[number].header_mut(record).alive |= id.bit();
            }
            if dirty >> written & 1 == 1 {
                self.mark(id, record);
            }
        }
        Ok(())
    }
}
