//! A wrong expectation fails: every value that the shipped cases expect is changed, and each change must be found.

use clap::Parser;
use userflow_models::cases::{Case, Doing, Expected, Rows, Subject};

use super::bench::Bench;
use super::failure::Difference;
use super::play::play;
use super::run::benches;
use crate::cli::Cli;

/// Another value of the same kind.
fn other(value: &Expected) -> Expected {
    match value {
        Expected::Null => Expected::Text("something".into()),
        Expected::Boolean(truth) => Expected::Boolean(!truth),
        Expected::Number(text) => Expected::Number(format!("1{text}")),
        Expected::Text(text) => Expected::Text(format!("{text}1")),
        Expected::List(texts) => Expected::List(texts.iter().rev().cloned().collect()),
    }
}

/// The columns that tell rows apart: another value there means another row.
fn key(bench: &Bench, name: &str) -> Vec<String> {
    let view = bench.views.iter().find(|view| view.name == name);
    let mut key = vec![userflow_models::contract::PARTITION.to_owned()];
    key.extend(bench.domain.contract.event_id().map(str::to_owned));
    match view {
        Some(view) => key.extend(view.key().into_iter().map(str::to_owned)),
        None => {
            let model = bench.project.model(name).map(|model| model.key());
            key.extend(model.into_iter().flatten().map(str::to_owned));
        }
    }
    key
}

/// Changes every cell that is in no key, and says how many changed.
fn spoil(bench: &Bench, case: &mut Case) -> usize {
    let mut spoiled = 0;
    for step in &mut case.steps {
        let Doing::Expect(all) = &mut step.doing else {
            continue;
        };
        for expectation in all {
            let Subject::Rows { name, .. } = &expectation.subject else {
                continue;
            };
            let key = key(bench, name);
            let rows = match &mut expectation.rows {
                Rows::One(row) => std::slice::from_mut(row),
                Rows::All(rows) => rows.as_mut_slice(),
            };
            let cells = rows.iter_mut().flat_map(|row| &mut row.cells);
            for (_, value) in cells.filter(|(column, _)| !key.contains(column)) {
                *value = other(value);
                spoiled += 1;
            }
        }
    }
    spoiled
}

#[test]
fn every_wrong_value_is_found() {
    let models = concat!(env!("CARGO_MANIFEST_DIR"), "/../models");
    let cli = Cli::parse_from(["userflow-jobs", "test", "--models", models]);
    let runtime = cli.common.start_runtime().unwrap();
    let mut spoiled = 0;
    for bench in benches(&cli.common, &[]).unwrap() {
        for case in &bench.cases {
            let mut case = case.clone();
            let wanted = spoil(&bench, &mut case);
            let failures = runtime.block_on(play(&bench, &case)).unwrap();
            let found = failures.iter().map(|failure| match &failure.difference {
                Difference::Cells { cells, .. } => cells.len(),
                _ => 0,
            });
            assert_eq!(found.sum::<usize>(), wanted, "{}: {failures:#?}", case.name);
            spoiled += wanted;
        }
    }
    assert!(spoiled > 150, "{spoiled} values were changed");
}
