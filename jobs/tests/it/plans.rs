//! What `plan` lists: exactly the windows whose result would change, from the logs.

use crate::world::World;

fn windows(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected
        .iter()
        .map(|(model, date)| ((*model).to_owned(), (*date).to_owned()))
        .collect()
}

#[test]
fn nothing_is_planned_in_an_empty_lake_and_everything_that_never_ran_after_that() {
    let world = World::new();
    assert!(world.planned().is_empty());
    world.events(&[("v1", "ann", 1, "2026-11-01T08:00:00Z")]);
    let expected = [
        ("silver.visits", "2026-11-01"),
        ("gold.user_daily", "2026-11-01"),
        ("gold.user_3d", "2026-11-01"),
    ];
    assert_eq!(world.planned(), windows(&expected));
}

#[test]
fn after_a_run_there_is_nothing_to_do() {
    let world = World::with_events();
    world.run_all();
    assert!(world.planned().is_empty());
    let (code, stdout, _) = world.jobs(&["plan"]);
    assert_eq!((code, stdout.as_str()), (0, "nothing to do\n"));
}

#[test]
fn new_events_touch_their_windows_and_those_that_read_them() {
    let world = World::with_events();
    world.run_all();
    world.events(&[("v9", "bob", 9, "2026-11-02T09:00:00Z")]);
    let expected = [
        ("silver.visits", "2026-11-02"),
        ("gold.user_daily", "2026-11-02"),
        ("gold.user_3d", "2026-11-02"),
        ("gold.user_3d", "2026-11-03"),
    ];
    assert_eq!(world.planned(), windows(&expected));
    let summary = world.ok(&["run", "gold.*", "silver.*", "--planned"]);
    assert_eq!(summary["partitions"], 4);
    assert!(world.planned().is_empty());
    assert_eq!(
        world.content("gold.user_daily")["2026-11-02"],
        ["ann 1 3 Ann", "bob 1 9 Bob"]
    );
}

#[test]
fn an_event_in_the_margin_touches_both_days() {
    let world = World::with_events();
    world.run_all();
    // Two hours of margin: 22:00 is read by the next day, 21:59 is not.
    world.events(&[("v9", "bob", 9, "2026-11-01T21:59:59Z")]);
    let silver = |world: &World| {
        let planned = world
            .planned()
            .into_iter()
            .filter(|(model, _)| model == "silver.visits");
        planned.map(|(_, date)| date).collect::<Vec<_>>()
    };
    assert_eq!(silver(&world), ["2026-11-01"]);
    world.ok(&["run", "silver.*", "--planned"]);
    assert!(silver(&world).is_empty());
    world.events(&[("v9", "bob", 9, "2026-11-01T22:00:00Z")]);
    assert_eq!(silver(&world), ["2026-11-01", "2026-11-02"]);
    world.ok(&["run", "silver.*", "--planned"]);
    world.events(&[("v9", "bob", 9, "2026-11-03T01:59:59Z")]);
    assert_eq!(silver(&world), ["2026-11-02", "2026-11-03"]);
    world.ok(&["run", "silver.*", "--planned"]);
    world.events(&[("v9", "bob", 9, "2026-11-03T02:00:00Z")]);
    assert_eq!(silver(&world), ["2026-11-03"]);
}

#[test]
fn a_changed_model_or_seed_is_planned_with_its_readers() {
    let world = World::with_events();
    world.run_all();
    world.put(
        "demo/seeds/people.csv",
        "user_id,name\nann,Ann\nbob,Robert\n",
    );
    let models: Vec<String> = world
        .planned()
        .into_iter()
        .map(|(model, _)| model)
        .collect();
    assert_eq!(
        models,
        [
            "gold.user_daily",
            "gold.user_daily",
            "gold.user_daily",
            "gold.user_3d",
            "gold.user_3d",
            "gold.user_3d"
        ]
    );
    world.run_all();
    world.edit("demo/gold/user_3d.sql", "sum(visits)", "sum(visits + 0)");
    assert_eq!(world.planned().len(), 3);
}

#[test]
fn a_selection_and_a_range_narrow_the_plan() {
    let world = World::with_events();
    let plan = world.ok(&["plan", "+gold.user_daily", "--date", "2026-11-02"]);
    let lines = plan["windows"].as_array().unwrap();
    assert_eq!(lines.len(), 2);
    assert_eq!(
        (&lines[0]["model"], &lines[0]["window"]),
        (&"silver.visits".into(), &"2026-11-02".into())
    );
    assert_eq!(lines[0]["reason"], "never run");
}
