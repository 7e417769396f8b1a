//! What tests in a `.yml` ask for.

use super::*;

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
