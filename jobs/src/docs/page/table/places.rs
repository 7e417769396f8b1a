//! Where the rows of an entry can be read, ready to be copied.

use serde::Serialize;
use userflow_models::project::PARTITION_COLUMN;

use crate::docs::catalogue::{Entry, Home};
use crate::docs::page::names::short;
use crate::docs::state::State;
use crate::docs::text;

/// Where it can be read.
#[derive(Serialize)]
pub(super) struct Place {
    label: &'static str,
    text: String,
}

/// All of them.
pub(super) fn places(entry: &Entry, state: Option<&State>) -> Vec<Place> {
    let place = |label, text| Place { label, text };
    let name = &entry.name;
    match (entry.home, state) {
        (Home::Lake, Some(State { location, newest })) => {
            let dates = newest
                .as_ref()
                .and_then(|newest| newest.days.keys().next_back());
            let of = dates.map_or_else(String::new, |last| {
                format!(" where {PARTITION_COLUMN} = date '{}'", text::date(*last))
            });
            vec![
                place("SQL name", name.clone()),
                place("Trino", format!("select * from delta.{name}{of} limit 20")),
                place(
                    "Terminal",
                    format!(
                        "userflow-jobs show {name} --limit 20 --lake {}",
                        lake_of(location, name)
                    ),
                ),
                place(
                    "DuckDB",
                    format!(
                        "select * from delta_scan('{}'){of} limit 20",
                        location.replace('\'', "''")
                    ),
                ),
                place("Delta folder", location.clone()),
            ]
        }
        (Home::Seed, _) => {
            let seed = short(name);
            vec![
                place(
                    "In a model",
                    format!("select * from {{{{ ref('{seed}') }}}}"),
                ),
                place("File", entry.file.clone()),
            ]
        }
        (Home::Service, _) => {
            let entities = entry.grain.iter().map(|key| format!("\"{key}\": [\"…\"]"));
            let entities: Vec<String> = entities.collect();
            let ask = format!(
                "curl -s http://127.0.0.1:6566/get-online-features -d '{{\"feature_service\": \"{}\", \"entities\": {{{}}}}}'",
                short(name),
                entities.join(", ")
            );
            vec![place("Terminal", ask), place("File", entry.file.clone())]
        }
        _ => {
            let keys: Vec<String> = entry
                .grain
                .iter()
                .map(|key| format!("\"{key}\" = '…'"))
                .collect();
            vec![
                place("PostgreSQL name", name.clone()),
                place(
                    "By key",
                    format!("select * from {name} where {}", keys.join(" and ")),
                ),
            ]
        }
    }
}

/// The lake's root: the table's folder without `layer/table`.
fn lake_of<'a>(location: &'a str, name: &str) -> &'a str {
    let below = name.replace('.', "/");
    location
        .strip_suffix(below.as_str())
        .map_or(location, |root| root.trim_end_matches('/'))
}
