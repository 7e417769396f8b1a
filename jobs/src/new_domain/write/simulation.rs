//! `simulation.yml`: what the simulator plays, in its words (they are explained in models/webtoon/simulation.yml and docs/simulation.md).

use std::fmt::Write;

use crate::new_domain::guess::{
    Alternative, Guesses, Member, Moment, Node, Pairs, Played, Variable, What, Written,
};
use crate::new_domain::sample::{Json, quoted};

/// Columns of a line beyond which a list stands below its name.
const LONG: usize = 150;
const VARIABLE_OF_TYPE: &str = "event_type";

/// The whole file.
pub(super) fn simulation(guesses: &Guesses) -> String {
    let domain = &guesses.domain;
    let played = &guesses.played;
    let mut text = format!(
        "# What the simulator plays: events like those of the sample. Written by new-domain; change it, or remove it.
#
#   userflow-ingester simulate --domain {domain} --seed 7 --sessions 200 --jsonl events.jsonl
#   userflow-ingester simulate --domain {domain} --rate 50        # to Kafka, one after the other, with times of now
#
# `any` draws one of several values: `is` a constant, `number` of a range, `mask` a text (# a digit, % a hexadecimal one, @ a small letter,
# * both; what stands behind \\ is itself). The other words are explained in docs/simulation.md.

"
    );
    let pace = &played.pace;
    line(
        &mut text,
        0,
        &format!("users:\n  sessions_per_user: {}", pace.sessions_per_user),
    );
    line(&mut text, 1, "zone: zone");
    line(&mut text, 1, "draws:");
    line(&mut text, 2, "- choose: [{weight: 1, set: {zone: UTC}}]");
    draws(&mut text, &played.users);
    let hours: Vec<String> = pace.hours.iter().map(usize::to_string).collect();
    line(
        &mut text,
        0,
        &format!(
            "\n# How busy each hour is, UTC.\nhours: [{}]",
            hours.join(", ")
        ),
    );
    session(&mut text, played);
    message(&mut text, guesses);
    text.push_str(
        "
# What goes wrong when a flag says how often, as in --duplicates 0.02.
faults:
  duplicates: {after: [2s, 5m]}
  out_of_order: {after: [1ms, 400ms]}
  late: {after: [2m, 20m]}
  binge: {sessions: [2, 2], pause: [35m, 50m]} # another session of the user soon after

# Messages that the contract refuses (--garbage 0.01), each beside the good one that it was made of.
garbage:
",
    );
    garbage(&mut text, guesses);
    text
}

fn draws(text: &mut String, variables: &[Variable]) {
    for variable in variables {
        let head = format!("- any: {{variable: {}, of: ", variable.name);
        let short = format!("{head}{}}}", flow(&variable.of));
        if short.len() <= LONG {
            line(text, 2, &short);
            continue;
        }
        line(
            text,
            2,
            &format!("- any:\n        variable: {}\n        of:", variable.name),
        );
        block(text, 5, &variable.of);
    }
}

fn session(text: &mut String, played: &Played) {
    let pace = &played.pace;
    line(text, 0, "\nsession:");
    if !played.sessions.is_empty() {
        line(text, 1, "draws:");
        draws(text, &played.sessions);
    }
    let ([fewest, most], [shortest, longest]) = (pace.events, pace.gap_ms);
    line(text, 1, "steps:");
    line(
        text,
        2,
        &format!(
            "- name: an event\n      repeat: [{fewest}, {most}]\n      gap: [{shortest}ms, {longest}ms]\n      one_of:"
        ),
    );
    for (name, count) in &played.types {
        let name = quoted(name);
        line(
            text,
            4,
            &format!("- {{name: {name}, weight: {count}, set: {{{VARIABLE_OF_TYPE}: {name}}}}}"),
        );
    }
    line(
        text,
        1,
        "outcomes:\n    - {name: left, weight: 1}\n    - {name: abandoned, abandoned: true}",
    );
}

