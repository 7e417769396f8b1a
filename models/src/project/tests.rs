//! Whole projects in temporary folders: what is read from a good one, what is said about a broken one.

use super::*;
use std::time::Duration;
use tempfile::TempDir;

const YML: &str = "version: 2
models:
  - name: NAME
    description: one row per user_id and day
    columns:
      - name: user_id
        data_type: string
        tests: [not_null, {accepted_values: {values: [a, b]}}]
      - {name: amount, data_type: 'decimal(14,2)', description: what was paid}
      - name: event_date
        data_type: date
";

const SEED_YML: &str = "version: 2
seeds:
  - name: dimension
    description: one row per id
    config: {column_types: {id: varchar}}
    columns:
      - {name: id, data_type: string}
";

/// A project under construction; the fields of a path are relative to its models folder.
struct Files(TempDir);

impl Files {
    /// One domain with a source, a seed and a silver model.
    fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files
            .put("demo/contract.json", "{}")
            .put("demo/seeds/dimension.csv", "id\n1\n")
            .put("demo/seeds/seeds.yml", SEED_YML);
        files.model(
            "demo/silver/base",
            "select * from {{ source('bronze', 'demo_events') }}, {{ ref('dimension') }}",
        );
        files
    }

    fn put(&self, path: &str, text: &str) -> &Self {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// Writes a model and its twin.
    fn model(&self, stem: &str, sql: &str) -> &Self {
        let name = stem.rsplit('/').next().unwrap();
        self.put(&format!("{stem}.sql"), sql)
            .put(&format!("{stem}.yml"), &YML.replace("NAME", name))
    }

    fn remove(&self, path: &str) -> &Self {
        std::fs::remove_file(self.0.path().join(path)).unwrap();
        self
    }

    fn load(&self) -> Result<Project, ProjectError> {
        Project::load(self.0.path())
    }

    /// The problems as text, with paths relative to the models folder.
    fn problems(&self) -> Vec<String> {
        match self.load() {
            Err(ProjectError::Invalid(problems)) => {
                let prefix = format!("{}/", self.0.path().display());
                problems
                    .iter()
                    .map(|problem| problem.to_string().replace(&prefix, ""))
                    .collect()
            }
            other => panic!("expected problems, got {other:?}"),
        }
    }
}

fn names(models: &[&Model]) -> Vec<String> {
    models.iter().map(|model| model.name.clone()).collect()
}

/// base <- a_mid <- top, base <- top, and alone.
fn diamond() -> Files {
    let files = Files::new();
    files
        .model(
            "demo/gold/top",
            "select * from {{ ref('base') }}, {{ ref('a_mid') }}",
        )
        .model(
            "demo/gold/a_mid",
            "{{ config(meta={'lookback': '6d'}) }} select * from {{ ref('base') }}",
        )
        .model("demo/gold/alone", "select 1");
    files
}

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
fn the_order_is_the_graphs_and_not_the_files() {
    let files = diamond();
    let project = files.load().unwrap();
    let order: Vec<&Model> = project.models().iter().collect();
    assert_eq!(
        names(&order),
        ["gold.alone", "silver.base", "gold.a_mid", "gold.top"]
    );
}

#[test]
fn selectors_match_globs_ancestors_and_descendants() {
    let files = diamond();
    let project = files.load().unwrap();
    let select = |selectors: &[&str]| names(&project.select(selectors).unwrap());
    assert_eq!(select(&["gold.top"]), ["gold.top"]);
    assert_eq!(select(&["+gold.a_mid"]), ["silver.base", "gold.a_mid"]);
    assert_eq!(select(&["gold.a_mid+"]), ["gold.a_mid", "gold.top"]);
    assert_eq!(
        select(&["+gold.a_mid+"]),
        ["silver.base", "gold.a_mid", "gold.top"]
    );
    assert_eq!(
        select(&["+gold.*"]),
        ["gold.alone", "silver.base", "gold.a_mid", "gold.top"]
    );
    assert_eq!(
        select(&["gold.top", "silver.base", "*.top"]),
        ["silver.base", "gold.top"]
    );
    assert!(select(&[]).is_empty());
}

