//! Arguments of `new-domain`.

use std::path::PathBuf;

use clap::Args;

use super::guess::Told;
use super::topic::TopicArgs;

/// What `--help` says at its end.
pub const HELP: &str = "Examples:
  userflow-jobs new-domain music --from plays.jsonl --dry-run      what it guesses; nothing is written
  userflow-jobs new-domain music --from plays.jsonl
  userflow-jobs new-domain music --from-topic plays --brokers HOST:PORT --sample 5000
  kcat -b HOST:PORT -t plays -C -c 5000 -e | userflow-jobs new-domain music --from -

Exit codes: 0 written; 1 Kafka or the disk failed; 2 the folder exists, or the sample has lines that no contract accepts (they are named).";

/// Settings of `new-domain`.
#[derive(Clone, Debug, Args)]
pub struct NewDomainArgs {
    /// Name of the domain: a-z, 0-9 and _, at most 24; the folder of --models that is written
    #[arg(value_name = "NAME", value_parser = name)]
    pub name: String,
    /// The sample: one JSON message a line as on the topic (or one JSON list); `-` is standard input
    #[arg(long, value_name = "FILE", required_unless_present = "from_topic")]
    pub from: Option<PathBuf>,
    /// Or: the topic that has them. `userflow-ingester sample` reads it, without a group
    #[arg(long, value_name = "TOPIC", conflicts_with = "from")]
    pub from_topic: Option<String>,
    /// The field that says what happened, as a JSON pointer; default guessed, as with those below
    #[arg(long = "type", value_name = "POINTER")]
    pub event_type: Option<String>,
    /// The field that says when
    #[arg(long = "time", value_name = "POINTER")]
    pub event_time: Option<String>,
    /// The field that says who, the entity of the feature views
    #[arg(long, value_name = "POINTER")]
    pub user: Option<String>,
    /// The field of the session, or none
    #[arg(long, value_name = "POINTER")]
    pub session: Option<String>,
    /// The field that identifies an event, so that repeats can be told, or none
    #[arg(long = "id", value_name = "POINTER")]
    pub event_id: Option<String>,
    /// Say what was guessed and which files would be written, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Kafka.
    #[command(flatten)]
    pub topic: TopicArgs,
}

impl NewDomainArgs {
    pub(super) fn told(&self) -> Told {
        Told {
            event_type: self.event_type.clone(),
            event_time: self.event_time.clone(),
            user: self.user.clone(),
            session: self.session.clone(),
            event_id: self.event_id.clone(),
        }
    }
}

fn name(text: &str) -> Result<String, String> {
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    let begins = text.starts_with(|first: char| first.is_ascii_lowercase());
    let ends = !text.ends_with('_') && !text.contains("__");
    match plain && begins && ends && text.len() <= 24 {
        true => Ok(text.to_owned()),
        false => Err(
            "use a-z, 0-9 and single _, at most 24 of them, beginning with a letter, as in `music`"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_name_can_be_a_folder_and_a_part_of_a_table() {
        for good in ["music", "web_shop2"] {
            assert!(super::name(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "Music",
            "2nd",
            "_x",
            "x_",
            "a__b",
            "../up",
            "a-b",
            &"x".repeat(25),
        ] {
            assert!(super::name(bad).is_err(), "{bad}");
        }
    }
}
