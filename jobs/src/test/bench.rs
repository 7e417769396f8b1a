//! What the cases of a domain are played with: its contract, feature views and models, and the query engine. Read once, used by all.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Result;
use datafusion::catalog::TableProvider;
use userflow_models::bronze::{self, BronzeTable};
use userflow_models::cases::{self, Case};
use userflow_models::domain::Domain;
use userflow_models::features::{self, FeatureView};
use userflow_models::project::Project;
use userflow_process::exit::WrongSetup;

use crate::engine::Engine;
use crate::{grain, seeds};

/// Everything that the cases of one domain need.
pub(super) struct Bench {
    pub(super) domain: Domain,
    pub(super) cases: Vec<Case>,
    pub(super) views: Vec<FeatureView>,
    pub(super) project: Arc<Project>,
    pub(super) engine: Arc<Engine>,
    /// The two tables that the ingester writes.
    pub(super) events: BronzeTable,
    pub(super) quarantine: BronzeTable,
    /// By SQL name.
    pub(super) seeds: HashMap<String, Arc<dyn TableProvider>>,
}

impl Bench {
    /// Reads the domain.
    pub(super) fn open(
        domain: Domain,
        project: &Arc<Project>,
        engine: &Arc<Engine>,
    ) -> Result<Self> {
        let cases = cases::load(&domain)?;
        let views = features::load(&domain)?;
        grain::agrees(project, &views)?;
        for view in &views {
            batch_columns(project, view)?;
        }
        let of_domain = project.seeds().iter();
        let seeds = of_domain
            .map(|seed| Ok((seeds::sql_name(&seed.name), seeds::table(seed)?)))
            .collect::<Result<_>>()?;
        Ok(Self {
            events: bronze::events(&domain.contract),
            quarantine: bronze::quarantine(&domain.contract),
            cases,
            views,
            project: Arc::clone(project),
            engine: Arc::clone(engine),
            seeds,
            domain,
        })
    }
}

/// Refuses a view that names columns which its batch table does not have.
fn batch_columns(project: &Project, view: &FeatureView) -> Result<()> {
    let Some(batch) = &view.batch else {
        return Ok(());
    };
    let model = project.model(&batch.table)?;
    for (feature, column) in &batch.features {
        if model.columns.iter().all(|known| known.name != *column) {
            let message = format!(
                "feature view {}: {} has no column {column} for the feature {feature}: name the column in `rename` of its `batch` \
                 block or leave the feature out in `except`",
                view.name, batch.table
            );
            return Err(WrongSetup(message).into());
        }
    }
    Ok(())
}
