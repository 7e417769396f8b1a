//! State as bytes: the inside of a checkpoint. And back: `restore.rs`.
//!
//! A snapshot is self-contained and says of every view what it was made from, so that a view that has changed since is left out and
//! the others come back. Layout, little endian: magic, XXH3 of all that follows, length and JSON of [`Summary`], the identifiers, then
//! per entity its records: key, masks, and per view that is alive a segment with its length.
//!
//! Where snapshots are stored, and which one is read: `ingester/src/sessionize/checkpoints.rs`.

use std::sync::Arc;

use super::bytes::put_bytes;
use super::hash::hash;
use super::ids::length;
use super::segment::write_view;
use super::state::Engine;
use super::summary::{EntitySummary, MAGIC, Summary, ViewSummary};

impl Engine {
    /// All state as bytes. Texts that nothing uses any more are forgotten on the way.
    pub fn snapshot(&mut self) -> Vec<u8> {
        let plan = Arc::clone(&self.plan);
        let mut out = Vec::with_capacity(1 << 16);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&[0; 8]);
        let summary = serde_json::to_vec(&self.summary()).expect("numbers and texts are JSON");
        put_bytes(&mut out, &summary);
        for (hash, span) in self.dedup.entries() {
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
                    names: plan.names.clone(),
                    records: table.len(),
                    views: views.collect(),
                }
            });
        Summary {
            partition: self.partition,
            next_offset: self.next_offset,
            newest: self.newest,
            watermark: self.watermark,
            identifiers: self.dedup.len(),
            store: self.store.clone(),
            entities: entities.collect(),
        }
    }
}
