//! The window of a view.

use serde_yaml_ng::{Mapping, Value};

use super::reader::Reader;
use crate::error::Problem;
use crate::features::view::{Aggregation, Ending, Feature, Test, ValueType, Window};

/// Most panes that a window may be cut into.
const MOST_PANES: i64 = 1_440;
/// Default of a window's `exact_up_to`: events of an entity that are kept one by one.
const EXACT_EVENTS: u32 = 1_000;

impl Reader<'_> {
    pub(super) fn window(&self, value: &Value, features: &[Feature]) -> Result<Window, Problem> {
        if value.as_str() == Some("lifetime") {
            return Ok(Window::Lifetime);
        }
        let shape = || {
            let message = "unknown window: use {session: 10m, keep: 2h}, {session: 10m, start: started_at}, {sliding: 1h, every: 10m}, {sliding: 10m}, {tumbling: 1h}, {last: 50} or lifetime";
            self.problem("window", message)
        };
        let body = value.as_mapping().ok_or_else(shape)?;
        let known = |keys: &[&str]| {
            body.keys()
                .all(|key| key.as_str().is_some_and(|key| keys.contains(&key)))
        };
        let time = |key: &str| match body.get(key) {
            Some(Value::String(text)) => self.duration("window", text),
            _ => Err(shape()),
        };
        if body.contains_key("start") && known(&["session", "keep", "start", "ends"]) {
            return self.sessions(body, features);
        }
        if body.contains_key("session") && known(&["session", "keep", "ends"]) {
            let keep = if body.contains_key("keep") {
                time("keep")?
            } else {
                0
            };
            let ends = match body.get("ends") {
                None => None,
                Some(ends) => Some(self.ending(ends, features)?),
            };
            return Ok(Window::Session {
                gap: time("session")?,
                keep,
                ends,
            });
        }
        if body.contains_key("every") && known(&["sliding", "every"]) {
            let (size, every) = (time("sliding")?, time("every")?);
            if size % every != 0 || size / every > MOST_PANES {
                let message = format!(
                    "impossible window: its length must be a multiple of `every`, at most {MOST_PANES} times"
                );
                return Err(self.problem("window", message));
            }
            return Ok(Window::Sliding { size, every });
        }
        if body.contains_key("sliding") && known(&["sliding", "exact_up_to"]) {
            let most = match body.get("exact_up_to") {
                None => EXACT_EVENTS,
                Some(most) => self.number("window", "exact_up_to", most, 1, 10_000)?,
            };
            return Ok(Window::Exact {
                size: time("sliding")?,
                most: most as usize,
            });
        }
        if body.contains_key("tumbling") && known(&["tumbling"]) {
            let size = time("tumbling")?;
            return Ok(Window::Sliding { size, every: size });
        }
        if let (Some(events), true) = (body.get("last"), known(&["last"])) {
            let events = self.number("window", "last", events, 1, 10_000)?;
            return Ok(Window::Last {
                events: events as usize,
            });
        }
        Err(shape())
    }

    /// Sessions without an id.
    fn sessions(&self, body: &Mapping, features: &[Feature]) -> Result<Window, Problem> {
        let time = |key: &str| match body.get(key) {
            Some(Value::String(text)) => self.duration("window", text),
            _ => Err(self.problem("window", format!("`{key}` is a duration such as 10m"))),
        };
        if body.contains_key("ends") {
            let message = "a session without an id ends by its gap alone: leave out `ends`, or name a session id in `entity` and leave out `start`";
            return Err(self.problem("window", message));
        }
        let start = body.get("start").and_then(Value::as_str);
        let start = start.ok_or_else(|| {
            let message = "`start` names the key column with the time of a session's first event: write `start: started_at`";
            self.problem("window", message)
        })?;
        self.free_name("window", start)?;
        if features.iter().any(|feature| feature.name == start) {
            let message = format!("`{start}` is a feature already: `start` is a column of its own");
            return Err(self.problem("window", message));
        }
        Ok(Window::Sessions {
            gap: time("session")?,
            keep: match body.contains_key("keep") {
                true => time("keep")?,
                false => 0,
            },
            start: start.to_owned(),
        })
    }

    fn ending(&self, value: &Value, features: &[Feature]) -> Result<Ending, Problem> {
        let shape = || {
            let message = "write `ends: {on: {column: value}, if: {case feature: [values]}}`";
            self.problem("window", message)
        };
        let on = self.predicate("window", value.get("on").ok_or_else(shape)?)?;
        let conditions = value
            .get("if")
            .and_then(Value::as_mapping)
            .ok_or_else(shape)?;
        let (Some((state, values)), 1) = (conditions.iter().next(), conditions.len()) else {
            return Err(shape());
        };
        let state = self.earlier("window", state.as_str().ok_or_else(shape)?, features)?;
        let Aggregation::Case(cases) = &features[state].aggregation else {
            return Err(shape());
        };
        let Test::OneOf(values) = self.test("window", ValueType::Text, values)? else {
            return Err(shape());
        };
        if let Some(unknown) = values
            .iter()
            .find(|v| !cases.iter().any(|case| case.value == **v))
        {
            let message = format!("`ends`: `{}` is never `{unknown}`", features[state].name);
            return Err(self.problem("window", message));
        }
        Ok(Ending { on, state, values })
    }
}
