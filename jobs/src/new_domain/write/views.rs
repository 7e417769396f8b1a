//! `features/*.yml`: what a user did in the last hour, the session, the newest events.

use std::fmt::Write;

use super::counts::counts;
use crate::new_domain::guess::Guesses;

/// Name and text of each view.
pub(super) fn views(guesses: &Guesses) -> Vec<(String, String)> {
    vec![user_hour(guesses), recent(guesses), session(guesses)]
}

fn user_hour(guesses: &Guesses) -> (String, String) {
    let name = format!("{}_user_1h", guesses.domain);
    let mut text = head(&name, "What a user did in the last hour", guesses.user());
    text.push_str("window: {sliding: 1h, every: 10m}\nfeatures:\n  events: {count: {}}\n");
    by_type(guesses, &mut text);
    if let Some(session) = guesses.session() {
        line(
            &mut text,
            "sessions",
            &format!("{{distinct_count: {session}}}"),
        );
    }
    for item in guesses.items() {
        let feature = format!("{{distinct_count: {}}}", item.name);
        line(&mut text, &format!("distinct_{}", item.name), &feature);
    }
    for (amount, _) in guesses.amounts() {
        let feature = format!("{{sum: {}}}", amount.name);
        line(&mut text, &format!("sum_{}", amount.name), &feature);
    }
    text.push_str("ttl: 2h\n");
    (name, text)
}

fn recent(guesses: &Guesses) -> (String, String) {
    let name = format!("{}_user_recent", guesses.domain);
    let description = "What a user did in the last 50 events, newest last";
    let mut text = head(&name, description, guesses.user());
    text.push_str("window: {last: 50}\nfeatures:\n");
    text.push_str("  recent_event_types: {last_n: event_type, n: 50}\n");
    for item in guesses.items() {
        let feature = format!("{{last_n: {}, n: 50}}", item.name);
        line(&mut text, &format!("recent_{}", item.name), &feature);
    }
    text.push_str("  last_event_type: {last: event_type}\n  last_event_at: {last: event_time}\n");
    (name, text)
}

fn session(guesses: &Guesses) -> (String, String) {
    let name = format!("{}_session", guesses.domain);
    let user = guesses.user();
    let mut text = match guesses.session() {
        Some(session) => {
            let entity = format!("[{session}, {user}]");
            let mut text = head(
                &name,
                "One session of one user, from its first event on",
                &entity,
            );
            text.push_str("# A session ends when nothing came for this long; a late event reopens it for as long as keep says.\n");
            text.push_str(
                "window: {session: 30m, keep: 2h}\nfeatures:\n  started_at: {min: event_time}\n",
            );
            text
        }
        None => {
            let description = "One session of one user, events at most 30 minutes apart";
            let mut text = head(&name, description, user);
            text.push_str("# Events have no session id. A user's events are in one Kafka partition if the producer's key is the user.\n");
            text.push_str(
                "partition_local: true\nwindow: {session: 30m, start: started_at}\nfeatures:\n",
            );
            text
        }
    };
    text.push_str("  last_event_at: {max: event_time}\n  events: {count: {}}\n");
    by_type(guesses, &mut text);
    text.push_str("ttl: 24h\n");
    (name, text)
}

fn head(name: &str, description: &str, entity: &str) -> String {
    format!("feature_view: {name}\ndescription: {description}\nentity: {entity}\n")
}

fn by_type(guesses: &Guesses, text: &mut String) {
    for count in counts(guesses) {
        let feature = format!("{{count: {{when: {{event_type: {}}}}}}}", count.yaml());
        line(text, &count.name, &feature);
    }
}

fn line(text: &mut String, name: &str, feature: &str) {
    writeln!(text, "  {name}: {feature}").expect("a text takes what is written to it");
}
