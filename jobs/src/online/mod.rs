//! The online store's side of `init`: makes the tables of the entities and the SQL views of the feature views, and never changes one that
//! is there without being told to.
//!
//! `online._views` remembers from which definition each was made. A view whose meaning changed is refused: its rows hold values
//! of the old meaning. Not here: the statements (`userflow_models::features::online`), the rows (the sessionizer).
//!
//! * here: what is decided for each view, and the refusals. `action`: what can be decided. `store`: what is there. `make`: what was
//!   decided is done. `batch`: the same for the views that `publish` fills.

mod action;
mod batch;
mod make;
mod store;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde::Serialize;
use sqlx::{Connection, PgConnection};
use userflow_models::features::{FeatureView, online};
use userflow_models::publish::{self, BatchView};
use userflow_process::exit::WrongSetup;
use userflow_process::postgres::PostgresUrl;

pub use action::Action;
pub use store::{Registered, registered};
use store::{columns, execute, kind, shape};

use crate::postgres::{connect, explained};

/// Key of the advisory lock that makes one `init` wait for another: `userflow` in ASCII.
pub const LOCK: i64 = 0x7573_6572_666c_6f77;
/// Longest wait for that lock, and for readers of a table that is dropped, because whoever comes after us waits as well; and no
/// notice that something exists already, which is what SUPPORT expects.
const SETTINGS: &str = "SET LOCAL lock_timeout = '30s'; SET LOCAL client_min_messages = warning";

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
    /// The views of tables that should be there.
    pub batch: &'a [BatchView],
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
        let names = || {
            let batch = self.batch.iter().map(|view| view.name.as_str());
            (self.views.iter().map(|view| view.name.as_str())).chain(batch)
        };
        let known = |name: &String| names().any(|known| known == name);
        if let Some(unknown) = self.recreate.iter().find(|name| !known(name)) {
            let names: Vec<&str> = names().collect();
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
            for statement in online::SUPPORT.iter().chain(publish::sql::SUPPORT) {
                execute(&mut transaction, statement).await?;
            }
        }
        let registered = registered(&mut transaction).await?;
        let published = batch::published(&mut transaction).await?;
        let lines = self.decide(&mut transaction, &registered).await?;
        let of_batch = self.decide_batch(&mut transaction, &published).await?;
        if !self.dry_run {
            let actions = lines.iter().map(|line| line.action);
            let decided: Vec<_> = self.views.iter().zip(actions).collect();
            make::make(&mut transaction, &decided, &registered).await?;
            for (view, line) in self.batch.iter().zip(&of_batch) {
                batch::make(&mut transaction, view, line.action).await?;
            }
        }
        // A dry run has nothing to commit.
        transaction.commit().await.map_err(explained)?;
        let names: BTreeSet<&str> = names().collect();
        let lost = |name: &&String| self.all && !names.contains(name.as_str());
        let registered = registered.keys().chain(published.keys());
        Ok(Done {
            views: lines.into_iter().chain(of_batch).collect(),
            without_file: registered.filter(lost).cloned().collect(),
        })
    }

    /// What to do with each view of a table. The refusals of all are one message.
    async fn decide_batch(
        &self,
        connection: &mut PgConnection,
        published: &BTreeMap<String, batch::Published>,
    ) -> Result<Vec<Line>> {
        let mut lines = Vec::new();
        let mut refusals = Vec::new();
        for view in self.batch {
            let name = &view.name;
            if self.views.iter().any(|other| other.name == *name) {
                refusals.push(format!(
                    "{} is published as {name}, which is a feature view: give it another name with `view` in its `publish` block",
                    view.model
                ));
                continue;
            }
            let beside = |other: &&FeatureView| {
                let form = other.redis.as_ref().map(|redis| redis.form());
                form.is_some() && form == view.redis_form()
            };
            if let Some(other) = self.views.iter().find(beside) {
                refusals.push(format!(
                    "{} is published under the keys of Redis that feature view {} has: begin its key otherwise in `stores` of its `publish` block",
                    view.model, other.name
                ));
                continue;
            }
            let recreate = self.recreate.contains(name);
            match batch::decide(connection, view, published.get(name), recreate).await? {
                Ok(action) => lines.push(Line {
                    view: name.clone(),
                    action,
                }),
                Err(refusal) => refusals.push(refusal),
            }
        }
        match refusals.is_empty() {
            true => Ok(lines),
            false => Err(WrongSetup(refusals.join("\n")).into()),
        }
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
            if let Some(other) = registered
                .get(name)
                .and_then(|known| of_another_domain(view, known))
            {
                refusals.push(other);
                continue;
            }
            let action = if self.recreate.contains(name) {
                let left = !online::left_columns(view, &found).is_empty();
                match left
                    || registered.contains_key(name)
                    || kind(connection, name).await?.is_some()
                {
                    true => Action::Recreated,
                    false => Action::Created,
                }
            } else if let Some(known) = registered.get(name) {
                let refusal = refusal(view, known, &found);
                let settled = refusal.is_none();
                refusals.extend(refusal);
                match online::view_differs(view, &found) {
                    _ if known.relation.is_none() && settled => Action::Moved,
                    Some(_) => Action::Repaired,
                    None => Action::Unchanged,
                }
            } else {
                refusals.extend(unregistered(connection, view, &found).await?);
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

/// Why a view cannot be made: its name is that of another domain's, perhaps from another folder of models. Its rows are never dropped for this one.
fn of_another_domain(view: &FeatureView, known: &Registered) -> Option<String> {
    let relation = known.relation.as_ref()?;
    let ours = relation.starts_with(&format!("{}_", view.domain));
    let elsewhere = view.recognises(&known.fingerprint) && *relation != online::relation(view);
    (!ours || elsewhere).then(|| {
        format!(
            "{schema}.{name} is a view of another domain, with rows in {schema}.{relation}: the views of all domains share the schema, so \
             rename this one, for instance to {domain}_{name}",
            schema = online::SCHEMA,
            name = view.name,
            domain = view.domain,
        )
    })
}

/// Why a view that is registered cannot stay as it is.
fn refusal(view: &FeatureView, known: &Registered, found: &[online::Found]) -> Option<String> {
    // A table of the view's own had the name of what is a SQL view now.
    let partials = online::partials(&view.name);
    let own = [partials.as_str(), view.name.as_str()];
    let relations = match &known.relation {
        Some(relation) => vec![relation.as_str()],
        None => own.to_vec(),
    };
    if !view.recognises(&known.fingerprint) {
        let keys = relations.iter().map(|name| online::key_of(name, found));
        let key = keys.into_iter().find(|key| !key.is_empty());
        return Some(changed(view, &known.columns, &key.unwrap_or_default())); // none: there is no table, which init makes again
    }
    if known.relation.is_none() {
        let missing = (known.columns.iter())
            .filter_map(|column| column.split(' ').next())
            .find(|column| {
                !relations
                    .iter()
                    .any(|name| online::has(found, name, column))
            });
        let said = missing.map(|column| vec![format!("column {column} is missing")]);
        return said.map(|said| online::changed_by_hand(view, &said));
    }
    let differences = online::differences(view, found);
    (!differences.is_empty()).then(|| online::changed_by_hand(view, &differences))
}

/// Why a view that is not registered cannot be made.
async fn unregistered(
    connection: &mut PgConnection,
    view: &FeatureView,
    found: &[online::Found],
) -> Result<Option<String>> {
    let (schema, name) = (online::SCHEMA, &view.name);
    let mut there = None;
    for relation in [name.clone(), online::partials(name)] {
        if there.is_none() && kind(connection, &relation).await?.is_some() {
            there = Some(format!("{schema}.{relation} exists"));
        }
    }
    let left = online::left_columns(view, found).first().copied();
    let left = left.map(|column| format!("{} has a column {column}", online::table(view)));
    Ok(there.or(left).map(|there| {
        format!(
            "{there}, but {schema}._views does not say from which definition it was made: rename it, or let \
             `userflow-jobs init --recreate {name}` drop it with its rows"
        )
    }))
}

/// Says how a view differs from what was made of it, and what to do.
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
    let entity = match key == view.key() {
        true => String::new(),
        false => format!(
            "its rows were one per ({}) and are one per ({}); ",
            key.join(", "),
            view.key().join(", ")
        ),
    };
    format!(
        "feature view {name} changed since {}.{name} was made ({entity}{difference}): take the change back, or run \
         `userflow-jobs init --recreate {name}`, which drops the online rows of that view; the sessionizer fills it again, \
         from the start of the topic as far as that still has its events",
        online::SCHEMA
    )
}
