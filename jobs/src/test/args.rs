//! Arguments of `test`.

use std::path::PathBuf;

use clap::Args;

/// Settings of `test`.
#[derive(Clone, Debug, Default, Args)]
pub struct TestArgs {
    /// Cases: a domain, a file of one (music/sessions), or words of a case's name; default all of all domains
    #[arg(value_name = "DOMAIN|CASE")]
    pub select: Vec<String>,
    /// Run again whenever a file of the models folder changes, until it is stopped
    #[arg(long)]
    pub watch: bool,
    /// Write the results as JUnit XML, for CI
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

/// What `--help` says below the options.
pub const HELP: &str = "\
A case is a list of events and what must then be so, in models/<domain>/tests/*.yml:

  description: How a session is judged
  event: {user_id: ann, session_id: s1}        # what every event has that does not say otherwise
  cases:
    - case: A session ends when nothing comes for longer than its gap
      steps:
        - 10:00:00 play: {seconds: 30}
        - expect:
            music_session: {session_state: OPEN, is_final: false}
        - time passes: 11m
        - expect:
            music_session: {is_final: true}
            silver.music_sessions: {seconds: 30}

The decoder, the streaming engine and the SQL models are the real ones; Kafka, the lake and the online store are in memory.
Every feature view with a `batch:` table must agree with it at the end of each case.
Exit codes: 0 all hold; 2 a file is wrong; 3 a case fails.";
