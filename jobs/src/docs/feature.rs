//! Feature views in words: what a window holds, what a feature is.

use userflow_models::contract::Contract;
use userflow_models::features::{
    Absence, Aggregation, Feature, FeatureView, Ties, ValueType, Window,
};

use super::condition::{case, column_name, feature_name, predicate};
use super::text::span;

/// The columns that readers see: name, PostgreSQL's type, meaning.
pub(super) fn columns(
    view: &FeatureView,
    contract: &Contract,
) -> Vec<(String, &'static str, String)> {
    let mut columns = Vec::new();
    for name in &view.entity {
        let field = contract
            .columns()
            .iter()
            .find(|column| column.name == *name);
        let meaning = field.map_or("", |column| &column.description);
        let meaning = if meaning.is_empty() {
            "the entity"
        } else {
            meaning
        };
        columns.push((name.clone(), "text", meaning.to_owned()));
    }
    if let Some(start) = view.start() {
        let meaning = "when the session began: of the key as well";
        columns.push((start.to_owned(), "timestamptz", meaning.to_owned()));
    }
    for feature in view.features.iter().filter(|feature| !feature.hidden) {
        columns.push((
            feature.name.clone(),
            feature.value_type.sql(),
            meaning(feature, view, contract),
        ));
    }
    let mut add = |name: &str, data_type, meaning: &str| {
        columns.push((name.to_owned(), data_type, meaning.to_owned()));
    };
    if view.is_session() {
        add(
            "is_final",
            "boolean",
            "the session has ended; until then the row changes with every event",
        );
    }
    if view.has_window_end() {
        add(
            "window_end",
            "timestamptz",
            "end of the window that the row shows, not included",
        );
    }
    add("event_time", "timestamptz", "time of the newest event used");
    add(
        "version",
        "bigint",
        "Kafka offset of the newest message that the row reflects; it only grows",
    );
    add("updated_at", "timestamptz", "when the row was written");
    columns
}

/// Which events a row is made of.
pub(super) fn window(view: &FeatureView, contract: &Contract) -> String {
    match &view.window {
        Window::Session { gap, ends, .. } => {
            let silence = format!("a session: ends after {} without an event", span(*gap));
            let Some(ending) = ends else { return silence };
            let (on, state) = (
                predicate(&ending.on, contract),
                feature_name(view, ending.state),
            );
            format!(
                "{silence}, or on an event where {on} once `{state}` is {}",
                ending.values.join(" or ")
            )
        }
        Window::Sessions { gap, .. } => format!(
            "sessions one after another, each until {} without an event",
            span(*gap)
        ),
        Window::Sliding { size, every } if size == every => format!("every {}", span(*size)),
        Window::Sliding { size, every } => {
            format!("the last {}, moving every {}", span(*size), span(*every))
        }
        Window::Exact { size, .. } => format!("the last {}, moving with every event", span(*size)),
        Window::Last { events } => format!("the newest {events} events"),
        Window::Lifetime => "all events ever".to_owned(),
    }
}

/// What a feature is.
fn meaning(feature: &Feature, view: &FeatureView, contract: &Contract) -> String {
    let column = |index: &usize| format!("`{}`", column_name(contract, *index));
    let other = |index: &usize| format!("`{}`", feature_name(view, *index));
    let mut text = match &feature.aggregation {
        Aggregation::Count => "number of events".to_owned(),
        Aggregation::Seen => "whether there was an event".to_owned(),
        Aggregation::Sum { column: of, .. } => format!("sum of {}", column(of)),
        Aggregation::Avg { column: of, .. } => format!("mean of {}", column(of)),
        Aggregation::Min(of) => format!("smallest {}", column(of)),
        Aggregation::Max(of) => format!("largest {}", column(of)),
        Aggregation::First(of) => format!("{} of the earliest event that has one", column(of)),
        Aggregation::Last(of) => format!("{} of the latest event that has one", column(of)),
        Aggregation::LastN { column: of, n } => {
            format!("the newest {n} different {}, newest last", column(of))
        }
        Aggregation::DistinctCount { columns, exact } => {
            let names: Vec<String> = columns.iter().map(column).collect();
            format!(
                "number of different {}, exact up to {exact}, then estimated",
                names.join(", ")
            )
        }
        Aggregation::TopK {
            column: of,
            k,
            ties,
        } => {
            let ties = match ties {
                Ties::Smaller => "",
                Ties::Latest => "; of equally frequent ones the latest first",
            };
            match feature.value_type {
                ValueType::Text => format!("the most frequent {}{ties}", column(of)),
                _ => format!(
                    "the {k} most frequent {}, most frequent first{ties}",
                    column(of)
                ),
            }
        }
        Aggregation::Ratio(of, by) => {
            format!("{} / {}; 0 when the latter is 0", other(of), other(by))
        }
        Aggregation::Elapsed(from, to) => {
            format!("seconds from {} to {}", other(from), other(to))
        }
        Aggregation::Streak { until } => format!(
            "number of events since the newest one where {}",
            predicate(until, contract)
        ),
        Aggregation::Case(cases) => {
            let cases: Vec<String> = cases.iter().map(|each| case(each, view)).collect();
            format!("the first that applies: {}", cases.join(", "))
        }
        Aggregation::Absence(Absence {
            without, within, ..
        }) => format!(
            "whether nothing with {} came at the time of an event or within {} after it",
            predicate(without, contract),
            span(*within)
        ),
        Aggregation::Run(run) => {
            let mut text = format!(
                "whether {} events one after the other with the same {} were followed, within {}, by {} with {}",
                run.times,
                column(&run.same),
                span(run.within),
                run.then_times,
                predicate(&run.then, contract)
            );
            if let Some(among) = &run.among {
                text += &format!(" and different {} of the former", column(among));
            }
            if let Some(until) = &run.until {
                text += &format!(", until {}", predicate(until, contract));
            }
            text
        }
        Aggregation::Appeared(of) => format!("when {} appeared", other(of)),
        Aggregation::Detail(of) => match &view.features[*of].aggregation {
            Aggregation::Absence(Absence {
                detail: Some(detail),
                ..
            }) => format!(
                "{} of the oldest event that made {} appear",
                column(detail),
                other(of)
            ),
            Aggregation::Run(run) => {
                format!(
                    "{} of the run that made {} appear",
                    column(&run.same),
                    other(of)
                )
            }
            other => unreachable!("{other:?} has no detail: the reader refuses that"),
        },
        Aggregation::Coalesce(of) => {
            let others: Vec<String> = of.iter().map(other).collect();
            format!("the first of {} that has a value", others.join(", "))
        }
    };
    if let Some(when) = &feature.when {
        text += &format!(" where {}", predicate(when, contract));
    }
    if let Some(decimals) = feature.round {
        text += &format!("; rounded to {decimals} decimals");
    }
    if let Some(default) = &feature.default {
        text += &format!("; {default} when there is none");
    }
    text
}
