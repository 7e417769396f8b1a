//! The flags of `simulate`, and the environment variables behind them.

use std::path::PathBuf;

use chrono::{DateTime, NaiveDate};
use userflow_process::arguments::ModelsArgs;

use super::error::SimulateError;
use crate::config::KafkaAccess;

/// Play a population of users and send what they do as events, to a Kafka topic or into a file.
///
/// The same seed and flags give the same bytes, on any machine and for both targets. What is played stands in
/// `<models>/<domain>/simulation.yml`; the flags say how much, when, how fast and how faulty. The run ends with a summary by kind,
/// on stderr and with --summary as JSON: the truth to compare a pipeline's results with.
#[derive(Debug, Clone, clap::Args)]
pub struct SimulateArgs {
    /// Where domains are.
    #[command(flatten)]
    pub models: ModelsArgs,

    /// Domain to play: a folder of --models with a simulation.yml
    #[arg(long, env = "USERFLOW_DOMAIN", value_name = "NAME")]
    pub domain: String,

    /// Send to Kafka: bootstrap servers, host:port separated by commas
    #[arg(long, env = "USERFLOW_BROKERS", value_name = "HOST:PORT,..")]
    pub brokers: Option<String>,

    /// Topic to send to; created if it is not there (with unlimited retention, since simulated time is often long past)
    /// [default: <domain>.events]
    #[arg(long, env = "USERFLOW_TOPIC", value_name = "NAME")]
    pub topic: Option<String>,

    /// Partitions of the topic if it must be created
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=10_000))]
    pub partitions: i32,

    /// Compression of the messages on their way to the broker
    #[arg(long, default_value = "none", value_parser = ["none", "lz4"])]
    pub compression: String,

    /// Who we are to Kafka.
    #[command(flatten)]
    pub access: KafkaAccess,

    /// Write to a file instead: one message per line, the same bytes; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub jsonl: Option<PathBuf>,

    /// What decides every random choice
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,

    /// How many sessions to play [default: 1000, unless --events is given]
    #[arg(long, value_name = "N", conflicts_with = "events", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000_000))]
    pub sessions: Option<u64>,

    /// How many distinct valid events to play, exactly (repeats and garbage come on top)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000_000))]
    pub events: Option<u64>,

    /// First moment of the run: a date or an RFC 3339 time [default: 2026-11-01; with --rate and without --days, now]
    #[arg(long, value_name = "TIME", value_parser = parse_start)]
    pub start: Option<Start>,

    /// Days that the events are spread over: every valid event time lies in them
    /// [default: 1; with --rate, as long as sending takes: every event happens when it is sent, and gaps shrink to fit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=3660))]
    pub days: Option<i64>,

    /// Send so many messages a second, by the clock, however slow the receiver is [default: as fast as possible]
    #[arg(long, value_name = "PER_SECOND", value_parser = parse_pace)]
    pub rate: Option<f64>,

    /// Share of events sent again later, the same bytes
    #[arg(long, default_value_t = 0.0, value_name = "SHARE", value_parser = parse_share)]
    pub duplicates: f64,

    /// Share of events that arrive just after their successor in the session (half of them at most)
    #[arg(long, default_value_t = 0.0, value_name = "SHARE", value_parser = parse_share)]
    pub out_of_order: f64,

    /// Share of events that arrive minutes after they happened
    #[arg(long, default_value_t = 0.0, value_name = "SHARE", value_parser = parse_share)]
    pub late: f64,

    /// Share of sessions that just stop
    #[arg(long, default_value_t = 0.1, value_name = "SHARE", value_parser = parse_share)]
    pub abandoned: f64,

    /// Share of visits that go on to further sessions at once
    #[arg(long, default_value_t = 0.2, value_name = "SHARE", value_parser = parse_share)]
    pub binge: f64,

    /// Unusable messages per valid event, sent beside the good ones
    #[arg(long, default_value_t = 0.0, value_name = "SHARE", value_parser = parse_share)]
    pub garbage: f64,

    /// Share of the events that the contract accepts and that are wrong all the same, for the quality tests to find
    #[arg(long, default_value_t = 0.0, value_name = "SHARE", value_parser = parse_share)]
    pub damage: f64,

    /// Write the summary to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub summary: Option<PathBuf>,
}