fn message(text: &mut String, guesses: &Guesses) {
    line(text, 0, "\nmessage:\n  key: user");
    if guesses.envelopes.contains(&"array") {
        line(text, 1, "list: true");
    }
    line(text, 1, "fields:");
    let members = &guesses.played.message;
    if guesses.envelopes.contains(&"kafka-connect") {
        line(text, 2, "- {field: schema, any: [{is: null}]}");
        line(text, 2, "- field: payload");
        line(text, 3, "fields:");
        fields(text, 4, members, &guesses.pairs);
    } else {
        fields(text, 2, members, &guesses.pairs);
    }
}

fn fields(text: &mut String, depth: usize, members: &[Member], pairs: &[Pairs]) {
    for member in members {
        let mut head = vec![format!("field: {}", quoted(&member.name))];
        head.extend(conditions(member));
        let short =
            inline(&member.node).map(|inline| format!("- {{{}, {inline}}}", head.join(", ")));
        match (&member.node, short) {
            (Node::Any(any), Some(short)) if short.len() > LONG => {
                line(text, depth, &format!("- {}", head.remove(0)));
                head.iter().for_each(|head| line(text, depth + 1, head));
                line(text, depth + 1, "any:");
                block(text, depth + 2, any);
            }
            (_, Some(short)) => line(text, depth, &short),
            (Node::Object(inside), None) => {
                line(text, depth, &format!("- {}", head.remove(0)));
                head.iter().for_each(|head| line(text, depth + 1, head));
                line(text, depth + 1, "fields:");
                fields(text, depth + 2, inside, pairs);
            }
            (Node::Pairs(path, inside), None) => {
                line(text, depth, &format!("- {}", head.remove(0)));
                head.iter().for_each(|head| line(text, depth + 1, head));
                line(text, depth + 1, "list:");
                let pairs = pairs.iter().find(|pairs| pairs.path == *path);
                let pairs = pairs.expect("it was made from one of them");
                items(text, depth + 2, pairs, inside);
            }
            (_, None) => unreachable!("only what has places inside stands on lines of its own"),
        }
    }
}

/// The items of a list of keys and values: one for each key, with its value in the place where the sample has it, and null in the others.
fn items(text: &mut String, depth: usize, pairs: &Pairs, members: &[Member]) {
    for member in members {
        let (at, _) = pairs.written.get(&member.name).copied().unwrap_or_default();
        let mut head = conditions(member);
        let key = format!(
            "{{field: {}, any: [{{is: {}}}]}}",
            quoted(&pairs.key),
            quoted(&member.name)
        );
        let value = |place: &[String]| match place == pairs.values[at] {
            true => inline(&member.node).unwrap_or_else(|| "any: [{is: null}]".to_owned()),
            false => "any: [{is: null}]".to_owned(),
        };
        let field = |name: &str, what: String| format!("{{field: {}, {what}}}", quoted(name));
        let fields = match &pairs.values[..] {
            [place] if place.len() == 1 => field(&place[0], value(place)),
            places => {
                let inside = places.iter().map(|place| field(&place[1], value(place)));
                let inside: Vec<String> = inside.collect();
                field(&places[0][0], format!("fields: [{}]", inside.join(", ")))
            }
        };
        head.push(format!("fields: [{key}, {fields}]"));
        line(text, depth, &format!("- {{{}}}", head.join(", ")));
    }
}

/// Which events have a field, and how often it is left out.
fn conditions(member: &Member) -> Vec<String> {
    let mut head = Vec::new();
    if let Some(on) = &member.on {
        let on: Vec<String> = on.iter().map(|name| quoted(name)).collect();
        head.push(format!("on: [{}]", on.join(", ")));
    }
    if member.omit >= 0.0005 {
        head.push(format!("omit: {:.3}", member.omit));
    }
    head
}