#[test]
fn a_selector_that_matches_nothing_lists_close_names() {
    let project = diamond().load().unwrap();
    for (selector, words) in [
        ("gold.tpo", "gold.top"),
        ("+gold.tpo", "`+gold.tpo`"),
        ("bronze.demo_events", "silver.base"),
        ("x", "gold.alone"),
        ("+", "no model"),
    ] {
        let message = project.select(&[selector]).unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    }
    assert!(
        project
            .model("gold.tpo")
            .unwrap_err()
            .to_string()
            .contains("gold.top")
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

#[test]
fn a_broken_yml_names_its_line_and_the_fix() {
    for (from, to, expected) in [
        (
            "        data_type: string\n",
            "",
            ["base.yml:6:", "give every column its data_type"],
        ),
        (
            "data_type: string",
            "data_type: strng",
            ["base.yml:7:", "unknown data_type `strng`"],
        ),
        (
            "        data_type: string",
            "        datatype: string",
            ["base.yml:7:", "unknown field `datatype`"],
        ),
        (
            "    columns:",
            "    colums:",
            ["base.yml:5:", "unknown field `colums`"],
        ),
        (
            "- name: NAME",
            "- name: other",
            ["base.yml:3:", "must declare `base`"],
        ),
        (
            "      - name: event_date\n        data_type: date\n",
            "",
            ["base.yml:5:", "no column event_date"],
        ),
        (
            "data_type: date",
            "data_type: timestamp",
            ["base.yml:10:", "must be date"],
        ),
        (
            "name: amount",
            "name: user_id",
            ["base.yml:6:", "declared twice"],
        ),
        (
            "name: amount",
            "name: Amount Paid",
            ["base.yml:9:", "no plain name"],
        ),
        (
            "one row per user_id and day",
            "''",
            ["base.yml:4:", "description is empty"],
        ),
        ("[not_null, ", "[3, ", ["base.yml:6:", "test 3"]),
        (
            "    columns:",
            "    config: {meta: {margn: 1h}}\n    columns:",
            ["base.yml:5:", "unknown meta key `margn`"],
        ),
        (
            "    columns:",
            "    config: {meta: {margin: soon}}\n    columns:",
            ["base.yml:5:", "no duration"],
        ),
        (
            "models:",
            "models: [",
            ["base.yml:3:", "did not find expected"],
        ),
    ] {
        let files = Files::new();
        assert!(YML.contains(from), "{from}");
        files.put(
            "demo/silver/base.yml",
            &YML.replace(from, to).replace("NAME", "base"),
        );
        let problems = files.problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            expected.iter().all(|words| problems[0].contains(words)),
            "{expected:?}: {problems:?}"
        );
    }
}

#[test]
fn a_broken_sql_names_its_line_and_the_fix() {
    for (sql, expected) in [
        (
            "select 1\nfrom {{ ref('bass') }}",
            ["base.sql:2:", "close to it: base"],
        ),
        (
            "\n\nselect 1 from {{ source('bronze', 'events') }}",
            ["base.sql:3:", "bronze.demo_quarantine"],
        ),
        (
            "select\n{% if x %}1{% endif %}",
            ["base.sql:2:", "may be templated"],
        ),
        (
            "select 1\n where t < '{{ var('now') }}'",
            [
                "base.sql:2:",
                "window_start, window_end, as_of and margin_seconds",
            ],
        ),
        (
            "\n{{ config(meta={'margins': '2h'}) }}",
            ["base.sql:2:", "unknown meta key `margins`"],
        ),
        (
            "{{ config(schema='gold') }}",
            ["base.sql:1:", "must be 'silver'"],
        ),
        (
            "select 1 from\n{{ ref('base') }}",
            ["base.sql:2:", "silver.base -> silver.base"],
        ),
    ] {
        let files = Files::new();
        files.put("demo/silver/base.sql", sql);
        let problems = files.problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            expected.iter().all(|words| problems[0].contains(words)),
            "{expected:?}: {problems:?}"
        );
    }
}

