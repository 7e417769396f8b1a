//! Views compiled to layout: which words of a record hold what. Done once, at start; afterwards no name is looked up.
//!
//! Views of one entity share a record, so an event finds its user once, however many views there are of users.

use userflow_models::contract::{ColumnType, Contract};
use userflow_models::features::online::{self, Stored};
use userflow_models::features::{Aggregation, FeatureView, Predicate, Test, Window};

use super::ids::{ColumnId, ViewId};

/// Everything an engine needs to know of the views.
pub struct Plan {
    /// Entities with their views.
    pub(super) tables: Vec<TablePlan>,
    /// Every different filter; an event passes a set of them, one bit each.
    pub(super) filters: Vec<Predicate>,
    /// Number of the column with the event's identifier.
    pub(super) event_id: ColumnId,
    /// For each view, in the order given: its table and its place in it.
    pub(super) places: Vec<ViewId>,
}

/// One entity.
pub(super) struct TablePlan {
    pub(super) entity: Vec<ColumnId>,
    pub(super) views: Vec<ViewPlan>,
    /// Words of a record.
    pub(super) stride: usize,
}

impl TablePlan {
    /// The entity's columns by name.
    pub(super) fn names(&self) -> &[String] {
        let view = self.views.first().expect("a table is made for a view");
        &view.view.entity
    }
}

/// One view.
pub(super) struct ViewPlan {
    /// Its number in the order given.
    pub(super) number: usize,
    pub(super) view: FeatureView,
    pub(super) stored: Vec<Stored>,
    /// Where its words begin in the record.
    pub(super) at: usize,
    /// How many they are.
    pub(super) words: usize,
    pub(super) kind: Kind,
    pub(super) pane: PanePlan,
}

/// A window as the engine keeps it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Session {
        gap: i64,
        keep: i64,
        ends_on: Option<usize>,
    },
    /// `panes` make a window, `ring` of them are kept: windows stay open for the allowed lateness after newer ones began.
    Sliding {
        every: i64,
        panes: i64,
        ring: i64,
    },
    Last {
        events: usize,
    },
    Lifetime,
}

/// The words of one pane: a part of the time in which all features are computed alike.
pub(super) struct PanePlan {
    /// By feature; ratios and cases keep nothing.
    pub(super) slots: Vec<Slot>,
    pub(super) empty: Vec<i64>,
}

/// What one feature keeps in a pane.
pub(super) struct Slot {
    /// Where its words begin in the pane.
    pub(super) at: usize,
    pub(super) accumulator: Accumulator,
    /// The filter that its events must pass.
    pub(super) filter: Option<usize>,
    /// The column is a text: its words are symbols.
    pub(super) text: bool,
    /// Decimals of the column's unit.
    pub(super) column_scale: u32,
}

/// The words of a feature. Numbers in brackets: how many.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Accumulator {
    /// Nothing: computed from others.
    Nothing,
    /// (1) events.
    Count,
    /// (3) low and high half of the sum, values in it.
    Sum { column: ColumnId },
    /// (1) the value; the largest number for none.
    Min { column: ColumnId },
    /// (1) the value; the smallest number for none.
    Max { column: ColumnId },
    /// (2) time and value; the largest time for none.
    First { column: ColumnId },
    /// (2) time and value; the smallest time for none.
    Last { column: ColumnId },
    /// (1) a list of times and values.
    Newest { column: ColumnId, n: usize },
    /// (1) a sketch.
    Sketch { columns: Vec<ColumnId>, size: usize },
    /// (1) a list of values and counts.
    Counts { column: ColumnId },
    /// (4) a list of times, the number of older ones, the newest of those, the newest end.
    Streak { until: usize },
}

/// Words that every view has before its own: version and newest event time.
pub(super) const HEAD: usize = 2;
/// Word of a view with the version: the offset of its newest change.
pub(super) const VERSION: usize = 0;
/// Word of a view with the time of its newest event.
pub(super) const EVENT_TIME: usize = 1;
/// First word of a session's own: newest time that counts for the gap.
pub(super) const SEEN_AT: usize = HEAD;
/// Second word of a session's own: its phase.
pub(super) const PHASE: usize = HEAD + 1;
/// Third word of a session's own: the timer that counts; others that were set before are void.
pub(super) const TIMER: usize = HEAD + 2;
/// First word of a sliding window's own: the newest pane that is clean.
pub(super) const NEWEST_PANE: usize = HEAD;
/// Second word of a sliding window's own: the newest pane with an event.
pub(super) const FILLED_PANE: usize = HEAD + 1;
/// Third word of a sliding window's own: the newest pane of the window that the row shows.
pub(super) const SHOWN_PANE: usize = HEAD + 2;
/// Where the panes of sessions and sliding windows begin.
pub(super) const PANES: usize = HEAD + 3;
/// The word of a `last` window: its ring of events.
pub(super) const RING: usize = HEAD;

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
            event_id: number(contract.event_id()),
            places: Vec::new(),
        };
        for (index, view) in views.iter().enumerate() {
            let entity: Vec<ColumnId> = view.entity.iter().map(|name| number(name)).collect();
            let known = plan.tables.iter().position(|table| table.entity == entity);
            let table = known.unwrap_or_else(|| {
                plan.tables.push(TablePlan {
                    entity,
                    views: Vec::new(),
                    stride: 0,
                });
                plan.tables.len() - 1
            });
            let mut compiled = compile(contract, view, lateness, &mut plan.filters);
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

    /// The views, in the order given.
    pub fn views(&self) -> impl Iterator<Item = &FeatureView> {
        self.places.iter().map(|place| &self.view(*place).view)
    }

    pub(super) fn view(&self, id: ViewId) -> &ViewPlan {
        &self.tables[id.table()].views[id.place()]
    }
}

