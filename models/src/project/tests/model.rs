//! What is read from a good project.

use std::time::Duration;

use super::*;

#[test]
fn a_model_is_read_whole() {
    let files = Files::new();
    files
        .put("demo/silver/_sources.yml", "version: 2\nsources: []\n")
        .put("demo/features/view.yml", "anything");
    files.model("demo/silver/base", "{{ config(materialized='table', schema='silver', meta={'margin': '2h'}) }}\nselect 1 from {{ source('bronze', 'demo_events') }}, {{ ref('dimension') }}");
    let project = files.load().unwrap();
    let model = project.model("silver.base").unwrap();
    assert_eq!(
        (
            model.domain.as_str(),
            model.layer.as_str(),
            model.table.as_str()
        ),
        ("demo", "silver", "base")
    );
    assert_eq!(
        model.config,
        ModelConfig {
            margin: Duration::from_secs(7200),
            lookback_days: 0
        }
    );
    assert_eq!(
        model.refs,
        [
            Ref::Source("bronze.demo_events".into()),
            Ref::Seed("dimension".into())
        ]
    );
    assert_eq!(model.description, "one row per user_id and day");
    assert_eq!(
        model.columns[0].tests[0],
        Test {
            name: "not_null".into(),
            arguments: serde_json::Value::Null,
            line: Some(8)
        }
    );
    assert_eq!(
        model.columns[0].tests[1].arguments,
        serde_json::json!({"values": ["a", "b"]})
    );
    let types: Vec<String> = model
        .schema()
        .fields()
        .iter()
        .map(|field| format!("{} {}", field.name(), field.data_type()))
        .collect();
    assert_eq!(
        types,
        [
            "user_id Utf8",
            "amount Decimal128(14, 2)",
            "event_date Date32"
        ]
    );
    assert_eq!(project.seeds()[0].schema().field(0).name(), "id");
    assert_eq!(
        project.sources().collect::<Vec<_>>(),
        ["bronze.demo_events", "bronze.demo_quarantine"]
    );
}

#[test]
fn rendering_a_window_fills_in_its_bounds() {
    let files = Files::new();
    files.model("demo/silver/base", "{{ config(meta={'margin': '2h'}) }}select * from {{ source('bronze', 'demo_events') }} where t >= '{{ var('window_start') }}' and t < '{{ var('window_end') }}' and a < '{{ var('as_of') }}'");
    let project = files.load().unwrap();
    let model = project.model("silver.base").unwrap();
    let vars = Vars::of("2026-11-01".parse().unwrap(), &model.config);
    let sql = project
        .render(model, &vars, &|found| format!("\"{found}\""))
        .unwrap();
    assert_eq!(
        sql,
        "select * from \"bronze.demo_events\" where t >= '2026-11-01 00:00:00' and t < '2026-11-02 00:00:00' and a < '2026-11-02 02:00:00'"
    );
}

#[test]
fn the_fingerprint_follows_sql_columns_and_settings() {
    let mark = |files: &Files| {
        files
            .load()
            .unwrap()
            .model("gold.alone")
            .unwrap()
            .fingerprint
    };
    let files = diamond();
    let first = mark(&files);
    assert_eq!(mark(&diamond()), first);
    let changed = [
        mark(files.put("demo/gold/alone.sql", "select 2")),
        mark(files.put(
            "demo/gold/alone.sql",
            "{{ config(meta={'margin': '1h'}) }}select 2",
        )),
        mark(files.put(
            "demo/gold/alone.yml",
            &YML.replace("NAME", "alone").replace("14,2", "14,3"),
        )),
    ];
    let distinct: std::collections::HashSet<u64> = changed.into_iter().chain([first]).collect();
    assert_eq!(distinct.len(), 4);
}

#[test]
fn the_yml_may_configure_and_the_sql_wins() {
    let files = Files::new();
    let yml = YML.replace("NAME", "base").replace(
        "    columns:",
        "    config:\n      meta: {margin: 1h, lookback: 1d}\n    columns:",
    );
    files.put("demo/silver/base.yml", &yml).put(
        "demo/silver/base.sql",
        "{{ config(meta={'margin': '2h'}) }}select 1",
    );
    let config = files.load().unwrap().model("silver.base").unwrap().config;
    assert_eq!(
        config,
        ModelConfig {
            margin: Duration::from_secs(7200),
            lookback_days: 1
        }
    );
}
