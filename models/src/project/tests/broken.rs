//! What is said about files that are wrong, or do not belong together.

use super::*;

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