#[test]
fn a_cycle_is_shown_as_a_path() {
    let files = Files::new();
    files
        .model("demo/gold/a", "select 1\nfrom {{ ref('b') }}")
        .model("demo/gold/b", "select 1 from {{ ref('a') }}");
    let problems = files.problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].starts_with("demo/gold/a.sql:2: ")
            && problems[0].contains("gold.a -> gold.b -> gold.a"),
        "{problems:?}"
    );
}

#[test]
fn files_that_do_not_belong_together_are_named() {
    let files = diamond();
    files
        .remove("demo/gold/top.yml")
        .remove("demo/gold/alone.sql");
    files
        .model("other/gold/base", "select 1")
        .put("other/contract.json", "{}");
    files
        .put("demo/stray.sql", "select 1")
        .put("demo/seeds/extra.csv", "id\n")
        .put("demo/gold/Bad-Name.sql", "select 1");
    files.put("demo/bronze/landing.sql", "select 1");
    let problems = files.problems().join("\n");
    for words in [
        "demo/gold/top.sql: has no twin top.yml",
        "demo/gold/alone.yml: has no twin alone.sql",
        "other/gold/base.sql: `base` is also the name of",
        "demo/stray.sql: lies outside a layer",
        "demo/seeds/extra.csv: is declared by no .yml",
        "demo/gold/Bad-Name.sql: `Bad-Name` is no table name",
        "demo/bronze/landing.sql: bronze is written by the ingester",
    ] {
        assert!(problems.contains(words), "{words}\n{problems}");
    }
}

#[test]
fn seeds_and_their_declarations_must_pair() {
    let files = Files::new();
    files.put(
        "demo/seeds/seeds.yml",
        &SEED_YML.replace("name: dimension", "name: dimensions"),
    );
    let problems = files.problems();
    assert!(
        problems[0].contains("dimension.csv: is declared by no .yml"),
        "{problems:?}"
    );
    assert!(
        problems[1].starts_with("demo/seeds/seeds.yml:3: ")
            && problems[1].contains("dimensions.csv"),
        "{problems:?}"
    );
}

#[test]
fn a_folder_without_a_domain_is_refused() {
    let empty = tempfile::tempdir().unwrap();
    let message = Project::load(empty.path()).unwrap_err().to_string();
    assert!(
        message.contains("contract.json") && message.contains("--models"),
        "{message}"
    );
    let message = Project::load(&empty.path().join("absent"))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("absent") && message.contains("cannot be listed"),
        "{message}"
    );
}

/// The checks of the model when these tests stand on its first column, or the problems.
fn checks(test: &str) -> Result<Vec<Check>, Vec<String>> {
    let files = Files::new();
    let from = "tests: [not_null, {accepted_values: {values: [a, b]}}]";
    let to = format!("tests: [{test}]");
    files.put(
        "demo/silver/base.yml",
        &YML.replace("NAME", "base").replace(from, &to),
    );
    match files.load() {
        Ok(project) => Ok(project.model("silver.base").unwrap().checks.clone()),
        Err(_) => Err(files.problems()),
    }
}

#[test]
fn a_check_has_severity_threshold_condition_and_line() {
    let found = checks(
        "not_null, {accepted_values: {values: [a, 'it''s', 3], config: {severity: WARN, where: \"amount > 0\", meta: {threshold: 0.5}}}}",
    );
    assert_eq!(
        found.unwrap(),
        [
            Check {
                label: "not_null(user_id)".into(),
                rule: Rule::NotNull {
                    column: "user_id".into()
                },
                condition: None,
                severity: Severity::Error,
                threshold: 0.99,
                line: Some(8),
            },
            Check {
                label: "accepted_values(user_id) where amount > 0".into(),
                rule: Rule::AcceptedValues {
                    column: "user_id".into(),
                    values: vec!["'a'".into(), "'it''s'".into(), "3".into()],
                },
                condition: Some("amount > 0".into()),
                severity: Severity::Warn,
                threshold: 0.5,
                line: Some(8),
            },
        ]
    );
}

#[test]
fn gold_is_strict_and_the_other_layers_are_not() {
    let files = diamond();
    let project = files.load().unwrap();
    let threshold = |name: &str| project.model(name).unwrap().checks[0].threshold;
    assert_eq!(threshold("gold.alone"), 1.0);
    assert_eq!(threshold("silver.base"), 0.99);
}

