//! The values of a run that a model may ask for with `var('...')`.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::project::settings::ModelConfig;
use crate::project::window::Window;

/// The values of a run that a model may ask for with `var('...')`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vars {
    /// Start of the window.
    pub window_start: DateTime<Utc>,
    /// End of the window, not part of it.
    pub window_end: DateTime<Utc>,
    /// The time at which open questions are judged.
    pub as_of: DateTime<Utc>,
    /// What the model reads on both sides of the window.
    pub margin: Duration,
}

/// The names in [`Vars`].
pub(super) const NAMES: &str = "window_start, window_end, as_of and margin_seconds";

impl Vars {
    /// The values for one window of a model.
    pub fn of(window: Window, config: &ModelConfig) -> Self {
        Self {
            window_start: window.start(),
            window_end: window.end(),
            as_of: window.as_of(config.margin),
            margin: config.margin,
        }
    }

    /// The value of a name, as SQL has it between quotes.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let time = match name {
            "window_start" => self.window_start,
            "window_end" => self.window_end,
            "as_of" => self.as_of,
            "margin_seconds" => return Some(self.margin.as_secs().to_string()),
            _ => return None,
        };
        Some(time.format("%Y-%m-%d %H:%M:%S").to_string())
    }
}