/// What stands at a place, if it needs no lines of its own.
fn inline(node: &Node) -> Option<String> {
    match node {
        Node::Type => Some(format!("from: {VARIABLE_OF_TYPE}")),
        Node::Id => Some("id: true".to_owned()),
        Node::Variable(name) => Some(format!("from: {name}")),
        Node::Moment(moment) => Some(format!("moment: {}", written(moment))),
        Node::Any(any) => Some(format!("any: {}", flow(any))),
        Node::Object(_) | Node::Pairs(..) => None,
    }
}

fn written(moment: &Moment) -> String {
    let mut parts = Vec::new();
    match &moment.written {
        Written::Epoch {
            unit,
            decimals,
            text,
        } => {
            parts.push(format!("epoch: {unit}"));
            if *decimals > 0 {
                parts.push(format!("decimals: {decimals}"));
            }
            if *text {
                parts.push("text: true".to_owned());
            }
        }
        Written::Pattern { pattern, zone } => {
            parts.push(format!("pattern: {}", quoted(pattern)));
            if zone != "UTC" {
                parts.push(format!("zone: {}", quoted(zone)));
            }
        }
    }
    let [from, to] = moment.after_ms;
    if [from, to] != [0, 0] {
        parts.push(format!("after_ms: [{from}, {to}]"));
    }
    format!("{{{}}}", parts.join(", "))
}

fn alternative(one: &Alternative, single: bool) -> String {
    let what = match &one.what {
        What::Is(value) => format!("is: {}", value.compact()),
        What::Mask(mask) => format!("mask: {}", quoted(mask)),
        What::Number {
            from,
            to,
            decimals,
            text,
        } => {
            let number = |number: f64| format!("{number:.decimals$}");
            let range = format!("number: [{}, {}]", number(*from), number(*to));
            let decimals = match decimals {
                0 => String::new(),
                _ => format!(", decimals: {decimals}"),
            };
            let text = if *text { ", text: true" } else { "" };
            format!("{range}{decimals}{text}")
        }
    };
    match single || one.weight == 1 {
        true => format!("{{{what}}}"),
        false => format!("{{{what}, weight: {}}}", one.weight),
    }
}

fn flow(any: &[Alternative]) -> String {
    let all = any.iter().map(|one| alternative(one, any.len() == 1));
    format!("[{}]", all.collect::<Vec<_>>().join(", "))
}

fn block(text: &mut String, depth: usize, any: &[Alternative]) {
    for one in any {
        line(
            text,
            depth,
            &format!("- {}", alternative(one, any.len() == 1)),
        );
    }
}

/// Messages with one thing wrong. A field inside an object cannot be changed alone, so less is made where the roles stand there.
fn garbage(text: &mut String, guesses: &Guesses) {
    let mut kind = |kind: &str, reason: &str, variants: &str| {
        let head = format!("{{kind: {kind}, reason: {reason}, weight: 1, variants: [{variants}]}}");
        line(text, 1, &format!("- {head}"));
    };
    kind(
        "not_json",
        "invalid_json",
        "{truncate: 0.6, key: none}, {text: \"GET /healthz HTTP/1.1\", key: none}",
    );
    kind("future_clock", "clock_skew", "{shift: 366d}");
    let connect = guesses.envelopes.contains(&"kafka-connect");
    let roles = &guesses.roles;
    if let ([user], false) = (&roles.user.path[..], connect) {
        kind(
            "no_user",
            "missing_field",
            &format!("{{drop: [{}], key: none}}", quoted(user)),
        );
    }
    if let ([event_type], false) = (&roles.event_type.path[..], connect) {
        let other = Json::text("no_such_event").compact();
        let change = format!("{{replace: {{{}: {other}}}}}", quoted(event_type));
        kind("unknown_type", "unknown_event_type", &change);
    }
}

fn line(text: &mut String, depth: usize, line: &str) {
    writeln!(text, "{}{line}", "  ".repeat(depth)).expect("a text takes what is written to it");
}
