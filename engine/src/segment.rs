//! The words of a view as bytes, with what they stand for: texts, sketches, lists, rings.

use super::bytes::{Reader, RestoreError, number, put_number, put_symbol};
use super::layout::{Accumulator, EVENTS, HEAD, Kind, PANES, PanePlan, RING, ViewPlan, panes_of};
use super::lists::Dated;
use super::pane::Arena;
use super::pattern_bytes::{read_absence, read_run, write_absence, write_run};
use super::pool::Kept;

/// The panes of a view's words: their places.
fn panes(view: &ViewPlan) -> Vec<usize> {
    let width = view.pane.empty.len();
    match view.kind {
        Kind::Session { .. } | Kind::Sessions { .. } => vec![PANES],
        Kind::Lifetime => vec![HEAD],
        Kind::Last { .. } | Kind::Exact(_) => Vec::new(),
        Kind::Sliding { ring, .. } => (0..panes_of(ring))
            .map(|pane| PANES + pane * width)
            .collect(),
    }
}

pub(super) fn write_view(
    out: &mut Vec<u8>,
    view: &ViewPlan,
    words: &[i64],
    arena: &Arena,
    marked: &mut [bool],
) {
    write_words(out, words);
    for at in panes(view) {
        write_pane(out, &view.pane, &words[at..], arena, marked);
    }
    if let Kind::Last { .. } = view.kind {
        let ring = arena.pools.rings.get(words[RING]);
        // An empty word is a ring without events.
        put_number(out, ring.map_or(0, |ring| number(ring.len())));
        for kept in ring.into_iter().flatten() {
            write_kept(out, &view.pane, kept, arena, marked);
        }
    }
    if let Kind::Exact(_) = view.kind {
        let moving = arena.pools.moving.get(words[EVENTS]);
        put_number(out, moving.map_or(0, |moving| number(moving.events.len())));
        for (effective, kept) in moving.into_iter().flat_map(|moving| &moving.events) {
            put_number(out, *effective);
            write_kept(out, &view.pane, kept, arena, marked);
        }
        put_number(out, moving.map_or(0, |moving| number(moving.panes.len())));
        for (pane, words) in moving.into_iter().flat_map(|moving| &moving.panes) {
            put_number(out, *pane);
            write_words(out, words);
            write_pane(out, &view.pane, words, arena, marked);
        }
    }
}

fn write_words(out: &mut Vec<u8>, words: &[i64]) {
    for word in words {
        put_number(out, *word);
    }
}

fn write_kept(out: &mut Vec<u8>, plan: &PanePlan, kept: &Kept, arena: &Arena, marked: &mut [bool]) {
    put_number(out, kept.time);
    out.extend_from_slice(&kept.filters.to_le_bytes());
    for (slot, cell) in plan.slots.iter().zip(&kept.cells) {
        match cell {
            None => out.push(0),
            Some(symbol) if slot.text => {
                out.push(2);
                put_symbol(out, *symbol, arena, marked);
            }
            Some(value) => {
                out.push(1);
                put_number(out, *value);
            }
        }
    }
}

fn write_pane(
    out: &mut Vec<u8>,
    plan: &PanePlan,
    words: &[i64],
    arena: &Arena,
    marked: &mut [bool],
) {
    let pools = &arena.pools;
    for slot in &plan.slots {
        let words = &words[slot.at..];
        match &slot.accumulator {
            Accumulator::First { .. } if slot.text && words[0] != i64::MAX => {
                put_symbol(out, words[1], arena, marked);
            }
            Accumulator::Last { .. } if slot.text && words[0] != i64::MIN => {
                put_symbol(out, words[1], arena, marked);
            }
            Accumulator::Newest { .. } => {
                let list = pools.newest.get(words[0]).map_or(&[][..], Vec::as_slice);
                put_number(out, number(list.len()));
                for (time, symbol) in list {
                    put_number(out, *time);
                    put_symbol(out, *symbol, arena, marked);
                }
            }
            Accumulator::Counts { .. } => {
                let list = pools.counts.get(words[0]).map_or(&[][..], Vec::as_slice);
                put_number(out, number(list.len()));
                for (symbol, count) in list {
                    put_number(out, *count);
                    put_symbol(out, *symbol, arena, marked);
                }
            }
            Accumulator::DatedCounts { .. } => {
                let list = pools.dated.get(words[0]).map_or(&[][..], Vec::as_slice);
                put_number(out, number(list.len()));
                for known in list {
                    put_number(out, known.count);
                    put_number(out, known.newest);
                    put_symbol(out, known.value, arena, marked);
                }
            }
            Accumulator::Sketch { .. } => {
                let hashes = pools.sketches.get(words[0]).map_or(&[][..], |s| &s.0);
                put_number(out, number(hashes.len()));
                for hash in hashes {
                    out.extend_from_slice(&hash.to_le_bytes());
                }
            }
            Accumulator::Streak { .. } => {
                let times = pools.times.get(words[0]).map_or(&[][..], Vec::as_slice);
                put_number(out, number(times.len()));
                for time in times {
                    put_number(out, *time);
                }
            }
            Accumulator::Absence { .. } => write_absence(out, words, arena, marked),
            Accumulator::Run(_) => write_run(out, words, arena, marked),
            _ => {}
        }
    }
}

