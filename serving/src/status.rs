//! What people see of serving on its status page.

use userflow_process::metrics::{counts, values};
use userflow_process::status::{Cell, Column, Counter, Status, Table};

use crate::http::App;

/// What the process is doing now.
pub(crate) fn status(app: &App) -> Status {
    let requests = counts(&app.metrics.requests, &["service", "status"]);
    let failures = counts(&app.metrics.read_failures, &["store"]);
    let away = values(&app.metrics.store_away, "store");
    let redis = match (&app.stores.redis, away.get("redis")) {
        (None, _) => "not used".to_owned(),
        (Some(redis), Some(1)) => format!("{}: away, PostgreSQL answers for it", redis.place()),
        (Some(redis), _) => redis.place(),
    };
    let names = |count: usize, what: &str| format!("{count} {what}");
    let total = requests.values().sum();
    let sent = counts(&app.metrics.values, &["view", "status"]);
    Status {
        name: "serving".to_owned(),
        facts: vec![
            ("online store", app.stores.postgres.place()),
            ("cache", redis),
            (
                "feature services",
                names(app.catalogue.services.len(), "services"),
            ),
            ("feature views", names(app.catalogue.views.len(), "views")),
            ("connections", app.metrics.connections.get().to_string()),
        ],
        counters: vec![
            Counter {
                name: "requests",
                total,
            },
            Counter {
                name: "values sent",
                total: sent.values().sum(),
            },
            Counter {
                name: "failed reads",
                total: failures.values().sum(),
            },
        ],
        tables: vec![
            table(
                "Requests",
                ["service", "status", "requests"],
                requests,
                "Requests for features, by feature service and HTTP status.",
            ),
            table(
                "Values",
                ["view", "status", "values"],
                sent,
                "Values sent, by view and what they were.",
            ),
        ],
    }
}

fn table(
    title: &'static str,
    columns: [&'static str; 3],
    rows: std::collections::BTreeMap<Vec<String>, u64>,
    about: &str,
) -> Table {
    let cells = rows.into_iter().map(|(labels, count)| {
        let labels = labels.into_iter().map(Cell::Text);
        let count = Cell::Count(i64::try_from(count).unwrap_or(i64::MAX));
        labels.chain([count]).collect()
    });
    Table {
        title,
        about: about.to_owned(),
        columns: columns
            .into_iter()
            .map(|name| Column { name, about: "" })
            .collect(),
        rows: cells.collect(),
        empty: "none yet",
    }
}
