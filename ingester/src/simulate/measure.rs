//! What the events of a session carry: identifiers, a progress that rises, a counter, and which fields are left out.

use super::draws::{Draws, Rate, Span};
use super::event::Event;
use super::program::Program;

/// Gives the events their identifiers, progress and counter, and decides which fields are left out.
pub(super) fn measure(program: &Program, outcome: usize, draws: &mut Draws, events: &mut [Event]) {
    let rule = &program.outcomes[outcome];
    let full = draws.within(rule.reach);
    let reach = written(program, draws, full, rule.reach);
    let rising = events
        .iter()
        .filter(|event| usize::from(event.step) < program.scripted)
        .count() as i64
        - 1;
    let (mut progress, mut counter) = (0, 0);
    for (index, event) in (0i64..).zip(events.iter_mut()) {
        event.id = [draws.bits64(), draws.bits64()];
        let step = usize::from(event.step);
        if step >= program.scripted {
            progress = reach;
        } else if index > 0 {
            // One part of the way for each step, somewhere inside the part, so that it always rises.
            let part = Span {
                from: reach * (index - 1) / rising,
                to: reach * index / rising,
            };
            let inside = draws.within(part);
            progress = written(
                program,
                draws,
                inside,
                Span {
                    from: progress,
                    to: reach,
                },
            );
        }
        if step < program.scripted && program.steps[step].repeat.is_some() {
            counter += draws.within(program.counter) as u32;
        }
        event.progress = progress as u16;
        event.counter = counter;
        for (bit, field) in program.forms[usize::from(event.form)]
            .fields
            .iter()
            .enumerate()
        {
            if field.omit != Rate::NEVER && draws.chance(field.omit) {
                event.omitted |= 1 << bit;
            }
        }
    }
}

/// Rounds a progress to the way it will be written, inside the bounds.
fn written(program: &Program, draws: &mut Draws, thousandths: i64, bounds: Span) -> i64 {
    let rounded = match program.progress.draw(draws) {
        0 => thousandths / 10 * 10,
        1 => thousandths,
        _ => thousandths / 10 * 10 + 5,
    };
    rounded.clamp(bounds.from, bounds.to)
}
