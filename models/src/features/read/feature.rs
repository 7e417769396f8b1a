//! One feature: its aggregation and its options.

use serde_yaml_ng::Value;

use super::Reader;
use crate::features::view::{Aggregation, Case, Condition, Feature, Predicate, ValueType};
use crate::project::Problem;

/// Default of `exact_up_to`: 4.4 % standard error beyond it, 4 KiB per window at most.
const EXACT: usize = 512;

/// Names that every row has already.
const TAKEN: [&str; 7] = [
    "event_time",
    "version",
    "updated_at",
    "is_final",
    "window_end",
    "timed_out",
    "_partition",
];

/// What the person who wrote an unknown aggregation wants to know.
const KINDS: &str = "use count, seen, sum, avg, min, max, first, last, last_n, distinct_count, top_k, ratio, streak or case";

#[derive(Default)]
struct Options {
    when: Option<Predicate>,
    hidden: bool,
    default: Option<String>,
    round: Option<u32>,
    exact: Option<u32>,
    n: Option<u32>,
}

impl Reader<'_> {
    pub(super) fn feature(
        &self,
        name: &str,
        value: &Value,
        before: &[Feature],
        entity: &[String],
    ) -> Result<Feature, Problem> {
        self.identifier(name, name)?;
        if TAKEN.contains(&name) || name.contains("__") || name.starts_with('_') {
            let message = format!("`{name}` is a name that userflow needs itself: choose another");
            return Err(self.problem(name, message));
        }
        if entity.iter().any(|column| column == name) {
            let message = format!("`{name}` is the entity already: leave it out of the features");
            return Err(self.problem(name, message));
        }
        if before.iter().any(|feature| feature.name == name) {
            return Err(self.problem(name, format!("`{name}` is written twice: keep one")));
        }
        let Value::Mapping(body) = value else {
            let message =
                format!("`{name}` says nothing: write for example `{name}: {{count: {{}}}}`");
            return Err(self.problem(name, message));
        };
        let mut options = Options::default();
        let mut aggregation = None;
        for (key, value) in body {
            let key = key.as_str().unwrap_or_default();
            match key {
                "when" => options.when = Some(self.predicate(name, value)?),
                "hidden" => options.hidden = self.truth(name, key, value)?,
                "default" => options.default = Some(self.word(name, key, value)?.to_owned()),
                "round" => options.round = Some(self.number(name, key, value, 0, 15)?),
                "exact_up_to" => options.exact = Some(self.number(name, key, value, 16, 65_536)?),
                "n" | "k" => options.n = Some(self.number(name, key, value, 1, 10_000)?),
                _ if aggregation.is_none() => aggregation = Some((key, value)),
                other => {
                    let message = format!(
                        "`{name}` has `{other}` beside another aggregation: one feature, one aggregation, and when, default, round, \
                         exact_up_to, n, k, hidden"
                    );
                    return Err(self.problem(name, message));
                }
            }
        }
        let Some((kind, argument)) = aggregation else {
            let message = format!("`{name}` has no aggregation: {KINDS}");
            return Err(self.problem(name, message));
        };
        // `{count: {when: ...}}` is how Feast's readers would write it.
        if let ("count", Some(when)) = (kind, argument.get("when")) {
            options.when = Some(self.predicate(name, when)?);
        }
        let (aggregation, value_type) =
            self.aggregation(name, kind, argument, before, &mut options)?;
        let value_type = self.options(name, kind, value_type, &options)?;
        Ok(Feature {
            name: name.to_owned(),
            aggregation,
            when: options.when,
            hidden: options.hidden,
            default: options.default,
            round: options.round,
            value_type,
        })
    }

    /// Options that do not fit the feature are refused, because they would silently do nothing.
    fn options(
        &self,
        name: &str,
        kind: &str,
        value_type: ValueType,
        options: &Options,
    ) -> Result<ValueType, Problem> {
        let wrong = |option: &str, fits: &str| {
            let message = format!("`{name}`: {option} is for {fits}, not for {kind}");
            Err(self.problem(name, message))
        };
        if options.exact.is_some() && kind != "distinct_count" {
            return wrong("exact_up_to", "distinct_count");
        }
        if options.n.is_some() && !["last_n", "top_k"].contains(&kind) {
            return wrong("n or k", "last_n and top_k");
        }
        if options.default.is_some() && value_type != ValueType::Text {
            return wrong("default", "texts");
        }
        if options.when.is_some() && ["ratio", "case"].contains(&kind) {
            return wrong("when", "aggregations of events");
        }
        match (options.round, value_type, kind) {
            (None, ..) => Ok(value_type),
            (Some(to), ValueType::Decimal { scale }, "min" | "max") if to <= scale => {
                Ok(ValueType::Decimal { scale: to })
            }
            _ => wrong(
                "round",
                "min and max of a decimal with at least so many decimals",
            ),
        }
    }

    fn aggregation(
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
                let k = k as usize;
                (Aggregation::TopK { column, k }, ValueType::TextArray)
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
        let names: Vec<&str> = (argument.as_sequence().into_iter().flatten())
            .filter_map(Value::as_str)
            .collect();
        let [part, whole] = names[..] else {
            let message = format!("`{name}`: write `ratio: [feature, feature]`");
            return Err(self.problem(name, message));
        };
        let numeric = |wanted: &str| {
            let found = self.earlier(name, wanted, before)?;
            let feature = &before[found];
            let number = !matches!(feature.aggregation, Aggregation::Ratio(..))
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

    fn cases(
        &self,
        name: &str,
        argument: &Value,
        before: &[Feature],
    ) -> Result<Aggregation, Problem> {
        let shape = || {
            let message =
                format!("`{name}`: write `case: [{{is: A, if: {{feature: value}}}}, {{is: B}}]`");
            self.problem(name, message)
        };
        let mut cases = Vec::new();
        for case in argument.as_sequence().ok_or_else(shape)? {
            let case = case.as_mapping().ok_or_else(shape)?;
            let value = case.get("is").and_then(Value::as_str).ok_or_else(shape)?;
            let mut conditions = Vec::new();
            for (key, wanted) in case
                .get("if")
                .and_then(Value::as_mapping)
                .into_iter()
                .flatten()
            {
                let key = key.as_str().ok_or_else(shape)?;
                if key == "timed_out" {
                    conditions.push(Condition::TimedOut);
                    continue;
                }
                let index = self.earlier(name, key, before)?;
                let test = self.test(name, before[index].value_type, wanted)?;
                conditions.push(Condition::Feature(index, test));
            }
            if case.len() != 1 + usize::from(case.contains_key("if")) {
                return Err(shape());
            }
            cases.push(Case {
                value: value.to_owned(),
                conditions,
            });
        }
        if cases.last().is_none_or(|case| !case.conditions.is_empty()) {
            let message =
                format!("`{name}`: the last case has no conditions: it is what else the value is");
            return Err(self.problem(name, message));
        }
        Ok(Aggregation::Case(cases))
    }

    fn word<'v>(&self, name: &str, key: &str, value: &'v Value) -> Result<&'v str, Problem> {
        value
            .as_str()
            .ok_or_else(|| self.problem(name, format!("`{name}`: {key} is a text")))
    }

    fn truth(&self, name: &str, key: &str, value: &Value) -> Result<bool, Problem> {
        value
            .as_bool()
            .ok_or_else(|| self.problem(name, format!("`{name}`: {key} is true or false")))
    }
}
