//! What patterns keep beside their words, as bytes and back.

use super::absence;
use super::bytes::{Reader, RestoreError, number, put_number, put_symbol};
use super::pane::Arena;
use super::run::{self, Candidate, Reached, RunPlan, RunState, Step};
use super::symbols::NO_TEXT;

pub(super) fn write_absence(out: &mut Vec<u8>, words: &[i64], arena: &Arena, marked: &mut [bool]) {
    let list = arena.pools.newest.get(words[absence::LIST]);
    let list = list.map_or(&[][..], Vec::as_slice);
    put_number(out, number(list.len()));
    for (time, detail) in list {
        put_number(out, *time);
        put_text(out, *detail, arena, marked);
    }
}

pub(super) fn read_absence(
    reader: &mut Reader<'_>,
    words: &mut [i64],
    arena: &mut Arena,
) -> Result<(), RestoreError> {
    words[absence::LIST] = 0;
    for _ in 0..reader.number()? {
        let entry = (reader.number()?, text(reader, arena)?);
        let list = arena.pools.newest.of(&mut words[absence::LIST]);
        list.push(entry);
    }
    Ok(())
}

pub(super) fn write_run(out: &mut Vec<u8>, words: &[i64], arena: &Arena, marked: &mut [bool]) {
    let nothing = RunState::default();
    let state = arena.pools.runs.get(words[run::STATE]);
    let state = state.unwrap_or(&nothing);
    put_number(out, state.settled_until);
    let reached = &state.settled;
    out.push(u8::from(reached.grows));
    out.push(u8::from(reached.matched.is_some()));
    if let Some((time, value)) = reached.matched {
        put_number(out, time);
        put_text(out, value, arena, marked);
    }
    put_number(out, number(reached.runs.len()));
    for run in &reached.runs {
        put_text(out, run.value, arena, marked);
        put_number(out, number(run.length));
        put_number(out, run.newest);
        out.push(u8::from(run.done));
        for values in [&run.values, &run.followed] {
            put_number(out, number(values.len()));
            for value in values {
                put_text(out, *value, arena, marked);
            }
        }
    }
    put_number(out, number(state.waiting.len()));
    for step in &state.waiting {
        put_number(out, step.time);
        out.push(step.kinds);
        put_text(out, step.same, arena, marked);
        put_text(out, step.among, arena, marked);
    }
}

pub(super) fn read_run(
    reader: &mut Reader<'_>,
    plan: &RunPlan,
    words: &mut [i64],
    arena: &mut Arena,
) -> Result<(), RestoreError> {
    let mut state = RunState {
        settled_until: reader.number()?,
        ..RunState::default()
    };
    let mut reached = Reached {
        grows: truth(reader)?,
        ..Reached::default()
    };
    if truth(reader)? {
        reached.matched = Some((reader.number()?, text(reader, arena)?));
    }
    for _ in 0..reader.number()? {
        let mut run = Candidate {
            value: text(reader, arena)?,
            length: usize::try_from(reader.number()?)
                .map_err(|_| RestoreError::Damaged("a run has a negative length"))?
                .min(plan.times),
            newest: reader.number()?,
            done: truth(reader)?,
            values: Vec::new(),
            followed: Vec::new(),
        };
        for values in [&mut run.values, &mut run.followed] {
            for _ in 0..reader.number()? {
                values.push(text(reader, arena)?);
            }
        }
        reached.runs.push(run);
    }
    state.settled = reached;
    for _ in 0..reader.number()? {
        let time = reader.number()?;
        let [kinds] = *reader.array::<1>()?;
        state.waiting.push(Step {
            time,
            kinds,
            same: text(reader, arena)?,
            among: text(reader, arena)?,
        });
    }
    // What is shown follows from what is kept.
    run::show(words, state.reached(plan).matched);
    words[run::STATE] = 0;
    if state != RunState::default() {
        *arena.pools.runs.of(&mut words[run::STATE]) = state;
    }
    Ok(())
}

/// A text that may be none.
fn put_text(out: &mut Vec<u8>, symbol: i64, arena: &Arena, marked: &mut [bool]) {
    out.push(u8::from(symbol != NO_TEXT));
    if symbol != NO_TEXT {
        put_symbol(out, symbol, arena, marked);
    }
}

fn text(reader: &mut Reader<'_>, arena: &mut Arena) -> Result<i64, RestoreError> {
    match truth(reader)? {
        true => reader.symbol(arena),
        false => Ok(NO_TEXT),
    }
}

fn truth(reader: &mut Reader<'_>) -> Result<bool, RestoreError> {
    match reader.array::<1>()? {
        [0] => Ok(false),
        [1] => Ok(true),
        _ => Err(RestoreError::Damaged("a truth value is another number")),
    }
}
