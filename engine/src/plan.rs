//! Views compiled to layout: which words of a record hold what. Done once, at start; afterwards no name is looked up.
//!
//! Views of one entity share a record, so an event finds its user once, however many views there are of users.

use userflow_models::contract::Contract;
use userflow_models::features::{FeatureView, Join, Predicate, Window};

use super::compile::{Columns, compile};
use super::ids::{ColumnId, ViewId};
use super::layout::{TablePlan, ViewPlan};
use super::rows::RowsBuilder;

/// A join of some views.
pub(super) struct JoinPlan {
    pub(super) join: Join,
    /// The event's column with the key.
    pub(super) on: ColumnId,
}

/// Everything an engine needs to know of the views.
pub struct Plan {
    /// Entities with their views.
    pub(super) tables: Vec<TablePlan>,
    /// Every different filter; an event passes a set of them, one bit each.
    pub(super) filters: Vec<Predicate>,
    /// Number of the column with the event's identifier. Without one no repeat can be told.
    pub(super) event_id: Option<ColumnId>,
    /// Columns that events have of their own.
    pub(super) contract_columns: usize,
    /// What they get beside them, each join once; in the order of their columns.
    pub(super) joins: Vec<JoinPlan>,
    /// For each view, in the order given: its table and its place in it.
    pub(super) places: Vec<ViewId>,
    has_exact: bool,
}

impl Plan {
    /// Compiles views of one contract. `lateness` in microseconds is how long a window waits for late events. Says what is too much.
    pub fn new(contract: &Contract, views: &[FeatureView], lateness: i64) -> Result<Self, String> {
        let number = |name: &str| {
            let column = (contract.columns().iter()).position(|column| column.name == name);
            ColumnId::new(column.expect("views are checked against the contract"))
        };
        let mut plan = Self {
            tables: Vec::new(),
            filters: Vec::new(),
            event_id: contract.event_id().map(number),
            contract_columns: contract.columns().len(),
            joins: Vec::new(),
            places: Vec::new(),
            has_exact: views
                .iter()
                .any(|view| matches!(view.window, Window::Exact { .. })),
        };
        for (index, view) in views.iter().enumerate() {
            let entity: Vec<ColumnId> = view.entity.iter().map(|name| number(name)).collect();
            let by_start = view.start().is_some();
            let same = |table: &TablePlan| !by_start && !table.by_start && table.entity == entity;
            let known = plan.tables.iter().position(same);
            let table = known.unwrap_or_else(|| {
                plan.tables.push(TablePlan {
                    entity,
                    names: view.key().into_iter().map(str::to_owned).collect(),
                    by_start,
                    views: Vec::new(),
                    stride: 0,
                });
                plan.tables.len() - 1
            });
            let columns = plan.columns_of(view, number);
            let mut compiled = compile(contract, view, columns, lateness, &mut plan.filters);
            compiled.number = index;
            compiled.at = plan.tables[table].stride;
            plan.tables[table].stride += compiled.words;
            (plan.places).push(ViewId::new(table, plan.tables[table].views.len()));
            if view.features.len() > 64 {
                return Err(format!("{} has more than 64 features: split it", view.name));
            }
            plan.tables[table].views.push(compiled);
            if plan.tables[table].views.len() > 32 {
                return Err(format!(
                    "{} is the 33rd view of its entity: merge some",
                    view.name
                ));
            }
        }
        if plan.filters.len() > 128 {
            return Err(format!(
                "{} different filters in all views: at most 128",
                plan.filters.len()
            ));
        }
        Ok(plan)
    }

    /// Where the columns of a view are: those that it takes from a dimension are behind those of the joins before.
    fn columns_of(&mut self, view: &FeatureView, number: impl Fn(&str) -> ColumnId) -> Columns {
        let mut first = self.contract_columns;
        for known in &self.joins {
            if view.join.as_ref() == Some(&known.join) {
                break;
            }
            first += known.join.take.len();
        }
        if let Some(join) = &view.join
            && self.joins.iter().all(|known| known.join != *join)
        {
            self.joins.push(JoinPlan {
                on: number(&join.on),
                join: join.clone(),
            });
        }
        Columns {
            own: self.contract_columns,
            joined: first,
        }
    }

    /// What views take from dimensions, each join once.
    pub fn joins(&self) -> impl Iterator<Item = &Join> {
        self.joins.iter().map(|plan| &plan.join)
    }

    /// The views, in the order given.
    pub fn views(&self) -> impl Iterator<Item = &FeatureView> {
        self.places.iter().map(|place| &self.view(*place).view)
    }

    /// A builder of rows of a view.
    pub fn rows(&self, view: usize) -> RowsBuilder {
        RowsBuilder::new(self.view(self.places[view]))
    }

    /// Whether there is a window whose events leave one by one.
    pub(super) fn has_exact(&self) -> bool {
        self.has_exact
    }

    pub(super) fn view(&self, id: ViewId) -> &ViewPlan {
        &self.tables[id.table()].views[id.place()]
    }
}