pub(super) fn read_view(
    reader: &mut Reader<'_>,
    view: &ViewPlan,
    words: &mut [i64],
    arena: &mut Arena,
) -> Result<(), RestoreError> {
    read_words(reader, words)?;
    for at in panes(view) {
        read_pane(reader, &view.pane, &mut words[at..], arena)?;
    }
    if let Kind::Last { .. } = view.kind {
        words[RING] = 0;
        for _ in 0..reader.number()? {
            let kept = read_kept(reader, &view.pane, arena)?;
            arena.pools.rings.of(&mut words[RING]).push_back(kept);
        }
    }
    if let Kind::Exact(_) = view.kind {
        words[EVENTS] = 0;
        for _ in 0..reader.number()? {
            let event = (reader.number()?, read_kept(reader, &view.pane, arena)?);
            (arena.pools.moving.of(&mut words[EVENTS]).events).push_back(event);
        }
        for _ in 0..reader.number()? {
            let number = reader.number()?;
            let mut pane = vec![0; view.pane.empty.len()].into_boxed_slice();
            read_words(reader, &mut pane)?;
            read_pane(reader, &view.pane, &mut pane, arena)?;
            (arena.pools.moving.of(&mut words[EVENTS]).panes).push_back((number, pane));
        }
    }
    Ok(())
}

fn read_words(reader: &mut Reader<'_>, words: &mut [i64]) -> Result<(), RestoreError> {
    for word in words {
        *word = reader.number()?;
    }
    Ok(())
}

fn read_kept(
    reader: &mut Reader<'_>,
    plan: &PanePlan,
    arena: &mut Arena,
) -> Result<Kept, RestoreError> {
    let time = reader.number()?;
    let filters = u128::from_le_bytes(*reader.array::<16>()?);
    let mut cells = Vec::with_capacity(plan.slots.len());
    for slot in &plan.slots {
        cells.push(match (reader.array::<1>()?, slot.text) {
            ([0], _) => None,
            ([1], false) => Some(reader.number()?),
            ([2], true) => Some(reader.symbol(arena)?),
            _ => return Err(RestoreError::Damaged("a value is of another kind")),
        });
    }
    Ok(Kept {
        time,
        filters,
        cells: cells.into(),
    })
}

fn read_pane(
    reader: &mut Reader<'_>,
    plan: &PanePlan,
    words: &mut [i64],
    arena: &mut Arena,
) -> Result<(), RestoreError> {
    for slot in &plan.slots {
        let words = &mut words[slot.at..];
        match &slot.accumulator {
            Accumulator::First { .. } if slot.text && words[0] != i64::MAX => {
                words[1] = reader.symbol(arena)?;
            }
            Accumulator::Last { .. } if slot.text && words[0] != i64::MIN => {
                words[1] = reader.symbol(arena)?;
            }
            Accumulator::Newest { .. } => {
                words[0] = 0;
                for _ in 0..reader.number()? {
                    let entry = (reader.number()?, reader.symbol(arena)?);
                    arena.pools.newest.of(&mut words[0]).push(entry);
                }
            }
            Accumulator::Counts { .. } => {
                words[0] = 0;
                for _ in 0..reader.number()? {
                    let (count, symbol) = (reader.number()?, reader.symbol(arena)?);
                    arena.pools.counts.of(&mut words[0]).push((symbol, count));
                }
            }
            Accumulator::DatedCounts { .. } => {
                words[0] = 0;
                for _ in 0..reader.number()? {
                    let known = Dated {
                        count: reader.number()?,
                        newest: reader.number()?,
                        value: reader.symbol(arena)?,
                    };
                    arena.pools.dated.of(&mut words[0]).push(known);
                }
            }
            Accumulator::Sketch { .. } => {
                words[0] = 0;
                for _ in 0..reader.number()? {
                    let hash = reader.number()?.cast_unsigned();
                    arena.pools.sketches.of(&mut words[0]).0.push(hash);
                }
            }
            Accumulator::Streak { .. } => {
                words[0] = 0;
                for _ in 0..reader.number()? {
                    let time = reader.number()?;
                    arena.pools.times.of(&mut words[0]).push(time);
                }
            }
            Accumulator::Absence { .. } => read_absence(reader, words, arena)?,
            Accumulator::Run(plan) => read_run(reader, plan, words, arena)?,
            _ => {}
        }
    }
    Ok(())
}
