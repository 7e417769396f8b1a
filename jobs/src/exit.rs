//! Exit codes, the same in every userflow binary: 0 done; 1 failed, safe to retry; 2 wrong usage, configuration or model; 3 stopped
//! by the quality gate; 4 lost a conflict after bounded retries.

use std::process::ExitCode;

use userflow_models::contract::ContractError;
use userflow_models::domain::DomainError;
use userflow_models::project::ProjectError;

/// An error that a retry does not mend: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Wrong(pub String);

/// The quality gate found what must not be: exit code 3.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Stopped(pub String);

/// Other writers kept changing what a job read: exit code 4.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct LostConflict(pub String);

/// The exit code that an error stands for.
pub fn code_of(error: &anyhow::Error) -> u8 {
    let wrong = |cause: &(dyn std::error::Error + 'static)| {
        cause.is::<Wrong>()
            || cause.is::<ProjectError>()
            || cause.is::<DomainError>()
            || cause.is::<ContractError>()
            || userflow_lake::process::no_retry_helps(cause)
    };
    if error.chain().any(wrong) {
        2
    } else if error.chain().any(|cause| cause.is::<Stopped>()) {
        3
    } else if error.chain().any(|cause| cause.is::<LostConflict>()) {
        4
    } else {
        1
    }
}

/// Reports an error on standard error and turns the outcome into an exit code.
pub fn code(outcome: anyhow::Result<()>) -> ExitCode {
    let Err(error) = outcome else {
        return ExitCode::SUCCESS;
    };
    tracing::error!("{error:#}");
    ExitCode::from(code_of(&error))
}

#[cfg(test)]
mod tests {
    use userflow_lake::{CommitError, LakeError};

    use super::*;

    #[test]
    fn the_class_is_found_below_context() {
        let wrong = anyhow::Error::from(Wrong("x".into())).context("run gold.x");
        let lost = anyhow::Error::from(LostConflict("x".into())).context("run gold.x");
        let stopped = anyhow::Error::from(Stopped("x".into())).context("check");
        let lake = anyhow::Error::from(CommitError::from(LakeError::Invalid("x".into())));
        assert_eq!(
            [
                code_of(&wrong),
                code_of(&lost),
                code_of(&stopped),
                code_of(&lake),
                code_of(&anyhow::anyhow!("x"))
            ],
            [2, 4, 3, 2, 1]
        );
    }
}