#[test]
fn relationships_name_models_and_seeds_and_sources() {
    for (to, found) in [
        ("ref('dimension')", Ref::Seed("dimension".into())),
        ("ref(\"base\")", Ref::Model("silver.base".into())),
        (
            "source('bronze', 'demo_events')",
            Ref::Source("bronze.demo_events".into()),
        ),
    ] {
        let checks = checks(&format!(
            "{{relationships: {{to: \"{}\", field: id}}}}",
            to.replace('"', "\\\"")
        ));
        let Rule::Relationships { to, .. } = &checks.unwrap()[0].rule else {
            panic!("another rule");
        };
        assert_eq!(*to, found);
    }
}

#[test]
fn a_test_that_cannot_be_read_names_its_line_and_the_fix() {
    for (test, words) in [
        ("uniqe", "unknown test `uniqe`; close to it: unique"),
        ("{not_null: [a]}", "no mapping of arguments"),
        ("{unique: {of: a}}", "unknown argument `of`: write config"),
        ("{accepted_values: {values: []}}", "values must be a list"),
        ("{accepted_range: {}}", "write min_value, max_value or both"),
        (
            "{relationships: {to: dimension, field: id}}",
            "to must be ref('name')",
        ),
        (
            "{relationships: {to: ref('dimensio'), field: id}}",
            "close to it: dimension",
        ),
        (
            "{sequence: {group_by: [user], order_by: amount}}",
            "unknown column `user`; close to it: user_id",
        ),
        (
            "{expression_is_true: {expression: \"> {{ x }}\"}}",
            "is templated",
        ),
        (
            "{freshness: {within: soon}}",
            "within \"soon\" is no duration",
        ),
        (
            "{unique_combination_of_columns: {combination_of_columns: [user_id]}}",
            "about whole rows",
        ),
        (
            "{not_null: {config: {severity: bad}}}",
            "must be error or warn",
        ),
        (
            "{not_null: {config: {sevrity: warn}}}",
            "unknown config `sevrity`",
        ),
        (
            "{not_null: {config: {meta: {treshold: 1}}}}",
            "unknown meta key `treshold`",
        ),
        (
            "{not_null: {config: {meta: {threshold: 1.5}}}}",
            "no share from 0 to 1",
        ),
        (
            "not_null, not_null",
            "test not_null(user_id) is declared twice",
        ),
    ] {
        let problems = checks(test).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].starts_with("demo/silver/base.yml:8: ") && problems[0].contains(words),
            "{words}: {problems:?}"
        );
    }
}

#[test]
fn the_tests_of_seeds_and_sources_are_read_too() {
    let files = Files::new();
    files.put(
        "demo/seeds/seeds.yml",
        &SEED_YML.replace("data_type: string}", "data_type: string, tests: [unikue]}"),
    );
    assert!(files.problems()[0].starts_with("demo/seeds/seeds.yml:7: unknown test `unikue`"));

    let files = Files::new();
    let yml = "version: 2
sources:
  - name: bronze
    tables:
      - name: demo_events
        description: one row per message
        tests:
          - unique_combination_of_columns: {combination_of_columns: [a, b]}
        columns:
          - name: id
            tests: [not_null]
";
    files.put("demo/silver/_sources.yml", yml);
    let project = files.load().unwrap();
    let source = &project.declared_sources()[0];
    assert_eq!(source.name, "bronze.demo_events");
    let labels: Vec<(&str, Option<usize>)> = (source.checks.iter())
        .map(|check| (check.label.as_str(), check.line))
        .collect();
    assert_eq!(
        labels,
        [
            ("unique_combination_of_columns(a, b)", Some(8)),
            ("not_null(id)", Some(11))
        ]
    );
    files.put(
        "demo/silver/_sources.yml",
        &yml.replace("demo_events", "demo_event"),
    );
    let problems = files.problems();
    assert!(
        problems[0]
            .starts_with("demo/silver/_sources.yml:5: source `bronze.demo_event` is no table"),
        "{problems:?}"
    );
}
