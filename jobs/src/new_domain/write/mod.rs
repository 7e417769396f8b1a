//! The files of a new domain, as texts. Nothing here touches the disk, and nothing is guessed.

mod cases;
mod contract;
mod counts;
mod gold;
mod next;
mod readme;
mod silver;
mod simulation;
mod views;

use std::path::PathBuf;

pub(crate) use next::{Next, Origin};
pub(crate) use readme::{commands, roles};

use crate::new_domain::guess::Guesses;

/// A file below the folder of the domain.
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// Every file.
pub(crate) fn files(guesses: &Guesses, next: Next<'_>) -> Vec<File> {
    let domain = &guesses.domain;
    let mut files = vec![
        file("README.md", readme::readme(guesses, next)),
        file("contract.json", contract::contract(guesses)),
    ];
    for (name, text) in views::views(guesses) {
        files.push(file(&format!("features/{name}.yml"), text));
    }
    files.push(file("silver/_sources.yml", silver::sources(guesses)));
    files.push(file(
        &format!("silver/{domain}_events.sql"),
        silver::silver_sql(guesses),
    ));
    files.push(file(
        &format!("silver/{domain}_events.yml"),
        silver::silver_yml(guesses),
    ));
    files.push(file(
        &format!("gold/{domain}_user_daily.sql"),
        gold::gold_sql(guesses),
    ));
    files.push(file(
        &format!("gold/{domain}_user_daily.yml"),
        gold::gold_yml(guesses),
    ));
    files.push(file("simulation.yml", simulation::simulation(guesses)));
    files.push(file("tests/first.yml", cases::cases(guesses, next.date)));
    files
}

fn file(path: &str, text: String) -> File {
    File {
        path: PathBuf::from(path),
        text,
    }
}