/// A moment, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start(
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub i64,
);

/// Where the messages go.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target<'a> {
    File(&'a PathBuf),
    Kafka { brokers: &'a str, topic: String },
}

impl SimulateArgs {
    /// One of --brokers and --jsonl. Brokers that come from the environment only (a shell set up for development) do not
    /// stand in the way of a file.
    pub(crate) fn target(&self) -> Result<Target<'_>, SimulateError> {
        let brokers = self
            .brokers
            .as_deref()
            .filter(|brokers| !brokers.is_empty());
        #[expect(
            clippy::disallowed_methods,
            reason = "this is a config.rs, and clap does not tell a flag from a variable"
        )]
        let from_environment = std::env::var("USERFLOW_BROKERS").ok();
        match (brokers, &self.jsonl) {
            (Some(brokers), Some(_)) if from_environment.as_deref() != Some(brokers) => {
                Err(SimulateError::Usage(
                    "--brokers and --jsonl exclude one another; give one of them".to_owned(),
                ))
            }
            (_, Some(file)) => Ok(Target::File(file)),
            (Some(brokers), None) => {
                let topic = self
                    .topic
                    .clone()
                    .unwrap_or_else(|| format!("{}.events", self.domain));
                Ok(Target::Kafka { brokers, topic })
            }
            (None, None) => Err(SimulateError::Usage(
                "nowhere to send to; give --brokers HOST:PORT for Kafka or --jsonl FILE".to_owned(),
            )),
        }
    }
}

fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("a share lies between 0 and 1, such as 0.02".to_owned()),
    }
}

fn parse_pace(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate >= 0.001 => Ok(rate),
        _ => Err("a rate is a number of messages a second above 0".to_owned()),
    }
}

fn parse_start(text: &str) -> Result<Start, String> {
    let date = |date: NaiveDate| {
        date.and_hms_opt(0, 0, 0)
            .map(|time| time.and_utc().timestamp_millis())
    };
    let moment = match text.parse::<NaiveDate>() {
        Ok(day) => date(day),
        Err(_) => DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|time| time.timestamp_millis()),
    };
    // The years that event times may have, with room for the longest run.
    let (first, last) = (
        NaiveDate::from_ymd_opt(1970, 1, 1).and_then(date),
        NaiveDate::from_ymd_opt(2185, 1, 1).and_then(date),
    );
    match moment {
        Some(moment) if Some(moment) >= first && Some(moment) < last => Ok(Start(moment)),
        _ => Err("write a date such as 2026-11-01 or a time such as 2026-11-01T06:00:00Z, from 1970 to 2184".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_a_date_or_a_time_with_an_offset() {
        assert_eq!(parse_start("2026-11-01"), Ok(Start(1_793_491_200_000)));
        assert_eq!(
            parse_start("2026-11-01T09:00:00.500+09:00"),
            Ok(Start(1_793_491_200_500))
        );
        for bad in [
            "",
            "yesterday",
            "2026-13-01",
            "2026-11-01T00:00:00",
            "1969-12-31",
            "2190-01-01",
        ] {
            assert!(parse_start(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn shares_and_rates_have_bounds() {
        assert!(
            ["0", "1", "0.5"]
                .iter()
                .all(|text| parse_share(text).is_ok())
        );
        assert!(
            ["-0.1", "1.1", "NaN", "", "5%"]
                .iter()
                .all(|text| parse_share(text).is_err())
        );
        assert!(
            ["0", "-1", "inf", "NaN", "x"]
                .iter()
                .all(|text| parse_pace(text).is_err())
        );
    }
}
