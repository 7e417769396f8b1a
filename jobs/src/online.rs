//! The online store's side of `init`: makes the tables and SQL views of the feature views, and never changes one that is there
//! without being told to.
//!
//! `online._views` remembers from which definition each was made. A view whose meaning changed is refused: its rows hold values
//! of the old meaning. Not here: the statements (`userflow_models::features::online`), the rows (the sessionizer).

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde::Serialize;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use userflow_models::features::{FeatureView, online};
use userflow_process::exit::WrongSetup;
use userflow_process::postgres::PostgresUrl;

use crate::postgres::{connect, explained};

/// Key of the advisory lock that makes one `init` wait for another: `userflow` in ASCII.
pub const LOCK: i64 = 0x7573_6572_666c_6f77;
/// Longest wait for that lock, and for readers of a table that is dropped, because whoever comes after us waits as well; and no
/// notice that something exists already, which is what SUPPORT expects.
const SETTINGS: &str = "SET LOCAL lock_timeout = '30s'; SET LOCAL client_min_messages = warning";

/// What `online._views` says about a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Of the definition that its table was made from.
    pub fingerprint: String,
    /// The table's columns, each `name type`.
    pub columns: Vec<String>,
}

/// What is done with the table of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It was not there.
    Created,
    /// It was dropped with its rows and made again.
    Recreated,
    /// Its table was there; the SQL view over it was not, or not as it should be, and was made again.
    Repaired,
    /// It was there.
    Unchanged,
}

impl Action {
    /// The word for people, the same as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Recreated => "recreated",
            Self::Repaired => "repaired",
            Self::Unchanged => "unchanged",
        }
    }
}

/// What was done, or in a dry run would be.
#[derive(Clone, Debug, Serialize)]
pub struct Done {
    /// Name and action of every view.
    pub views: Vec<Line>,
    /// Tables of views that no file describes any more. They are left as they are.
    pub without_file: Vec<String>,
}

/// One view.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// Its name.
    pub view: String,
    /// What was done.
    pub action: Action,
}

/// What `init` is asked to do.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// The views that should be there.
    pub views: &'a [FeatureView],
    /// Names of those to drop and make again.
    pub recreate: &'a [String],
    /// Whether `views` are all that there are, so that a table of another name has lost its file.
    pub all: bool,
    /// Change nothing.
    pub dry_run: bool,
}

impl Task<'_> {
    /// Does it in one transaction: all views or none.
    pub async fn run(&self, url: &PostgresUrl) -> Result<Done> {
        let known = |name: &String| self.views.iter().any(|view| view.name == *name);
        if let Some(unknown) = self.recreate.iter().find(|name| !known(name)) {
            let names: Vec<&str> = self.views.iter().map(|view| view.name.as_str()).collect();
            let names = names.join(", ");
            return Err(WrongSetup(format!(
                "--recreate {unknown}: there is no such feature view, but {names}"
            ))
            .into());
        }
        let mut connection = connect(url).await?;
        let mut transaction = connection.begin().await.map_err(explained)?;
        if !self.dry_run {
            execute(&mut transaction, SETTINGS).await?;
            execute(
                &mut transaction,
                &format!("SELECT pg_advisory_xact_lock({LOCK})"),
            )
            .await
            .context("wait for another `userflow-jobs init` to end")?;
            for statement in online::SUPPORT {
                execute(&mut transaction, statement).await?;
            }
        }
        let registered = registered(&mut transaction).await?;
        let lines = self.decide(&mut transaction, &registered).await?;
        if !self.dry_run {
            for (view, line) in self.views.iter().zip(&lines) {
                make(&mut transaction, view, line.action).await?;
            }
        }
        // A dry run has nothing to commit.
        transaction.commit().await.map_err(explained)?;
        let names: BTreeSet<&str> = self.views.iter().map(|view| view.name.as_str()).collect();
        let lost = |name: &&String| self.all && !names.contains(name.as_str());
        Ok(Done {
            views: lines,
            without_file: registered.keys().filter(lost).cloned().collect(),
        })
    }

    /// What to do with each view. The refusals of all views are one message.
    async fn decide(
        &self,
        connection: &mut PgConnection,
        registered: &BTreeMap<String, Registered>,
    ) -> Result<Vec<Line>> {
        let mut lines = Vec::new();
        let mut refusals = Vec::new();
        let found = shape(connection).await?;
        for view in self.views {
            let name = &view.name;
            let action = if self.recreate.contains(name) {
                match registered.contains_key(name) || kind(connection, name).await?.is_some() {
                    true => Action::Recreated,
                    false => Action::Created,
                }
            } else if let Some(known) = registered.get(name) {
                let differences = online::differences(view, &found);
                if !view.recognises(&known.fingerprint) {
                    refusals.push(changed(view, &known.columns, &online::key_of(view, &found)));
                } else if !differences.is_empty() {
                    refusals.push(online::changed_by_hand(view, &differences));
                }
                match online::view_differs(view, &found) {
                    Some(_) => Action::Repaired,
                    None => Action::Unchanged,
                }
            } else {
                if kind(connection, name).await?.is_some() {
                    refusals.push(format!(
                        "{schema}.{name} exists, but {schema}._views does not say from which definition it was made: rename it, or let \
                         `userflow-jobs init --recreate {name}` drop it with its rows",
                        schema = online::SCHEMA
                    ));
                }
                Action::Created
            };
            let view = name.clone();
            lines.push(Line { view, action });
        }
        if refusals.is_empty() {
            Ok(lines)
        } else {
            Err(WrongSetup(refusals.join("\n")).into())
        }
    }
}

