//! Why a simulation cannot begin.

use userflow_process::exit::WrongSetup;

/// All are for the user to mend; no retry helps (exit code 2).
#[derive(Debug, thiserror::Error)]
pub(crate) enum SimulateError {
    /// Flags that contradict one another or are missing.
    #[error("{0}")]
    Usage(String),
    /// The domain's files say something that cannot be played.
    #[error("{0}")]
    Model(String),
    /// A mistake in the script, before its file's name is put in front.
    #[error("{0}")]
    Script(String),
}

impl From<SimulateError> for WrongSetup {
    fn from(error: SimulateError) -> Self {
        Self(error.to_string())
    }
}

/// A mistake in the script.
pub(super) fn script_error<T>(problem: String) -> Result<T, SimulateError> {
    Err(SimulateError::Script(problem))
}
