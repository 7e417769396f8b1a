//! The order of the models, and the selection of some of them.

use super::*;

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
