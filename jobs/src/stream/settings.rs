//! How time is treated: as `sessionize` does when nobody says otherwise.

use userflow_engine::Settings;

const SECOND: i64 = 1_000_000;

/// Allowed lateness and de-duplication.
pub const SETTINGS: Settings = Settings {
    lateness: 10 * SECOND,
    dedup_horizon: 600 * SECOND,
    dedup_most: 4_000_000,
};
/// How far an event's clock may be ahead of Kafka's, in microseconds.
pub const MAX_AHEAD: i64 = 10 * SECOND;
/// A partition that is silent for so long lets event time pass by the wall clock, in microseconds.
pub const IDLE_TIMEOUT: i64 = 30 * SECOND;

#[cfg(test)]
mod tests {
    use super::*;

    /// The ingester is no dependency of the jobs, so its defaults are read from its text.
    #[test]
    fn they_are_the_defaults_of_sessionize() {
        let file = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../ingester/src/config/sessionize.rs"
        );
        let text = std::fs::read_to_string(file).unwrap();
        let seconds = |micros: i64| humantime_text(micros / SECOND);
        for (variable, default) in [
            ("USERFLOW_LATENESS", seconds(SETTINGS.lateness)),
            ("USERFLOW_MAX_AHEAD", seconds(MAX_AHEAD)),
            ("USERFLOW_IDLE_TIMEOUT", seconds(IDLE_TIMEOUT)),
            ("USERFLOW_DEDUP_HORIZON", seconds(SETTINGS.dedup_horizon)),
            ("USERFLOW_DEDUP_MOST", SETTINGS.dedup_most.to_string()),
        ] {
            let (_, after) = text.split_once(&format!("env = \"{variable}\"")).unwrap();
            let (_, after) = after.split_once("default_value = \"").unwrap();
            let (found, _) = after.split_once('"').unwrap();
            assert_eq!(found, default, "{variable}");
        }
    }

    fn humantime_text(seconds: i64) -> String {
        match seconds % 60 {
            0 => format!("{}m", seconds / 60),
            _ => format!("{seconds}s"),
        }
    }
}
