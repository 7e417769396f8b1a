//! `check --skew`: the online store against the batch tables of one date, for every view with a `batch:` block.
//!
//! Rows meet by their entity. What the batch partition has and the online store does not is missing; what began on the date online
//! and is not in the partition is extra; what is not final online is open and not compared, because it can still change.

use std::collections::HashSet;

use anyhow::Result;
use futures::TryStreamExt;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use userflow_models::ConfigError;
use userflow_models::features::{self, Batch, FeatureView};
use userflow_models::project::{Window, WindowRange};
use userflow_process::exit::{Stopped, WrongSetup};

use super::args::CheckArgs;
use super::batch::{BatchTable, Key};
use super::online::OnlineTable;
use super::tally::Tally;
use crate::config::Output;
use crate::online::Registered;
use crate::postgres::{connect, explained};
use crate::workspace::Workspace;
use crate::{online, print};

/// Both sides are read as of one moment: the online store's rows change all the time.
const ONE_MOMENT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// Compares, prints, and ends well only if nothing was found.
pub(super) async fn run(workspace: &Workspace, args: &CheckArgs) -> Result<()> {
    let missing = |flag: &str| WrongSetup(format!("--skew needs {flag}"));
    let date = args
        .window
        .date
        .as_deref()
        .ok_or_else(|| missing("the date: --date 2026-11-01"))?;
    let url = args.ops.postgres_url.as_ref().ok_or_else(|| {
        missing("the online store: --postgres-url (USERFLOW_POSTGRES_URL) postgres://user:password@host:5432/database")
    })?;
    let window = WindowRange::date(date)?.windows().next();
    let window = window.ok_or_else(|| ConfigError::Window(format!("`{date}` is no date")))?;

    let mut connection = connect(url).await?;
    let mut transaction = connection.begin_with(ONE_MOMENT).await.map_err(explained)?;
    let registered = online::registered(&mut transaction).await?;
    let mut tallies = Vec::new();
    for domain in workspace.domains.chosen(args.domain.as_deref())? {
        for view in features::load(domain)? {
            let Some(batch) = &view.batch else { continue };
            made_from(&view, registered.get(&view.name))?;
            let file = domain
                .dir
                .join("features")
                .join(format!("{}.yml", view.name));
            let table = BatchTable::open(workspace, &view, batch, file).await?;
            tallies.push(compare(workspace, &mut transaction, &view, batch, &table, window).await?);
        }
    }
    if tallies.is_empty() {
        let domain = args.domain.as_deref().unwrap_or("any domain");
        let message =
            format!("no feature view of {domain} has a `batch` block: there is nothing to compare");
        return Err(WrongSetup(message).into());
    }
    print(workspace.output, window, &tallies)
}

/// A table made from another definition has values of another meaning.
fn made_from(view: &FeatureView, registered: Option<&Registered>) -> Result<()> {
    let name = &view.name;
    let message = match registered {
        Some(registered) if view.recognises(&registered.fingerprint) => return Ok(()),
        Some(_) => format!(
            "feature view {name} changed since its table was made: run `userflow-jobs init --recreate {name}`"
        ),
        None => format!(
            "the online store has no feature view {name}: run `userflow-jobs init --postgres-url URL`"
        ),
    };
    Err(WrongSetup(message).into())
}

async fn compare(
    workspace: &Workspace,
    connection: &mut PgConnection,
    view: &FeatureView,
    batch: &Batch,
    table: &BatchTable<'_>,
    window: Window,
) -> Result<Tally> {
    let pairs = table.pairs()?;
    let live = OnlineTable::new(view, &pairs);
    let mut tally = Tally::new(&view.name, &batch.table, table.version(), &pairs);
    let mut keys = HashSet::new();
    let mut stream = table.rows(workspace, &pairs, window).await?;
    while let Some(rows) = stream.try_next().await? {
        let rows = table.decode(&rows)?;
        let found = live
            .of_keys(connection, rows.iter().map(|(key, _)| key))
            .await?;
        for (key, values) in rows {
            tally.rows += 1;
            match found.get(&key) {
                None => tally.missing(&key),
                Some(live) if !live.is_final => tally.open(&key),
                Some(live) => tally.compare(&key, &values, &live.values),
            }
            keys.insert(key);
        }
    }
    if tally.rows == 0 {
        let name = &batch.table;
        let message = format!(
            "{name} has no rows of {window} to compare: run `userflow-jobs run {name} --date {window}` first"
        );
        return Err(WrongSetup(message).into());
    }
    if let Some(start) = live.start() {
        tally.extra = Some(0);
        let seen = |key: Key, is_final| match (keys.contains(&key), is_final) {
            (true, _) => {}
            (false, true) => tally.extra(&key),
            (false, false) => tally.open(&key),
        };
        live.of_day(connection, start, window, seen).await?;
    }
    Ok(tally)
}

fn print(output: Output, window: Window, tallies: &[Tally]) -> Result<()> {
    let sum = |count: fn(&Tally) -> u64| tallies.iter().map(count).sum::<u64>();
    let differing = sum(|tally| tally.differing);
    let missing = sum(|tally| tally.missing);
    let extra = sum(|tally| tally.extra.unwrap_or(0));
    let open = sum(|tally| tally.open);
    let found = sum(Tally::found);
    match output {
        Output::Json => print::json(&json!({
            "command": "check",
            "check": "skew",
            "date": window.to_string(),
            "passed": found == 0,
            "rows": sum(|tally| tally.rows),
            "matching": sum(|tally| tally.matching),
            "differing": differing,
            "missing": missing,
            "extra": extra,
            "open": open,
            "views": tallies,
        }))?,
        Output::Text | Output::Csv => {
            let texts: Vec<String> = tallies.iter().map(Tally::to_text).collect();
            let verdict = match found {
                0 => "no skew: stream and batch say the same".to_owned(),
                _ => "skew (an event that came after the stream had let go of its entity is in the batch table only, and shows here as well)"
                    .to_owned(),
            };
            print::text(&format!("{}\n{window}: {verdict}", texts.join("\n\n")))?;
        }
    }
    if found == 0 {
        return Ok(());
    }
    let message = format!(
        "skew on {window}: rows that differ: {differing}, missing online: {missing}, extra online: {extra}, still open online: {open}"
    );
    Err(Stopped(message).into())
}
