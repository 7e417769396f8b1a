//! A view compiled to its layout.

use userflow_models::contract::{ColumnType, Contract};
use userflow_models::features::{Aggregation, FeatureView, Predicate, Ties, Window, online};

use super::absence;
use super::ids::ColumnId;
use super::layout::{
    Accumulator, EVENTS, Exact, HEAD, Kind, PANES, PanePlan, Slot, ViewPlan, panes_of,
};
use super::run::{self, RunPlan};

/// An exact window with too many events leaves in so many steps.
const STEPS: i64 = 60;

/// Where the columns of a view are in an event.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    /// So many are the event's own.
    pub(super) own: usize,
    /// Where the first one is that the view takes from a dimension.
    pub(super) joined: usize,
}

impl Columns {
    fn id(self, column: usize) -> ColumnId {
        ColumnId::new(match column.checked_sub(self.own) {
            None => column,
            Some(taken) => self.joined + taken,
        })
    }

    fn predicate(self, Predicate(tests): &Predicate) -> Predicate {
        let tests = tests.iter();
        let moved = tests.map(|(column, test)| (self.id(*column).index(), test.clone()));
        Predicate(moved.collect())
    }
}

/// Compiles a view of a contract; filters that are new are added to `filters`.
pub(super) fn compile(
    contract: &Contract,
    view: &FeatureView,
    columns: Columns,
    lateness: i64,
    filters: &mut Vec<Predicate>,
) -> ViewPlan {
    let contract = &view.joined(contract);
    let id = |column: usize| columns.id(column);
    let mut filter = |predicate: &Predicate| {
        let predicate = columns.predicate(predicate);
        let known = filters.iter().position(|known| *known == predicate);
        known.unwrap_or_else(|| {
            filters.push(predicate);
            filters.len() - 1
        })
    };
    let is_text = |column: usize| {
        let column_type = contract.columns()[column].column_type;
        matches!(column_type, ColumnType::String | ColumnType::Id)
    };
    let (mut slots, mut empty) = (Vec::new(), Vec::new());
    for feature in &view.features {
        let at = empty.len();
        let (accumulator, none, text): (_, &[i64], _) = match &feature.aggregation {
            Aggregation::Count | Aggregation::Seen => (Accumulator::Count, &[0], false),
            Aggregation::Sum { column, .. } | Aggregation::Avg { column, .. } => {
                let column = id(*column);
                (Accumulator::Sum { column }, &[0, 0, 0], false)
            }
            Aggregation::Min(column) => {
                let column = id(*column);
                (Accumulator::Min { column }, &[i64::MAX], false)
            }
            Aggregation::Max(column) => {
                let column = id(*column);
                (Accumulator::Max { column }, &[i64::MIN], false)
            }
            Aggregation::First(of) => {
                let column = id(*of);
                (Accumulator::First { column }, &[i64::MAX, 0], is_text(*of))
            }
            Aggregation::Last(of) => {
                let column = id(*of);
                (Accumulator::Last { column }, &[i64::MIN, 0], is_text(*of))
            }
            Aggregation::LastN { column, n } => {
                let (column, n) = (id(*column), *n);
                (Accumulator::Newest { column, n }, &[0], true)
            }
            Aggregation::DistinctCount { columns: of, exact } => {
                let columns = of.iter().copied().map(id).collect();
                let size = exact + 1;
                (Accumulator::Sketch { columns, size }, &[0], false)
            }
            Aggregation::TopK { column, ties, .. } => {
                let column = id(*column);
                let accumulator = match ties {
                    Ties::Smaller => Accumulator::Counts { column },
                    Ties::Latest => Accumulator::DatedCounts { column },
                };
                (accumulator, &[0], true)
            }
            Aggregation::Streak { until } => {
                let until = filter(until);
                (
                    Accumulator::Streak { until },
                    &[0, 0, i64::MIN, i64::MIN],
                    false,
                )
            }
            Aggregation::Absence(absence) => {
                let accumulator = Accumulator::Absence {
                    without: filter(&absence.without),
                    within: absence.within,
                    detail: absence.detail.map(id),
                };
                (accumulator, &absence::EMPTY, true)
            }
            Aggregation::Run(run) => {
                let plan = RunPlan {
                    same: id(run.same),
                    times: run.times,
                    then: filter(&run.then),
                    then_times: run.then_times,
                    within: run.within,
                    among: run.among.map(id),
                    until: run.until.as_ref().map(&mut filter),
                };
                (Accumulator::Run(plan), &run::EMPTY, true)
            }
            Aggregation::Ratio(..)
            | Aggregation::Elapsed(..)
            | Aggregation::Case(_)
            | Aggregation::Appeared(_)
            | Aggregation::Detail(_)
            | Aggregation::Coalesce(_) => (Accumulator::Nothing, &[], false),
        };
        empty.extend_from_slice(none);
        slots.push(Slot {
            at,
            column_scale: scale_of(contract, &feature.aggregation),
            accumulator,
            filter: feature.when.as_ref().map(&mut filter),
            text,
        });
    }
    let patterns = patterns(&slots);
    let pane = PanePlan { slots, empty };
    let width = pane.empty.len();
    let (kind, own) = match &view.window {
        Window::Session { gap, keep, ends } => {
            let ends_on = ends.as_ref().map(|ends| filter(&ends.on));
            let (gap, keep) = (*gap, *keep);
            (Kind::Session { gap, keep, ends_on }, PANES - HEAD + width)
        }
        Window::Sessions { gap, keep, .. } => {
            let (gap, keep) = (*gap, *keep);
            (Kind::Sessions { gap, keep }, PANES - HEAD + width)
        }
        Window::Sliding { size, every } => {
            let panes = size / every;
            let ring = panes + (lateness + every - 1) / every;
            let every = *every;
            let width = width * panes_of(ring);
            (Kind::Sliding { every, panes, ring }, PANES - HEAD + width)
        }
        Window::Exact { size, most } => {
            let exact = Exact {
                size: *size,
                most: *most,
                width: (size / STEPS).max(1),
                keep: size.saturating_add(lateness),
            };
            (Kind::Exact(exact), EVENTS - HEAD + 1)
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
        patterns,
    }
}

/// Decimals of the column that a feature takes values of.
fn scale_of(contract: &Contract, aggregation: &Aggregation) -> u32 {
    let (Aggregation::Min(column)
    | Aggregation::Max(column)
    | Aggregation::First(column)
    | Aggregation::Last(column)) = aggregation
    else {
        return 0;
    };
    match contract.columns()[*column].column_type {
        ColumnType::Decimal { scale, .. } => u32::from(scale),
        _ => 0,
    }
}

/// The features of a view that are patterns: their places.
fn patterns(slots: &[Slot]) -> Vec<usize> {
    let is_pattern = |slot: &Slot| {
        matches!(
            slot.accumulator,
            Accumulator::Absence { .. } | Accumulator::Run(_)
        )
    };
    (0..slots.len())
        .filter(|place| is_pattern(&slots[*place]))
        .collect()
}
