//! `README.md`: what was guessed, what to edit, and the commands that come next.

use std::fmt::Write;

use super::contract::max_past;
use super::next::{Next, Origin};
use crate::new_domain::guess::{Guess, Guesses, Role, pointer};

/// The role, the field, how sure, and why: one row each.
pub(crate) fn roles(guesses: &Guesses) -> Vec<[String; 4]> {
    let roles = &guesses.roles;
    let mut rows = vec![
        row(Role::EventType, &roles.event_type),
        row(Role::EventTime, &roles.event_time),
        row(Role::User, &roles.user),
    ];
    let absent = |role: Role, why: &str| {
        [
            role.described().to_owned(),
            "none".to_owned(),
            String::new(),
            why.to_owned(),
        ]
    };
    rows.push(match &roles.session {
        Some(guess) => row(Role::Session, guess),
        None => absent(
            Role::Session,
            "no field looks like one: a session is what a user does with pauses of at most 30 minutes",
        ),
    });
    rows.push(match &roles.event_id {
        Some(guess) => row(Role::EventId, guess),
        None => absent(
            Role::EventId,
            "no field identifies an event: its place in Kafka does, and an event that is sent again counts twice",
        ),
    });
    if let Some(zone) = &roles.zone {
        let sure = if zone.sure { "sure" } else { "a guess" };
        rows.push([
            "the zone of times without one".to_owned(),
            zone.name.clone(),
            sure.to_owned(),
            zone.why.clone(),
        ]);
    }
    rows
}

fn row(role: Role, guess: &Guess) -> [String; 4] {
    let others = guess.others.iter();
    let others: Vec<String> = others
        .map(|(pointer, score)| format!("{pointer} ({:.0} %)", 100.0 * score))
        .collect();
    let others = match others.is_empty() {
        true => String::new(),
        false => format!("; next best {}", others.join(", ")),
    };
    let sureness = match guess.told {
        true => guess.sureness().to_owned(),
        false => format!("{} ({:.0} %)", guess.sureness(), 100.0 * guess.score),
    };
    [
        role.described().to_owned(),
        pointer(&guess.path),
        sureness,
        format!("{}{others}", guess.why),
    ]
}

/// The commands that come next, as they are to be typed.
pub(crate) fn commands(guesses: &Guesses, next: Next<'_>) -> String {
    let domain = &guesses.domain;
    let Next { from, models, date } = next;
    let models = models.map_or_else(String::new, |models| {
        format!(" USERFLOW_MODELS={}", word(models))
    });
    let (topic, send) = match from {
        Origin::File(file) => {
            let send = format!("userflow-ingester send {}", word(file));
            (
                String::new(),
                format!("{send:<61} # the sample to the topic {domain}.events, by user\n"),
            )
        }
        Origin::Topic(topic) => (format!(" USERFLOW_TOPIC={}", word(topic)), String::new()),
    };
    format!(
        "export USERFLOW_BROKERS=… USERFLOW_POSTGRES_URL=…             # `make up` prints addresses to try it on
export USERFLOW_DOMAIN={domain}{topic}{models}
userflow-jobs test {domain:<42} # the first cases, without a server
userflow-jobs init                                            # tables of the lake and of the online store
{send}userflow-ingester ingest --until-caught-up                    # bronze; without the flag it runs until it is stopped
userflow-ingester sessionize --until-caught-up                # live features
psql $USERFLOW_POSTGRES_URL -c 'select * from online.{domain}_user_1h limit 5'
userflow-jobs run '+gold.{domain}_user_daily' --date {date}
userflow-jobs show gold.{domain}_user_daily --date {date}
userflow-jobs check --date {date}
"
    )
}

/// A word of a shell.
fn word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_./-".contains(&byte);
    match text.bytes().all(plain) && !text.is_empty() {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

/// The whole file.
pub(super) fn readme(guesses: &Guesses, next: Next<'_>) -> String {
    let domain = &guesses.domain;
    let mut text = format!(
        "# {domain}\n\nWritten by `userflow-jobs new-domain {domain}` from {} events. The decoder accepted every one of them. All of it is yours to edit; it is never\nwritten again.\n\n## Next\n\n```\n{}```\n",
        guesses.fields.events,
        commands(guesses, next)
    );
    add(
        &mut text,
        "\n## What was guessed\n\n| | field | how sure | why |\n|---|---|---|---|\n",
    );
    for [role, field, sure, why] in roles(guesses) {
        add(
            &mut text,
            &format!("| {role} | `{field}` | {sure} | {why} |\n"),
        );
    }
    let types: Vec<String> = guesses
        .types
        .iter()
        .map(|(name, count)| format!("`{name}` ({count})"))
        .collect();
    add(
        &mut text,
        &format!("\nEvent types: {}.\n", types.join(", ")),
    );
    if !guesses.kept.is_empty() {
        add(
            &mut text,
            "\nThese fields have no column. They are kept as they come, in the JSON of `extra`:\n\n",
        );
        for kept in &guesses.kept {
            add(&mut text, &format!("* `{}`: {}\n", kept.pointer, kept.why));
        }
    }
    add(&mut text, &format!(
        "\n## What to edit\n
* A role is wrong: remove this folder and say it: `userflow-jobs new-domain {domain} --from … --user /POINTER` (also `--type`, `--time`, `--session`,
  `--id`; `none` for a session or an id that there is not).
* `contract.json`: an event type that the sample did not have is quarantined as `unknown_event_type`. Add it to the `enum`, then
  `userflow-jobs replay --domain {domain}` lands what was refused. Columns may be renamed before the first `init`.
* `contract.json`, `x-limits`: events up to {} days old are accepted, so that old samples can be sent. Lower `max_past` when you are done with them.
* `simulation.yml`: `userflow-ingester simulate --domain {domain} --rate 50` sends events like those of the sample, for load and for a demo.
* `tests/first.yml`: what is expected of all of it, as cases. Change a rule and see one fail; add your own.
* `features/*.yml`: features are one line each, and a view is one file. `userflow-jobs init` says what is wrong with its line.
* `silver/*.yml`, `gold/*.yml`: tests. Values of small sets are only warned of; remove `severity: warn` where the set is closed.
",
        max_past(guesses)
    ));
    text
}

fn add(text: &mut String, more: &str) {
    text.write_str(more)
        .expect("a text takes what is written to it");
}
