//! A view as a whole.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_yaml_ng::{Mapping, Value};

use super::batch::WrittenBatch;
use super::online::WrittenOnline;
use super::reader::Reader;
use super::{fingerprint, former};
use crate::contract::Contract;
use crate::domain::Entity;
use crate::error::Problem;
use crate::features::view::{
    Aggregation, BEGAN, Condition, Feature, FeatureView, Join, ValueType, Window,
};
use crate::features::{Dimension, online};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    feature_view: String,
    #[serde(default)]
    description: String,
    entity: Entity,
    #[serde(default)]
    partition_local: bool,
    join: Option<Value>,
    window: Value,
    features: Mapping,
    ttl: Option<String>,
    batch: Option<WrittenBatch>,
    online: Option<WrittenOnline>,
}

/// Reads and checks one view.
pub(in crate::features) fn view(
    path: &Path,
    text: &str,
    contract: &Contract,
    dimensions: &[Dimension],
) -> Result<FeatureView, Problem> {
    let written: Written = serde_yaml_ng::from_str(text).map_err(|error| {
        let line = error.location().map(|location| location.line());
        let message = error.to_string();
        Problem::new(
            path,
            line,
            message.split(" at line ").next().unwrap_or_default(),
        )
    })?;
    let reader = Reader {
        path,
        text,
        contract,
    };
    let Some(join) = &written.join else {
        return reader.view(written, None);
    };
    // What is joined is a column like those of the contract, but for the entity.
    reader.entity(&written.entity.columns())?;
    let join = reader.join(join, dimensions)?;
    let taken = (join.take.iter()).map(|taken| (taken.name.clone(), taken.column_type));
    let contract = &contract.clone().with_joined(taken);
    let reader = Reader {
        path,
        text,
        contract,
    };
    reader.view(written, Some(join))
}

impl Reader<'_> {
    fn view(&self, written: Written, join: Option<Join>) -> Result<FeatureView, Problem> {
        let name = written.feature_view;
        self.identifier("feature_view", &name)?;
        if written.description.trim().is_empty() {
            let message =
                "the description is missing: say what one row is (`description: One ...`)";
            return Err(self.problem("feature_view", message));
        }
        let entity = written.entity.columns();
        self.entity(&entity)?;
        let mut features: Vec<Feature> = Vec::new();
        for (key, value) in &written.features {
            let Value::String(key) = key else {
                return Err(self.problem("features", "a feature's name is a text"));
            };
            let feature = self.feature(key, value, &features, &entity)?;
            features.push(feature);
        }
        if features.iter().all(|feature| feature.hidden) {
            return Err(self.problem("features", "no features: name at least one"));
        }
        let window = self.window(&written.window, &features)?;
        let ttl = match &written.ttl {
            None => None,
            Some(text) => Some(Duration::from_micros(
                self.duration("ttl", text)?.unsigned_abs(),
            )),
        };
        let batch = match written.batch {
            None => None,
            Some(batch) => Some(self.batch(batch, &features)?),
        };
        if matches!(window, Window::Session { .. }) && !written.partition_local {
            features.push(self.began()?);
        }
        let mut view = FeatureView {
            name,
            domain: self.contract.domain().to_owned(),
            description: written.description,
            entity,
            partition_local: written.partition_local,
            join,
            window,
            features,
            ttl,
            batch,
            redis: None,
            fingerprint: String::new(),
            former_fingerprint: String::new(),
        };
        self.fits(&view)?;
        if let Some(online) = &written.online {
            view.redis = self.online(online, &view)?;
        }
        view.fingerprint = fingerprint::of(&view, self.contract);
        view.former_fingerprint = former::of(&view, self.contract);
        Ok(view)
    }

    /// What tells the partials of one session from those of another of the same name.
    fn began(&self) -> Result<Feature, Problem> {
        let event_time = self.column("window", self.contract.event_time())?;
        Ok(Feature {
            name: BEGAN.to_owned(),
            aggregation: Aggregation::Min(event_time),
            when: None,
            hidden: true,
            default: None,
            round: None,
            value_type: ValueType::Timestamp,
        })
    }

    /// Checks that need the whole view.
    fn fits(&self, view: &FeatureView) -> Result<(), Problem> {
        if let Some(start) = view.start() {
            self.fits_sessions(view, start)?;
        }
        for feature in &view.features {
            let name = &feature.name;
            let timed_out = matches!(&feature.aggregation, Aggregation::Case(cases)
                if cases.iter().any(|case| case.conditions.contains(&Condition::TimedOut)));
            if timed_out && !view.is_session() {
                let message = format!("`{name}`: timed_out is of sessions only");
                return Err(self.problem(name, message));
            }
            if feature.aggregation.is_pattern() {
                self.pattern_fits(view, name)?;
            }
            let last = matches!(view.window, Window::Last { .. });
            if last && !view.partition_local && !online::mergeable_in_last(feature) {
                let message = format!(
                    "`{name}`: the newest events of several partitions can be merged for last and last_n only: \
                     use those, another window, or `partition_local: true`"
                );
                return Err(self.problem(name, message));
            }
        }
        Ok(())
    }
    /// Sessions without an id.
    fn fits_sessions(&self, view: &FeatureView, start: &str) -> Result<(), Problem> {
        let wrong = |key: &str, message: &str| Err(self.problem(key, message));
        if view.entity.iter().any(|column| column == start) {
            return wrong(
                "window",
                "`start` is the entity already: it is a column of its own",
            );
        }
        if !view.partition_local {
            let message = "parts of a session in several partitions cannot be told to be one without an id: write `partition_local: true`, and \
                           let the producer key messages by the entity";
            return wrong("window", message);
        }
        if view.batch.is_some() {
            let message = "sessions without an id have no batch table that is compared with them: leave out `batch`";
            return wrong("batch", message);
        }
        Ok(())
    }
}
