//! Patterns: what is missing after an event, what follows a run of events; and the features that say more about one.

use serde_yaml_ng::{Mapping, Value};

use super::aggregation::Options;
use super::reader::Reader;
use crate::error::Problem;
use crate::features::view::{
    Absence, Aggregation, Feature, FeatureView, Predicate, Run, ValueType, Window,
};

/// Longest run that can be asked for.
const MOST_TIMES: u32 = 1_000;
/// Most events that can be asked to follow one.
const MOST_THEN: u32 = 100;

const ABSENCE: &str = "write `absence: {of: {...}, without: {...}, within: 10m}`, and `detail: column` if it is about something";
const RUN: &str = "write `run: {of: {...}, same: column, times: 3, then: {of: {...}, times: 2, within: 30m, among: column}, until: {...}}`; \
                   among and until may be left out";

impl Reader<'_> {
    pub(super) fn absence(
        &self,
        name: &str,
        argument: &Value,
        options: &mut Options,
    ) -> Result<Aggregation, Problem> {
        let body = self.parts(
            name,
            argument,
            &["of", "without", "within", "detail"],
            ABSENCE,
        )?;
        self.counted_events(name, body, options, ABSENCE)?;
        let without = body
            .get("without")
            .ok_or_else(|| self.shape(name, ABSENCE))?;
        let detail = body.get("detail");
        Ok(Aggregation::Absence(Absence {
            without: self.predicate(name, without)?,
            within: self.within(name, body, ABSENCE)?,
            detail: detail
                .map(|column| self.text_column(name, "detail", column))
                .transpose()?,
        }))
    }

    pub(super) fn run(
        &self,
        name: &str,
        argument: &Value,
        options: &mut Options,
    ) -> Result<Aggregation, Problem> {
        let shape = || self.shape(name, RUN);
        let body = self.parts(
            name,
            argument,
            &["of", "same", "times", "then", "until"],
            RUN,
        )?;
        self.counted_events(name, body, options, RUN)?;
        let then = body.get("then").ok_or_else(shape)?;
        let then = self.parts(name, then, &["of", "times", "within", "among"], RUN)?;
        let times = |body: &Mapping, most| {
            let value = body.get("times").ok_or_else(shape)?;
            self.number(name, "times", value, 1, most)
                .map(|times| times as usize)
        };
        let text = |key: &str, value: &Value| self.text_column(name, key, value);
        let followed_by = then.get("of").ok_or_else(shape)?;
        Ok(Aggregation::Run(Run {
            same: text("same", body.get("same").ok_or_else(shape)?)?,
            times: times(body, MOST_TIMES)?,
            then: self.predicate(name, followed_by)?,
            then_times: times(then, MOST_THEN)?,
            within: self.within(name, then, RUN)?,
            among: then
                .get("among")
                .map(|value| text("among", value))
                .transpose()?,
            until: self.maybe_predicate(name, body.get("until"))?,
        }))
    }

    /// The pattern that a feature says more about.
    pub(super) fn earlier_pattern(
        &self,
        name: &str,
        argument: &Value,
        before: &[Feature],
    ) -> Result<usize, Problem> {
        let found = self.earlier(name, argument.as_str().unwrap_or_default(), before)?;
        if before[found].aggregation.is_pattern() {
            return Ok(found);
        }
        let message = format!(
            "`{name}`: `{}` is no pattern: name a feature that is an absence or a run",
            before[found].name
        );
        Err(self.problem(name, message))
    }

    /// A detail that is never there would be null without a word.
    pub(super) fn has_detail(&self, name: &str, pattern: &Feature) -> Result<(), Problem> {
        match &pattern.aggregation {
            Aggregation::Absence(Absence { detail: None, .. }) => {
                let message = format!(
                    "`{name}`: `{0}` has no detail: write `detail: column` into its absence",
                    pattern.name
                );
                Err(self.problem(name, message))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn coalesce(
        &self,
        name: &str,
        argument: &Value,
        before: &[Feature],
    ) -> Result<(Aggregation, ValueType), Problem> {
        let names = argument.as_sequence().into_iter().flatten();
        let features = names
            .map(|wanted| self.earlier(name, wanted.as_str().unwrap_or_default(), before))
            .collect::<Result<Vec<_>, _>>()?;
        let Some(first) = features.first() else {
            return Err(self.shape(name, "write `coalesce: [feature, feature]`"));
        };
        let value_type = before[*first].value_type;
        let other = features
            .iter()
            .find(|at| before[**at].value_type != value_type);
        if value_type == ValueType::TextArray {
            let message = format!("`{name}`: a list is never null: coalesce is for single values");
            return Err(self.problem(name, message));
        }
        if let Some(other) = other {
            let message = format!(
                "`{name}`: `{}` and `{}` have different types: coalesce takes features of one type",
                before[*first].name, before[*other].name
            );
            return Err(self.problem(name, message));
        }
        Ok((Aggregation::Coalesce(features), value_type))
    }

    /// What a view must be for its patterns.
    pub(super) fn pattern_fits(&self, view: &FeatureView, name: &str) -> Result<(), Problem> {
        if view.window != Window::Lifetime {
            let message = format!(
                "`{name}`: a pattern has its own time, so it goes over all events: put it into a view with `window: lifetime`"
            );
            return Err(self.problem(name, message));
        }
        if !view.partition_local {
            let message = format!(
                "`{name}`: the order of events in different partitions is not known, so a pattern needs all events of an entity in one: \
                 say `partition_local: true` if the topic's key makes it so, or leave the pattern out"
            );
            return Err(self.problem(name, message));
        }
        Ok(())
    }

    /// The events that a pattern is made of are those that count for the feature.
    fn counted_events(
        &self,
        name: &str,
        body: &Mapping,
        options: &mut Options,
        shape: &str,
    ) -> Result<(), Problem> {
        if options.when.is_some() {
            let message = format!("`{name}`: write the conditions of `when` into `of`");
            return Err(self.problem(name, message));
        }
        let of = body.get("of").ok_or_else(|| self.shape(name, shape))?;
        options.when = Some(self.predicate(name, of)?);
        Ok(())
    }

    fn within(&self, name: &str, body: &Mapping, shape: &str) -> Result<i64, Problem> {
        let text = body.get("within").and_then(Value::as_str);
        self.duration(name, text.ok_or_else(|| self.shape(name, shape))?)
    }

    fn maybe_predicate(
        &self,
        name: &str,
        value: Option<&Value>,
    ) -> Result<Option<Predicate>, Problem> {
        value.map(|value| self.predicate(name, value)).transpose()
    }

    fn parts<'v>(
        &self,
        name: &str,
        value: &'v Value,
        known: &[&str],
        shape: &str,
    ) -> Result<&'v Mapping, Problem> {
        let body = value.as_mapping().ok_or_else(|| self.shape(name, shape))?;
        let unknown = body
            .keys()
            .find(|key| !key.as_str().is_some_and(|key| known.contains(&key)));
        match unknown {
            None => Ok(body),
            Some(_) => Err(self.shape(name, shape)),
        }
    }

    fn shape(&self, name: &str, shape: &str) -> Problem {
        self.problem(name, format!("`{name}`: {shape}"))
    }
}
