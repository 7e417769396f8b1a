//! Exit codes, the same in every userflow binary: 0 done; 1 failed, safe to retry; 2 wrong usage, configuration, contract or model; 3 stopped
//! by a check; 4 another process kept taking what we were to write, after bounded retries.
//!
//! A cause that is an error of another crate is judged by that crate: a binary passes the judges of the crates that it uses ([`NoRetryHelps`]).

use std::error::Error;
use std::process::ExitCode;

/// An error that a retry does not mend: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WrongSetup(pub String);

/// A check found too much: exit code 3.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Stopped(pub String);

/// Another process kept taking our partitions: exit code 4.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Fenced(pub String);

/// Other writers kept changing what a job read: exit code 4.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct LostConflict(pub String);

/// Whether an error of a crate's own stays as long as nobody changes the set-up: exit code 2.
pub type NoRetryHelps = fn(&(dyn Error + 'static)) -> bool;

/// The exit code that an error stands for. It is found below context too.
pub fn code_of(error: &anyhow::Error, judges: &[NoRetryHelps]) -> u8 {
    let any = |is: &dyn Fn(&(dyn Error + 'static)) -> bool| error.chain().any(is);
    if any(&|cause| cause.is::<WrongSetup>() || judges.iter().any(|judge| judge(cause))) {
        2
    } else if any(&|cause| cause.is::<Stopped>()) {
        3
    } else if any(&|cause| cause.is::<Fenced>() || cause.is::<LostConflict>()) {
        4
    } else {
        1
    }
}

/// Reports an error on standard error and turns the outcome into an exit code.
pub fn code(outcome: anyhow::Result<()>, judges: &[NoRetryHelps]) -> ExitCode {
    let Err(error) = outcome else {
        return ExitCode::SUCCESS;
    };
    tracing::error!("{error:#}");
    ExitCode::from(code_of(&error, judges))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_is_found_below_context() {
        let code = |error: anyhow::Error| code_of(&error.context("run gold.x"), &[]);
        assert_eq!(
            [
                code(WrongSetup("x".into()).into()),
                code(Stopped("x".into()).into()),
                code(Fenced("x".into()).into()),
                code(LostConflict("x".into()).into()),
                code(anyhow::anyhow!("x")),
            ],
            [2, 3, 4, 4, 1]
        );
    }

    #[test]
    fn an_error_of_another_crate_is_judged_by_it() {
        let error = anyhow::Error::from(std::fmt::Error).context("x");
        assert_eq!(code_of(&error, &[|_| false]), 1);
        let judge: NoRetryHelps = |cause| cause.is::<std::fmt::Error>();
        assert_eq!(code_of(&error, &[|_| false, judge]), 2);
    }
}
