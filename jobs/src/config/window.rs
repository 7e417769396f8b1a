//! Which windows a job is about.

use clap::Args;
use userflow_models::ConfigError;
use userflow_models::project::WindowRange;

/// The window or range of windows of a job: a date, or from and to. T is a date or a date-hour, widened to its day.
#[derive(Clone, Debug, Args)]
pub struct WindowArgs {
    /// The window: 2026-11-01, or an hour of it, 2026-11-01T05 (UTC)
    #[arg(long, value_name = "T", conflicts_with_all = ["from", "to"])]
    pub date: Option<String>,
    /// Start of a range of windows
    #[arg(long, value_name = "T", requires = "to")]
    pub from: Option<String>,
    /// End of the range, exclusive
    #[arg(long, value_name = "T", requires = "from")]
    pub to: Option<String>,
}

impl WindowArgs {
    /// The windows asked for, when any are.
    pub fn range(&self) -> Result<Option<WindowRange>, ConfigError> {
        match (&self.date, &self.from, &self.to) {
            (Some(date), ..) => WindowRange::date(date).map(Some),
            (None, Some(from), Some(to)) => WindowRange::span(from, to).map(Some),
            _ => Ok(None),
        }
    }

    /// The windows asked for, which must be some.
    pub fn required(&self) -> Result<WindowRange, ConfigError> {
        let missing =
            || ConfigError::Window("no window: give --date T, or --from T and --to T".into());
        self.range()?.ok_or_else(missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_without_a_window_is_told_how_to_give_one() {
        let none = WindowArgs {
            date: None,
            from: None,
            to: None,
        };
        assert!(none.required().unwrap_err().to_string().contains("--date"));
    }
}
