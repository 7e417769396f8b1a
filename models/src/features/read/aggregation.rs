//! What a feature computes, and over which columns or features.

use serde_yaml_ng::Value;

use super::reader::Reader;
use crate::error::Problem;
use crate::features::view::{Aggregation, Feature, Predicate, Ties, ValueType};

/// Default of `exact_up_to`: 4.4 % standard error beyond it, 4 KiB per window at most.
const EXACT: usize = 512;

/// What the person who wrote an unknown aggregation wants to know.
pub(super) const KINDS: &str = "use count, seen, sum, avg, min, max, first, last, last_n, distinct_count, top, top_k, ratio, elapsed, streak, absence, run, appeared, detail, coalesce or case";

/// What is written beside the aggregation.
#[derive(Default)]
pub(super) struct Options {
    pub(super) when: Option<Predicate>,
    pub(super) hidden: bool,
    pub(super) default: Option<String>,
    pub(super) round: Option<u32>,
    pub(super) exact: Option<u32>,
    pub(super) n: Option<u32>,
    pub(super) ties: Option<Ties>,
}

impl Reader<'_> {
    pub(super) fn aggregation(
        &self,
        name: &str,
        kind: &str,
        argument: &Value,
        before: &[Feature],
        options: &mut Options,
    ) -> Result<(Aggregation, ValueType), Problem> {
        let column = || self.value_column(name, kind, argument);
        Ok(match kind {
            "count" => (Aggregation::Count, ValueType::BigInt),
            "seen" => {
                options.when = Some(self.predicate(name, argument)?);
                (Aggregation::Seen, ValueType::Boolean)
            }
            "sum" | "avg" => {
                let (column, value_type) = column()?;
                let scale = match value_type {
                    ValueType::BigInt => 0,
                    ValueType::Decimal { scale } => scale,
                    _ => {
                        let message = format!("`{name}`: {kind} needs a number column");
                        return Err(self.problem(name, message));
                    }
                };
                if kind == "sum" {
                    (Aggregation::Sum { column, scale }, value_type)
                } else {
                    (Aggregation::Avg { column, scale }, ValueType::Double)
                }
            }
            "min" | "max" => {
                let (column, value_type) = column()?;
                if !matches!(
                    value_type,
                    ValueType::BigInt | ValueType::Decimal { .. } | ValueType::Timestamp
                ) {
                    let message = format!("`{name}`: {kind} needs a number or a timestamp column");
                    return Err(self.problem(name, message));
                }
                if kind == "min" {
                    (Aggregation::Min(column), value_type)
                } else {
                    (Aggregation::Max(column), value_type)
                }
            }
            "first" => {
                let (column, value_type) = column()?;
                (Aggregation::First(column), value_type)
            }
            "last" => {
                let (column, value_type) = column()?;
                (Aggregation::Last(column), value_type)
            }
            "last_n" => {
                let (column, n) = (
                    self.text_column(name, kind, argument)?,
                    options.n.unwrap_or(10),
                );
                let n = n as usize;
                (Aggregation::LastN { column, n }, ValueType::TextArray)
            }
            "top_k" => {
                let (column, k) = (
                    self.text_column(name, kind, argument)?,
                    options.n.unwrap_or(10),
                );
                let (k, ties) = (k as usize, options.ties.unwrap_or(Ties::Smaller));
                let top = Aggregation::TopK { column, k, ties };
                (top, ValueType::TextArray)
            }
            "top" => {
                let column = self.text_column(name, kind, argument)?;
                let ties = options.ties.unwrap_or(Ties::Smaller);
                let top = Aggregation::TopK { column, k: 1, ties };
                (top, ValueType::Text)
            }
            "distinct_count" => {
                let columns = match argument {
                    Value::Sequence(names) => names.iter().collect(),
                    one => vec![one],
                };
                let columns = (columns.into_iter())
                    .map(|column| self.text_column(name, kind, column))
                    .collect::<Result<Vec<_>, _>>()?;
                let exact = options.exact.map_or(EXACT, |n| n as usize);
                (
                    Aggregation::DistinctCount { columns, exact },
                    ValueType::BigInt,
                )
            }
            "ratio" => {
                let (part, whole) = self.two_features(name, argument, before)?;
                (Aggregation::Ratio(part, whole), ValueType::Double)
            }
            "elapsed" => {
                let (from, to) = self.two_times(name, argument, before)?;
                (Aggregation::Elapsed(from, to), ValueType::Double)
            }
            "streak" => {
                let (Some(of), Some(until)) = (argument.get("of"), argument.get("until")) else {
                    let message =
                        format!("`{name}`: write `streak: {{of: {{...}}, until: {{...}}}}`");
                    return Err(self.problem(name, message));
                };
                options.when = Some(self.predicate(name, of)?);
                let until = self.predicate(name, until)?;
                (Aggregation::Streak { until }, ValueType::BigInt)
            }
            "case" => (self.cases(name, argument, before)?, ValueType::Text),
            "absence" => (self.absence(name, argument, options)?, ValueType::Boolean),
            "run" => (self.run(name, argument, options)?, ValueType::Boolean),
            "appeared" => {
                let pattern = self.earlier_pattern(name, argument, before)?;
                (Aggregation::Appeared(pattern), ValueType::Timestamp)
            }
            "detail" => {
                let pattern = self.earlier_pattern(name, argument, before)?;
                self.has_detail(name, &before[pattern])?;
                (Aggregation::Detail(pattern), ValueType::Text)
            }
            "coalesce" => self.coalesce(name, argument, before)?,
            other => {
                let message = format!("`{name}`: unknown aggregation `{other}`: {KINDS}");
                return Err(self.problem(name, message));
            }
        })
    }

    fn two_features(
        &self,
        name: &str,
        argument: &Value,
        before: &[Feature],
    ) -> Result<(usize, usize), Problem> {
        let [part, whole] = self.two_names(name, "ratio", argument)?;
        let numeric = |wanted: &str| {
            let found = self.earlier(name, wanted, before)?;
            let feature = &before[found];
            let computed = matches!(
                feature.aggregation,
                Aggregation::Ratio(..) | Aggregation::Elapsed(..)
            );
            let number = !computed
                && matches!(
                    feature.value_type,
                    ValueType::BigInt | ValueType::Decimal { .. } | ValueType::Double
                );
            number.then_some(found).ok_or_else(|| {
                self.problem(name, format!("`{name}`: `{wanted}` is no plain number"))
            })
        };
        Ok((numeric(part)?, numeric(whole)?))
    }

    fn two_times(
        &self,
        name: &str,
        argument: &Value,
        before: &[Feature],
    ) -> Result<(usize, usize), Problem> {
        let [from, to] = self.two_names(name, "elapsed", argument)?;
        let time = |wanted: &str| {
            let found = self.earlier(name, wanted, before)?;
            match before[found].value_type {
                ValueType::Timestamp => Ok(found),
                _ => Err(self.problem(name, format!("`{name}`: `{wanted}` is no time"))),
            }
        };
        Ok((time(from)?, time(to)?))
    }

    fn two_names<'v>(
        &self,
        name: &str,
        kind: &str,
        argument: &'v Value,
    ) -> Result<[&'v str; 2], Problem> {
        let names: Vec<&str> = (argument.as_sequence().into_iter().flatten())
            .filter_map(Value::as_str)
            .collect();
        <[&str; 2]>::try_from(names).map_err(|_| {
            self.problem(
                name,
                format!("`{name}`: write `{kind}: [feature, feature]`"),
            )
        })
    }

    pub(super) fn earlier(
        &self,
        name: &str,
        wanted: &str,
        before: &[Feature],
    ) -> Result<usize, Problem> {
        before
            .iter()
            .position(|feature| feature.name == wanted)
            .ok_or_else(|| {
                let message = format!(
                    "`{name}`: there is no feature `{wanted}` above it: write that one first"
                );
                self.problem(name, message)
            })
    }
}
