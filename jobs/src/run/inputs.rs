//! What a run reads: pinned versions of the model's inputs, and seeds.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use datafusion::catalog::TableProvider;
use userflow_lake::Snapshot;
use userflow_models::project::{Model, PARTITION_COLUMN, Ref, Window};

use crate::engine::Engine;
use crate::scan::{Bounds, SnapshotTable, Texts};
use crate::workspace::Workspace;
use crate::{declared, plan, seeds};

/// The versions of a model's inputs that one run reads.
pub struct Inputs {
    snapshots: BTreeMap<String, Snapshot>,
    texts: Texts,
}

impl Inputs {
    /// The newest version of every input, its texts to be read as said.
    pub async fn pin(workspace: &Workspace, model: &Model, texts: Texts) -> Result<Self> {
        let mut snapshots = BTreeMap::new();
        for input in &model.refs {
            if let Ref::Model(name) | Ref::Source(name) = input {
                snapshots.insert(name.clone(), workspace.snapshot(name).await?);
            }
        }
        Ok(Self { snapshots, texts })
    }

    /// The version of each input, by its SQL name.
    pub fn versions(&self) -> BTreeMap<String, i64> {
        self.snapshots
            .iter()
            .map(|(name, snapshot)| (name.clone(), snapshot.version()))
            .collect()
    }

    /// The inputs as tables, each with the dates that the run may read, and the seeds.
    pub(super) fn tables(
        &self,
        workspace: &Workspace,
        model: &Model,
        window: Window,
    ) -> Result<Vec<(String, Arc<dyn TableProvider>)>> {
        let mut tables: Vec<(String, Arc<dyn TableProvider>)> = Vec::new();
        for input in &model.refs {
            if let Some(snapshot) = self.snapshots.get(input.name()) {
                let bounds = Bounds {
                    dates: plan::dates_read(model, input, window),
                    advice: advice(model, input),
                };
                let table = SnapshotTable::new(Engine::lake_url()?, snapshot, Some(bounds))
                    .texts(self.texts);
                tables.push((input.name().to_owned(), Arc::new(table)));
            }
        }
        tables.extend(seed_tables(workspace, model)?);
        Ok(tables)
    }

    /// What to do about an input that was made by an older release or contract and lacks columns: a query that fails for one of them
    /// only says that there is no such column.
    pub(super) fn lacking(&self, workspace: &Workspace) -> Result<Option<String>> {
        for spec in declared::tables(workspace, None)? {
            let name = spec.name.to_string();
            let Some(stored) = self.snapshots.get(&name).map(Snapshot::schema) else {
                continue;
            };
            let fields = spec
                .schema
                .fields()
                .iter()
                .map(|field| field.name().as_str());
            let missing: Vec<&str> = fields
                .filter(|field| stored.field_with_name(field).is_err())
                .collect();
            if !missing.is_empty() {
                let missing = missing.join(", ");
                return Ok(Some(format!(
                    "table {name} was made before {missing} was declared: run `userflow-jobs init`, which adds it"
                )));
            }
        }
        Ok(None)
    }
}

fn advice(model: &Model, input: &Ref) -> String {
    let declared = match input {
        Ref::Source(_) => format!(
            "more than the margin of {} s around the window",
            model.config.margin.as_secs()
        ),
        _ => format!(
            "more than the window and its lookback of {} days",
            model.config.lookback_days
        ),
    };
    format!(
        "{declared}: filter on the bare column {PARTITION_COLUMN} where the table is read, or declare more in config(meta=...)"
    )
}

/// The seeds that a model reads.
pub(super) fn seed_tables(
    workspace: &Workspace,
    model: &Model,
) -> Result<Vec<(String, Arc<dyn TableProvider>)>> {
    let used = |name: &str| {
        model
            .refs
            .iter()
            .any(|input| matches!(input, Ref::Seed(seed) if seed == name))
    };
    let seeds = workspace
        .project
        .seeds()
        .iter()
        .filter(|seed| used(&seed.name));
    seeds
        .map(|seed| Ok((seeds::sql_name(&seed.name), seeds::table(seed)?)))
        .collect()
}
