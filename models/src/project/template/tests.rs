//! Templates as people write them, and what is refused.

use std::path::Path;
use std::time::Duration;

use chrono::{TimeZone, Utc};

use super::inspect::{Facts, inspect};
use super::render;
use super::vars::{NAMES, Vars};
use crate::error::Problem;
use crate::project::names::{Names, Ref};

fn names() -> Names {
    Names {
        models: [("sessions".to_owned(), "silver.sessions".to_owned())].into(),
        seeds: ["dimension".to_owned()].into(),
        sources: ["bronze.demo_events".to_owned()].into(),
        without_file: ["prices".to_owned()].into(),
    }
}

fn facts(sql: &str) -> Result<Facts, Problem> {
    inspect(Path::new("x.sql"), sql, &names())
}

#[test]
fn a_template_is_learnt_without_rendering_it() {
    let sql = "{{ config(materialized='table', meta={'margin': '2h', 'deep': {'x': 1}}) }}\n\
               select * from {{ source('bronze', 'demo_events') }} join {{ref(\"dimension\")}}\n\
               join {{ ref('dimension') }} where t >= '{{- var('window_start') -}}'";
    let facts = facts(sql).unwrap();
    assert_eq!(
        facts.refs,
        [
            Ref::Source("bronze.demo_events".to_owned()),
            Ref::Seed("dimension".to_owned())
        ]
    );
    let (config, line) = facts.config.unwrap();
    assert_eq!(line, 1);
    assert_eq!(
        config,
        serde_json::json!({"materialized": "table", "meta": {"margin": "2h", "deep": {"x": 1}}})
    );
}

#[test]
fn rendering_keeps_lines_and_fills_refs_and_vars() {
    let sql = "{{ config(materialized='table') }}\n\nselect '{x}' from {{ ref('sessions') }}\nwhere t < timestamp '{{ var('as_of') }}' + interval '{{ var('margin_seconds') }}' second\n";
    let at = |day, hour| Utc.with_ymd_and_hms(2026, 11, day, hour, 0, 0).unwrap();
    let vars = Vars {
        window_start: at(1, 0),
        window_end: at(2, 0),
        as_of: at(2, 2),
        margin: Duration::from_secs(7200),
    };
    let refs = [Ref::Model("silver.sessions".to_owned())];
    let text = render(Path::new("x.sql"), sql, &names(), &refs, &vars, &|found| {
        format!("lake.{found}")
    })
    .unwrap();
    assert_eq!(
        text,
        "\n\nselect '{x}' from lake.silver.sessions\nwhere t < timestamp '2026-11-02 02:00:00' + interval '7200' second\n"
    );
}

#[test]
fn anything_else_is_refused_with_its_line() {
    for (body, words) in [
        ("{% if true %}x{% endif %}", "`{%` is not allowed"),
        ("{# a comment #}", "`{#` is not allowed"),
        ("{{ var('as_of') | upper }}", "is not allowed"),
        ("{{ ref('sessions') ~ 'x' }}", "is not allowed"),
        ("{{ env_var('HOME') }}", "is not allowed"),
        ("{{ this }}", "is not allowed"),
        ("{{ 1 + 1 }}", "is not allowed"),
        ("{{ ref('sessions' }}", "is not allowed"),
        ("{{ ref('sessions'", "is not allowed"),
        ("{{ ref(upper('sessions')) }}", "upper"),
        ("{{ ref('sessions'|upper) }}", "upper"),
        ("{{ var('today') }}", NAMES),
        ("{{ var('as_of', 'x') }}", "one name"),
        ("{{ ref('session') }}", "close to it: sessions"),
        ("{{ ref('a', 'b') }}", "one name"),
        ("{{ source('bronze', 'events') }}", "bronze.demo_events"),
        ("{{ source('demo_events') }}", "a schema and a table"),
        ("{{ config('table') }}", "named arguments"),
        ("{{ config(x=1) }}{{ config(x=1) }}", "twice"),
    ] {
        let problem = facts(&format!("select 1,\n\n{body}")).err().unwrap();
        assert!(problem.message.contains(words), "{body}: {problem}");
        assert_eq!(problem.line, Some(3), "{body}: {problem}");
    }
}
