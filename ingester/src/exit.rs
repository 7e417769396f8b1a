//! Exit codes, the same in every userflow binary: 0 done; 1 failed, safe to retry; 2 wrong usage, configuration or
//! contract; 3 stopped by a check; 4 fenced after bounded retries.

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

/// Reports an error on standard error and turns the outcome into an exit code.
pub fn code(outcome: anyhow::Result<()>) -> ExitCode {
    let Err(error) = outcome else {
        return ExitCode::SUCCESS;
    };
    tracing::error!("{error:#}");
    let is = |found: bool, code: u8| found.then_some(code);
    let code = error
        .chain()
        .find_map(|cause| {
            is(cause.is::<WrongSetup>(), 2)
                .or_else(|| is(cause.is::<userflow_models::domain::DomainError>(), 2))
                .or_else(|| is(cause.is::<userflow_models::project::ProjectError>(), 2))
                .or_else(|| is(cause.is::<userflow_models::contract::ContractError>(), 2))
                .or_else(|| is(userflow_lake::process::no_retry_helps(cause), 2))
                .or_else(|| is(cause.is::<Stopped>(), 3))
                .or_else(|| is(cause.is::<Fenced>(), 4))
        })
        .unwrap_or(1);
    ExitCode::from(code)
}
