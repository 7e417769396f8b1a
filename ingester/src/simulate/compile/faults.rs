//! The faults that a run can have.

use crate::simulate::error::{SimulateError, script_error};
use crate::simulate::names::span;
use crate::simulate::program::Faults;
use crate::simulate::script;

pub(super) fn compile_faults(script: &script::Faults) -> Result<Faults, SimulateError> {
    let after = |fault: &script::After, name: &str| {
        let times = fault.after.span();
        span(
            times.from,
            times.to,
            1,
            &format!("faults.{name}.after in ms"),
        )
    };
    let [fewest, most] = script.binge.sessions;
    let pause = script.binge.pause.span();
    let binge_sessions = span(fewest, most, 2, "faults.binge.sessions")?;
    if most > 100 {
        return script_error("faults.binge.sessions: at most 100".to_owned());
    }
    Ok(Faults {
        duplicates: after(&script.duplicates, "duplicates")?,
        out_of_order: after(&script.out_of_order, "out_of_order")?,
        late: after(&script.late, "late")?,
        binge_sessions,
        binge_pause: span(pause.from, pause.to, 1, "faults.binge.pause in ms")?,
    })
}
