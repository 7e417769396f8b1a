//! Bronze's tests and `silver.<domain>_events`: its SQL and what is declared about it.

use std::fmt::Write;

use super::contract::description;
use crate::new_domain::guess::{Column, Guesses, Role};
use crate::new_domain::sample::quoted;

/// The dates of a run.
pub(super) const WINDOW: &str =
    "        event_date >= cast(cast('{{ var(\"window_start\") }}' as timestamp) as date)
        and event_date < cast(cast('{{ var(\"window_end\") }}' as timestamp) as date)
";

/// What makes a row of bronze the one that it is, where events have no id.
fn place(guesses: &Guesses) -> Vec<&'static str> {
    let mut place = vec!["_topic_id", "_partition", "_offset"];
    if guesses.envelopes.contains(&"array") {
        place.push("_index");
    }
    place
}

/// The key of silver.
fn key(guesses: &Guesses) -> Vec<&str> {
    match guesses.event_id() {
        Some(id) => vec![id],
        None => place(guesses),
    }
}

/// `silver/_sources.yml`.
pub(super) fn sources(guesses: &Guesses) -> String {
    let domain = &guesses.domain;
    let mut text = format!(
        "version: 2

# What `userflow-jobs check` judges bronze by. The ingester is blocked by nothing here: bronze keeps what the contract accepts.
sources:
  - name: bronze
    description: \"Tables that the ingester writes from the contract, one row per accepted or refused message. Append-only.\"
    tables:
      - name: {domain}_events
        description: \"One row per event that the contract accepts; partitioned by event_date, the UTC date of event_time.\"
        tests:
          - quarantined:
              to: source('bronze', '{domain}_quarantine')
              config: {{meta: {{threshold: 0.95}}}}
          - unique_combination_of_columns:
              combination_of_columns: [{}]
          - row_count_between:
              min_value: 1
              config: {{severity: warn}}
        columns:
",
        place(guesses).join(", ")
    );
    for column in &guesses.columns {
        let mut tests = Vec::new();
        if column.required() {
            tests.push("not_null".to_owned());
        }
        if column.role == Some(Role::EventId) {
            let warn = "unique: {config: {severity: warn, meta: {threshold: 0.95}}}";
            tests.push(format!("{{{warn}}}"));
        }
        if column.role == Some(Role::EventType) {
            let types = guesses.types.iter().map(|(name, _)| quoted(name));
            let types: Vec<String> = types.collect();
            tests.push(format!(
                "{{accepted_values: {{values: [{}]}}}}",
                types.join(", ")
            ));
        }
        if !tests.is_empty() {
            add(
                &mut text,
                &format!(
                    "          - name: {}\n            tests: [{}]\n",
                    column.name,
                    tests.join(", ")
                ),
            );
        }
    }
    text
}

/// The columns of silver: those of the contract without lists, then the place in Kafka.
fn silver_columns(guesses: &Guesses) -> Vec<&str> {
    let names = guesses.flat().map(|column| column.name.as_str());
    let mut names: Vec<&str> = std::iter::once("event_date").chain(names).collect();
    names.push("extra");
    names.extend(place(guesses));
    names
}

/// `silver/<domain>_events.sql`.
pub(super) fn silver_sql(guesses: &Guesses) -> String {
    let domain = &guesses.domain;
    let columns = silver_columns(guesses);
    let list = |indent: &str| {
        let names: Vec<String> = columns
            .iter()
            .map(|name| format!("{indent}{name}"))
            .collect();
        names.join(",\n")
    };
    let grain = key(guesses).join(", ");
    let mut text = format!(
        "-- Events, each once.\n-- Grain: one row per {grain}.\n{{{{ config(schema='silver') }}}}\n\nwith\n\n"
    );
    add(
        &mut text,
        &format!(
            "events as (\n    select\n{}\n    from {{{{ source('bronze', '{domain}_events') }}}}\n    where\n{WINDOW}),\n\n",
            list("        ")
        ),
    );
    if let Some(id) = guesses.event_id() {
        let place = place(guesses);
        let order = place.iter().rev().map(|column| format!("{column} desc"));
        let order: Vec<String> = order.collect();
        add(
            &mut text,
            &format!(
                "-- an id that comes again is the same event sent again: the newest copy is kept\ncopies as (\n    select\n        *,\n        \
             row_number() over (\n            partition by {id}\n            order by event_time desc, {}\n        ) as copy_no\n    from events\n),\n\n",
                order.join(", ")
            ),
        );
        add(
            &mut text,
            &format!(
                "final as (\n    select\n{}\n    from copies\n    where copy_no = 1\n)\n\nselect * from final\n",
                list("        ")
            ),
        );
    } else {
        add(
            &mut text,
            &format!(
                "-- events have no id: an event that is sent again cannot be told from another one\nfinal as (\n    select\n{}\n    from events\n)\n\nselect * from final\n",
                list("        ")
            ),
        );
    }
    text
}

/// `silver/<domain>_events.yml`.
pub(super) fn silver_yml(guesses: &Guesses) -> String {
    let repeats = match guesses.event_id() {
        Some(id) => format!("one row per {id}: an event that was sent again on the same day is dropped."),
        None => "one row per event of bronze: events have no id, so one that was sent again is here again.".to_owned(),
    };
    let mut text = format!(
        "version: 2

models:
  - name: {}_events
    description: \"Events, {repeats} Partition: the UTC date of event_time.\"
    tests:
      - unique_combination_of_columns:
          combination_of_columns: [event_date, {}]
      - expression_is_true:
          expression: \"cast(event_time as date) = event_date\"
      - row_count_between:
          min_value: 1
          config: {{severity: warn}}
    columns:
",
        guesses.domain,
        key(guesses).join(", ")
    );
    column(
        &mut text,
        "event_date",
        "date",
        "UTC date of event_time",
        "[not_null]",
    );
    for one in guesses.flat() {
        column(
            &mut text,
            &one.name,
            &one.kind.sql(),
            &description(one),
            &tests(one),
        );
    }
    column(
        &mut text,
        "extra",
        "string",
        "the fields that the contract does not name, as JSON",
        "",
    );
    for name in place(guesses) {
        let kind = match name {
            "_topic_id" => "string",
            "_partition" => "integer",
            _ => "bigint",
        };
        column(&mut text, name, kind, "where the event stands in Kafka", "");
    }
    text
}

/// Tests of a column of silver. A small set is only warned of: the sample may not have all of it.
fn tests(column: &Column) -> String {
    let mut tests = Vec::new();
    if column.required() {
        tests.push("not_null".to_owned());
    }
    if !column.values.is_empty() && column.role.is_none() {
        let values: Vec<String> = column.values.iter().map(|value| quoted(value)).collect();
        tests.push(format!(
            "{{accepted_values: {{values: [{}], config: {{severity: warn}}}}}}",
            values.join(", ")
        ));
    }
    match tests.is_empty() {
        true => String::new(),
        false => format!("[{}]", tests.join(", ")),
    }
}

/// A column of a `.yml`.
pub(super) fn column(text: &mut String, name: &str, kind: &str, description: &str, tests: &str) {
    add(
        text,
        &format!(
            "      - name: {name}\n        data_type: {kind}\n        description: {}\n",
            quoted(description)
        ),
    );
    if !tests.is_empty() {
        add(text, &format!("        tests: {tests}\n"));
    }
}

/// Appends to a text.
pub(super) fn add(text: &mut String, more: &str) {
    text.write_str(more)
        .expect("a text takes what is written to it");
}