fn compile(
    contract: &Contract,
    view: &FeatureView,
    lateness: i64,
    filters: &mut Vec<Predicate>,
) -> ViewPlan {
    let mut filter = |predicate: &Predicate| {
        let known = filters.iter().position(|known| known == predicate);
        known.unwrap_or_else(|| {
            filters.push(predicate.clone());
            filters.len() - 1
        })
    };
    let is_text = |column: ColumnId| {
        let column_type = contract.columns()[column.index()].column_type;
        matches!(column_type, ColumnType::String | ColumnType::Id)
    };
    let (mut slots, mut empty) = (Vec::new(), Vec::new());
    for feature in &view.features {
        let at = empty.len();
        let (accumulator, none, text): (_, &[i64], _) = match &feature.aggregation {
            Aggregation::Count | Aggregation::Seen => (Accumulator::Count, &[0], false),
            Aggregation::Sum { column, .. } | Aggregation::Avg { column, .. } => {
                let column = ColumnId::new(*column);
                (Accumulator::Sum { column }, &[0, 0, 0], false)
            }
            Aggregation::Min(column) => {
                let column = ColumnId::new(*column);
                (Accumulator::Min { column }, &[i64::MAX], false)
            }
            Aggregation::Max(column) => {
                let column = ColumnId::new(*column);
                (Accumulator::Max { column }, &[i64::MIN], false)
            }
            Aggregation::First(column) => {
                let column = ColumnId::new(*column);
                (
                    Accumulator::First { column },
                    &[i64::MAX, 0],
                    is_text(column),
                )
            }
            Aggregation::Last(column) => {
                let column = ColumnId::new(*column);
                (
                    Accumulator::Last { column },
                    &[i64::MIN, 0],
                    is_text(column),
                )
            }
            Aggregation::LastN { column, n } => {
                let (column, n) = (ColumnId::new(*column), *n);
                (Accumulator::Newest { column, n }, &[0], true)
            }
            Aggregation::DistinctCount { columns, exact } => {
                let columns = columns.iter().copied().map(ColumnId::new).collect();
                let size = exact + 1;
                (Accumulator::Sketch { columns, size }, &[0], false)
            }
            Aggregation::TopK { column, .. } => {
                let column = ColumnId::new(*column);
                (Accumulator::Counts { column }, &[0], true)
            }
            Aggregation::Streak { until } => {
                let until = filter(until);
                (
                    Accumulator::Streak { until },
                    &[0, 0, i64::MIN, i64::MIN],
                    false,
                )
            }
            Aggregation::Ratio(..) | Aggregation::Case(_) => (Accumulator::Nothing, &[], false),
        };
        empty.extend_from_slice(none);
        slots.push(Slot {
            at,
            column_scale: scale_of(contract, &accumulator),
            accumulator,
            filter: feature.when.as_ref().map(&mut filter),
            text,
        });
    }
    let pane = PanePlan { slots, empty };
    let width = pane.empty.len();
    let (kind, own) = match &view.window {
        Window::Session { gap, keep, ends } => {
            let ends_on = ends.as_ref().map(|ends| filter(&ends.on));
            let (gap, keep) = (*gap, *keep);
            (Kind::Session { gap, keep, ends_on }, PANES - HEAD + width)
        }
        Window::Sliding { size, every } => {
            let panes = size / every;
            let ring = panes + (lateness + every - 1) / every;
            let every = *every;
            let width = width * panes_of(ring);
            (Kind::Sliding { every, panes, ring }, PANES - HEAD + width)
        }
        Window::Last { events } => (Kind::Last { events: *events }, 1),
        Window::Lifetime => (Kind::Lifetime, width),
    };
    ViewPlan {
        number: 0,
        view: view.clone(),
        stored: online::stored(view),
        at: 0,
        words: HEAD + own,
        kind,
        pane,
    }
}

/// Panes of a ring, as an index.
pub(super) fn panes_of(ring: i64) -> usize {
    usize::try_from(ring).expect("a window is made of one pane or more")
}

fn scale_of(contract: &Contract, accumulator: &Accumulator) -> u32 {
    let (Accumulator::Min { column }
    | Accumulator::Max { column }
    | Accumulator::First { column }
    | Accumulator::Last { column }) = accumulator
    else {
        return 0;
    };
    match contract.columns()[column.index()].column_type {
        ColumnType::Decimal { scale, .. } => u32::from(scale),
        _ => 0,
    }
}

/// Whether a row of a batch passes a filter.
pub(super) fn passes(predicate: &Predicate, events: &super::Events, row: usize) -> bool {
    predicate.0.iter().all(|(column, test)| match test {
        Test::OneOf(_) => events
            .text(ColumnId::new(*column), row)
            .is_some_and(|text| test.text(text)),
        Test::Is(_) => (events.number(ColumnId::new(*column), row))
            .is_some_and(|number| test.truth(number != 0)),
        Test::Within { .. } => {
            (events.number(ColumnId::new(*column), row)).is_some_and(|number| test.number(number))
        }
    })
}
