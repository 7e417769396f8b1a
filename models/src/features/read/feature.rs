//! One feature: its name and its options.

use serde_yaml_ng::Value;

use super::aggregation::{KINDS, Options};
use super::reader::Reader;
use crate::error::Problem;
use crate::features::view::{Feature, Ties, ValueType};

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

impl Reader<'_> {
    pub(super) fn feature(
        &self,
        name: &str,
        value: &Value,
        before: &[Feature],
        entity: &[String],
    ) -> Result<Feature, Problem> {
        self.free_name(name, name)?;
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
                "ties" => options.ties = Some(self.ties(name, value)?),
                _ if aggregation.is_none() => aggregation = Some((key, value)),
                other => {
                    let message = format!(
                        "`{name}` has `{other}` beside another aggregation: one feature, one aggregation, and when, default, round, \
                         exact_up_to, n, k, ties, hidden"
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

    /// A plain name that rows do not have already.
    pub(super) fn free_name(&self, key: &str, name: &str) -> Result<(), Problem> {
        self.identifier(key, name)?;
        if TAKEN.contains(&name) || name.contains("__") || name.starts_with('_') {
            let message = format!("`{name}` is a name that userflow needs itself: choose another");
            return Err(self.problem(key, message));
        }
        Ok(())
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
        if options.ties.is_some() && !["top", "top_k"].contains(&kind) {
            return wrong("ties", "top and top_k");
        }
        if options.default.is_some() && value_type != ValueType::Text {
            return wrong("default", "texts");
        }
        let of_features = ["ratio", "elapsed", "case", "appeared", "detail", "coalesce"];
        if options.when.is_some() && of_features.contains(&kind) {
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

    fn ties(&self, name: &str, value: &Value) -> Result<Ties, Problem> {
        match value.as_str() {
            Some("smaller") => Ok(Ties::Smaller),
            Some("latest") => Ok(Ties::Latest),
            _ => Err(self.problem(name, format!("`{name}`: ties is smaller or latest"))),
        }
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
