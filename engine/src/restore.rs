//! An engine from the bytes of a snapshot. What has changed since is left out, and the rest comes back.

use std::sync::Arc;

use super::bytes::{Reader, RestoreError};
use super::hash::hash;
use super::ids::ViewId;
use super::key::{is_key, split_start};
use super::layout::{Kind, MERGED, PHASE, TIMER};
use super::plan::Plan;
use super::segment::read_view;
use super::settings::Settings;
use super::state::{Engine, Timer};
use super::summary::{Restored, ViewSummary, open};

/// Views of an entity: a mask of a record has a bit for each.
const MOST_VIEWS: usize = u32::BITS as usize;

impl Engine {
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
            engine.dedup.restore(hash, span);
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
            let table_plan = &plan.tables[number];
            let is_key = is_key(key, table_plan.names.len());
            if !is_key || table_plan.by_start && split_start(key).is_none() {
                return Err(RestoreError::Damaged("a key is not of its entity"));
            }
            let record = *record.get_or_insert_with(|| table.insert(hash(key), key));
            let words = &mut table.record(record)[view.at..view.at + view.words];
            read_view(&mut segment, view, words, &mut self.arena)?;
            let id = ViewId::new(number, *index);
            if alive >> written & 1 == 1 {
                match view.kind {
                    Kind::Session { .. } | Kind::Sessions { .. } => {
                        let timer = Timer { view: id, record };
                        self.wheel.set(words[TIMER], timer);
                        if words[PHASE] & MERGED == 0
                            && let Kind::Sessions { .. } = view.kind
                            && let Some((entity, start)) = split_start(key)
                        {
                            self.sessions[number].insert(entity, start, record);
                        }
                    }
                    Kind::Sliding { .. } => {
                        table.header_mut(record).listed |= id.bit();
                        self.listed[number][*index].push(record);
                    }
                    Kind::Exact(_) => {
                        let timer = Timer { view: id, record };
                        self.leaving.set(words[TIMER], timer);
                    }
                    Kind::Last { .. } => {}
                    Kind::Lifetime => self.restore_pattern_timers(id, record),
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