/// Says how a view differs from its table, and what to do.
fn changed(view: &FeatureView, stored: &[String], key: &[&str]) -> String {
    let wanted = columns(view);
    let only_in = |these: &[String], those: &[String]| {
        let names: Vec<&str> = (these.iter())
            .filter(|column| !those.contains(column))
            .map(String::as_str)
            .collect();
        names.join(", ")
    };
    let (added, removed) = (only_in(&wanted, stored), only_in(stored, &wanted));
    let difference = match (added.is_empty(), removed.is_empty()) {
        (true, true) => {
            "the same columns, but a window, a filter or an aggregation changed".to_owned()
        }
        (false, true) => format!("added columns: {added}"),
        (true, false) => format!("removed columns: {removed}"),
        (false, false) => format!("added columns: {added}; removed columns: {removed}"),
    };
    let name = &view.name;
    let key: Vec<&str> = (key.iter().copied())
        .filter(|column| *column != "_partition")
        .collect();
    let entity = match key.iter().eq(&view.entity) {
        true => String::new(),
        false => format!(
            "its rows were one per ({}) and are one per ({}); ",
            key.join(", "),
            view.entity.join(", ")
        ),
    };
    format!(
        "feature view {name} changed since {}.{name} was made ({entity}{difference}): take the change back, or run \
         `userflow-jobs init --recreate {name}`, which drops the online rows of that view; the sessionizer fills it again, \
         from the start of the topic as far as that still has its events",
        online::SCHEMA
    )
}

/// The columns of a view's table as `online._views` keeps them.
fn columns(view: &FeatureView) -> Vec<String> {
    let columns = online::stored(view).into_iter();
    columns
        .map(|column| format!("{} {}", column.name, online::sql_type(&column)))
        .collect()
}

async fn make(connection: &mut PgConnection, view: &FeatureView, action: Action) -> Result<()> {
    match action {
        Action::Unchanged => return rename_fingerprint(connection, view).await,
        Action::Repaired => {
            // The table stays; of what makes both, the first statement makes the table.
            execute(
                connection,
                &format!("DROP VIEW IF EXISTS {}.{}", online::SCHEMA, view.name),
            )
            .await?;
            for statement in online::create(view).iter().skip(1) {
                execute(connection, statement).await?;
            }
            return rename_fingerprint(connection, view).await;
        }
        Action::Created | Action::Recreated => {}
    }
    if action == Action::Recreated {
        // The form that is there goes first; of the other there can be leftovers, and its statements no longer meet the name.
        let local = kind(connection, &view.name).await?.as_deref() == Some("r");
        for local in [local, !local] {
            for statement in online::remove(&view.name, local) {
                execute(connection, &statement).await?;
            }
        }
    }
    for statement in online::create(view) {
        execute(connection, &statement).await?;
    }
    sqlx::query(
        "INSERT INTO online._views (name, fingerprint, columns) VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE \
         SET fingerprint = excluded.fingerprint, columns = excluded.columns, created_at = clock_timestamp()",
    )
    .persistent(false)
    .bind(&view.name)
    .bind(&view.fingerprint)
    .bind(columns(view))
    .execute(connection)
    .await
    .map_err(explained)
    .with_context(|| format!("register {}", view.name))?;
    Ok(())
}

/// A table that an earlier release made keeps its rows and gets today's name for its definition.
async fn rename_fingerprint(connection: &mut PgConnection, view: &FeatureView) -> Result<()> {
    sqlx::query("UPDATE online._views SET fingerprint = $2 WHERE name = $1 AND fingerprint = $3")
        .bind(&view.name)
        .bind(&view.fingerprint)
        .bind(&view.former_fingerprint)
        .execute(connection)
        .await
        .map_err(explained)
        .with_context(|| format!("register {}", view.name))?;
    Ok(())
}

/// What was made so far, by name; nothing when `init` never ran.
pub async fn registered(connection: &mut PgConnection) -> Result<BTreeMap<String, Registered>> {
    if kind(connection, "_views").await?.is_none() {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<(String, String, Vec<String>)> =
        sqlx::query_as("SELECT name, fingerprint, columns FROM online._views")
            .persistent(false)
            .fetch_all(connection)
            .await
            .map_err(explained)
            .context("read online._views")?;
    let entry = |(name, fingerprint, columns)| {
        let registered = Registered {
            fingerprint,
            columns,
        };
        (name, registered)
    };
    Ok(rows.into_iter().map(entry).collect())
}

/// What is there, column by column.
async fn shape(connection: &mut PgConnection) -> Result<Vec<online::Found>> {
    let rows: Vec<(String, String, String, bool, bool, Option<i32>)> =
        sqlx::query_as(online::SHAPE)
            .persistent(false)
            .fetch_all(connection)
            .await
            .map_err(explained)
            .context("look at the tables of the online store")?;
    Ok(rows.into_iter().map(online::Found::from).collect())
}

/// What a name of the schema stands for: `r` a table, `v` a view; none: nothing.
async fn kind(connection: &mut PgConnection, name: &str) -> Result<Option<String>> {
    sqlx::query_scalar(
        "SELECT relkind::text FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = $1 AND relname = $2",
    )
    .persistent(false)
    .bind(online::SCHEMA)
    .bind(name)
    .fetch_optional(connection)
    .await
    .map_err(explained)
    .with_context(|| format!("look for {}.{name}", online::SCHEMA))
}

/// Runs a statement of our own making.
async fn execute(connection: &mut PgConnection, statement: &str) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(connection)
        .await
        .map_err(explained)
        .with_context(|| format!("run {:?}", statement.lines().next().unwrap_or_default()))?;
    Ok(())
}
