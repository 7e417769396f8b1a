//! `gold.<domain>_user_daily`: its SQL and what is declared about it.

use super::counts::{are_all, counts};
use super::silver::{WINDOW, add, column};
use crate::new_domain::guess::{Guesses, Kind};

/// A sum in gold: the name, the column, its type.
fn sums(guesses: &Guesses) -> Vec<(String, &str, String)> {
    let sums = guesses.amounts().into_iter().map(|(column, scale)| {
        let kind = Kind::Decimal {
            precision: 38,
            scale,
        };
        (
            format!("sum_{}", column.name),
            column.name.as_str(),
            kind.sql(),
        )
    });
    sums.collect()
}

/// `gold/<domain>_user_daily.sql`.
pub(super) fn gold_sql(guesses: &Guesses) -> String {
    let domain = &guesses.domain;
    let user = guesses.user();
    let mut text = format!(
        "-- What each user did on each day.\n-- Grain: one row per event_date and {user}.\n{{{{ config(schema='gold') }}}}\n\nwith\n\n"
    );
    let mut read = vec!["event_date", user];
    read.extend(guesses.session());
    read.extend(["event_type", "event_time"]);
    let sums = sums(guesses);
    read.extend(sums.iter().map(|(_, column, _)| *column));
    let read: Vec<String> = read.iter().map(|name| format!("        {name}")).collect();
    add(
        &mut text,
        &format!(
            "events as (\n    select\n{}\n    from {{{{ ref('{domain}_events') }}}}\n    where\n{WINDOW}),\n\n",
            read.join(",\n")
        ),
    );
    let session = guesses.session();
    let mut first = vec![format!("        event_date"), format!("        {user}")];
    first.extend(session.map(|session| format!("        {session}")));
    first.push("        count(*) as events".to_owned());
    for count in counts(guesses) {
        first.push(format!(
            "        count(*) filter (where event_type = {}) as {}",
            count.sql(),
            count.name
        ));
    }
    for (name, column, _) in &sums {
        first.push(format!("        sum({column}) as {name}"));
    }
    first.push("        min(event_time) as first_event_at".to_owned());
    first.push("        max(event_time) as last_event_at".to_owned());
    let group = match session {
        Some(session) => format!("event_date, {user}, {session}"),
        None => format!("event_date, {user}"),
    };
    let (name, comment) = match session {
        Some(_) => (
            "sessions",
            "-- by session first: counting different texts at once would need them all in memory\n",
        ),
        None => ("users", ""),
    };
    add(
        &mut text,
        &format!(
            "{comment}{name} as (\n    select\n{}\n    from events\n    group by {group}\n),\n\n",
            first.join(",\n")
        ),
    );
    let mut last = vec![format!("        event_date"), format!("        {user}")];
    let sum = |name: &str| match session {
        Some(_) => format!("sum({name})"),
        None => name.to_owned(),
    };
    last.extend(session.map(|session| format!("        count({session}) as sessions")));
    for name in std::iter::once("events".to_owned())
        .chain(counts(guesses).into_iter().map(|count| count.name))
    {
        last.push(match session {
            Some(_) => format!("        sum({name}) as {name}"),
            None => format!("        {name}"),
        });
    }
    for (name, _, kind) in &sums {
        last.push(format!(
            "        cast(coalesce({}, 0) as {kind}) as {name}",
            sum(name)
        ));
    }
    for (name, function) in [("first_event_at", "min"), ("last_event_at", "max")] {
        last.push(match session {
            Some(_) => format!("        {function}({name}) as {name}"),
            None => format!("        {name}"),
        });
    }
    let group = match session {
        Some(_) => format!("\n    group by event_date, {user}"),
        None => String::new(),
    };
    add(
        &mut text,
        &format!(
            "final as (\n    select\n{}\n    from {name}{group}\n)\n\nselect * from final\n",
            last.join(",\n")
        ),
    );
    text
}

/// `gold/<domain>_user_daily.yml`.
pub(super) fn gold_yml(guesses: &Guesses) -> String {
    let user = guesses.user();
    let mut text = format!(
        "version: 2

models:
  - name: {}_user_daily
    description: \"One row per event_date and {user}: what the user did on the day.\"
    tests:
      - unique_combination_of_columns:
          combination_of_columns: [event_date, {user}]
      - expression_is_true:
          expression: \"last_event_at >= first_event_at\"
",
        guesses.domain
    );
    let counts = counts(guesses);
    let names: Vec<&str> = counts.iter().map(|count| count.name.as_str()).collect();
    let sign = if are_all(guesses) { "=" } else { "<=" };
    add(
        &mut text,
        &format!(
            "      - expression_is_true:\n          expression: \"{} {sign} events\"\n      - row_count_between:\n          min_value: 1\n          config: {{severity: warn}}\n    columns:\n",
            names.join(" + ")
        ),
    );
    let counted = "[not_null, {accepted_range: {min_value: 0}}]";
    column(
        &mut text,
        "event_date",
        "date",
        "UTC date of the events",
        "[not_null]",
    );
    column(&mut text, user, "string", "the user", "[not_null]");
    if guesses.session().is_some() {
        column(
            &mut text,
            "sessions",
            "bigint",
            "different sessions of the user with an event on the day",
            counted,
        );
    }
    column(
        &mut text,
        "events",
        "bigint",
        "events of the user",
        "[not_null, {accepted_range: {min_value: 1}}]",
    );
    for count in &counts {
        column(
            &mut text,
            &count.name,
            "bigint",
            &format!("of them {}", count.event_type),
            counted,
        );
    }
    for (name, of, kind) in sums(guesses) {
        column(
            &mut text,
            &name,
            &kind,
            &format!("sum of {of}; 0 without one"),
            "[not_null]",
        );
    }
    column(
        &mut text,
        "first_event_at",
        "timestamp",
        "the user's first event of the day",
        "[not_null]",
    );
    column(
        &mut text,
        "last_event_at",
        "timestamp",
        "the user's last event of the day",
        "[not_null]",
    );
    text
}
