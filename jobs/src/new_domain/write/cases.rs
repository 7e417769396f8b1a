//! `tests/first.yml`: the first cases, which say what the generated views and models do, and are there to be added to.

use chrono::{Days, NaiveDate};

use super::counts::{Count, counts};
use crate::new_domain::guess::Guesses;

/// A case in the making: lines below `steps:`.
struct Case {
    text: String,
}

impl Case {
    fn new(title: &str) -> Self {
        Self {
            text: format!("\n  - case: {title}\n    steps:\n"),
        }
    }

    /// An event at a time. What is no plain word cannot stand behind the time, and is a field.
    fn event(mut self, time: &str, count: &Count) -> Self {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
        let event_type = &count.event_type;
        let word = event_type.chars().all(plain) && event_type != "again";
        self.text += &match word {
            true => format!("      - {time} {event_type}\n"),
            false => format!("      - {time} event: {{event_type: {}}}\n", count.yaml()),
        };
        self
    }

    fn step(mut self, step: &str) -> Self {
        self.text += &format!("      - {step}\n");
        self
    }

    fn expect(mut self, rows: &[(String, String)]) -> Self {
        self.text += "      - expect:\n";
        for (table, row) in rows {
            self.text += &format!("          {table}: {row}\n");
        }
        self
    }
}

/// The file; times without a date are of `date`.
pub(super) fn cases(guesses: &Guesses, date: NaiveDate) -> String {
    let domain = &guesses.domain;
    let user = guesses.user();
    let session = match guesses.session() {
        Some(session) => format!(", {session}: s1"),
        None => String::new(),
    };
    let mut text = format!(
        "# Run them with: userflow-jobs test {domain}/first
description: What users do is counted once, by its type and day
date: {date}
event: {{{user}: ann{session}}} # what every event has that does not say otherwise

cases:"
    );
    let counts = counts(guesses);
    let first = counts.first().expect("a sample has an event");
    let mut all = vec![by_type(guesses, &counts)];
    if guesses.event_id().is_some() {
        all.push(again(guesses, first));
    }
    all.push(midnight(guesses, first, date));
    all.push(sessions(guesses, first));
    let without = format!("10:00:00 event, without {user}");
    all.push(
        Case::new("An event of an unknown type and one without a user are refused")
            .step("10:00:00 event: {event_type: \"of no known type\"}")
            .expect(&[(
                "quarantine".to_owned(),
                "unknown_event_type in event_type".to_owned(),
            )])
            .step(&format!("{without}: {{event_type: {}}}", first.yaml()))
            .expect(&[("quarantine".to_owned(), format!("missing_field in {user}"))]),
    );
    for case in all {
        text += case.text.trim_end_matches('\n');
        text.push('\n');
    }
    text
}

fn view(guesses: &Guesses, name: &str) -> String {
    format!("{}_{name}", guesses.domain)
}

fn gold(guesses: &Guesses) -> String {
    format!("gold.{}_user_daily", guesses.domain)
}

/// Twice the first type and once the second, if there is one.
fn by_type(guesses: &Guesses, counts: &[Count]) -> Case {
    let mut case = Case::new("The last hour and the day count every event of a user, by its type")
        .event("10:00:00", &counts[0])
        .event("10:01:00", &counts[0]);
    let mut row = format!("{{events: 2, {}: 2}}", counts[0].name);
    if let Some(second) = counts.get(1) {
        case = case.event("10:02:00", second);
        row = format!("{{events: 3, {}: 2, {}: 1}}", counts[0].name, second.name);
    }
    let last = counts.get(1).unwrap_or(&counts[0]);
    let recent = format!("{{last_event_type: {}}}", last.yaml());
    case.expect(&[
        (view(guesses, "user_1h"), row.clone()),
        (view(guesses, "user_recent"), recent),
        (gold(guesses), row),
    ])
}

fn again(guesses: &Guesses, first: &Count) -> Case {
    let id = guesses.event_id().expect("asked for where events have one");
    Case::new("An event that is sent again counts once")
        .event("10:00:00", first)
        .step("10:00:30 again: e1")
        .expect(&[
            (view(guesses, "user_1h"), "{events: 1}".to_owned()),
            (
                format!("silver.{}_events", guesses.domain),
                format!("{{{id}: e1}}"),
            ),
            (gold(guesses), "{events: 1}".to_owned()),
        ])
}

fn midnight(guesses: &Guesses, first: &Count, date: NaiveDate) -> Case {
    let next = date + Days::new(1);
    let row = || format!("{{events: 1, {}: 1}}", first.name);
    let on = |date: NaiveDate| format!("{} on {date}", gold(guesses));
    Case::new("A day ends at midnight UTC")
        .event("23:59:59", first)
        .event(&format!("{next} 00:00:00"), first)
        .expect(&[(on(date), row()), (on(next), row())])
}

fn sessions(guesses: &Guesses, first: &Count) -> Case {
    let name = view(guesses, "session");
    match guesses.session() {
        Some(session) => Case::new("A session is live from its first event, and final when nothing came for longer than 30 minutes")
            .event("10:00:00", first)
            .event("10:30:00", first)
            .expect(&[(name.clone(), format!("{{{session}: s1, started_at: 10:00:00, events: 2, is_final: false}}"))])
            .step("time passes: 31m")
            .expect(&[(name, format!("{{{session}: s1, events: 2, is_final: true}}"))]),
        None => Case::new("Events of a user that are exactly 30 minutes apart are one session, without any session id")
            .event("10:00:00", first)
            .event("10:30:00", first)
            .expect(&[(name, "{started_at: 10:00:00, events: 2}".to_owned())]),
    }
}
