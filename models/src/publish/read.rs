//! The `publish` block of a model's `.yml`, as it is written and after checking.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;

use super::sql::ALWAYS;
use super::view::BatchView;
use crate::duration;
use crate::error::{ConfigError, Problem};
use crate::features::key_parts;
use crate::project::{Column, Model, PARTITION_COLUMN, Project, is_identifier};

/// The block as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    view: Option<String>,
    entity: Vec<String>,
    features: Option<Vec<String>>,
    ttl: String,
    #[serde(default)]
    stores: Stores,
}

/// Who has the rows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stores {
    #[serde(default = "yes")]
    postgres: bool,
    redis: Option<String>,
}

impl Default for Stores {
    fn default() -> Self {
        Self {
            postgres: true,
            redis: None,
        }
    }
}

fn yes() -> bool {
    true
}

/// The batch views of a project, in the order in which their models run.
pub fn views(project: &Project) -> Result<Vec<BatchView>, ConfigError> {
    let (mut views, mut problems) = (Vec::<BatchView>::new(), Vec::new());
    for model in project.models() {
        let Some((block, line)) = &model.publish else {
            continue;
        };
        let read = read(model, block).and_then(|view| {
            let beside = |other: &&BatchView| other.name == view.name;
            if let Some(other) = views.iter().find(beside) {
                return Err(format!(
                    "view `{}` is also that of {}: give one of them another name with `view`",
                    view.name, other.model
                ));
            }
            let form = view.redis_form();
            let beside = |other: &&BatchView| form.is_some() && other.redis_form() == form;
            match views.iter().find(beside) {
                Some(other) => Err(format!(
                    "`redis`: rows of {} have such keys too, and each publication replaces what is under its own: begin them otherwise",
                    other.name
                )),
                None => Ok(view),
            }
        });
        match read {
            Ok(view) => views.push(view),
            Err(message) => {
                let message = format!("publish: {message}");
                problems.push(Problem::new(&model.yml, *line, message));
            }
        }
    }
    match problems.is_empty() {
        true => Ok(views),
        false => Err(ConfigError::Project(problems)),
    }
}

fn read(model: &Model, block: &serde_json::Value) -> Result<BatchView, String> {
    let written = Written::deserialize(block).map_err(|error| {
        format!("{error}: write entity: [user_id], ttl: 3d and, where they differ from the model's, view and features")
    })?;
    if !written.stores.postgres {
        return Err(
            "`postgres: false`: PostgreSQL is the source of truth and always has the rows: leave `postgres` out".to_owned(),
        );
    }
    let name = written.view.unwrap_or_else(|| model.table.clone());
    if !is_identifier(&name) {
        return Err(format!("`{name}` is no name of a view: use a-z, 0-9 and _"));
    }
    let grain: BTreeSet<&str> = model.key().into_iter().collect();
    if written
        .entity
        .iter()
        .map(String::as_str)
        .collect::<BTreeSet<_>>()
        != grain
        || written.entity.len() != grain.len()
    {
        return Err(format!(
            "entity ({}) is not what tells the rows of a date apart, ({}): name the columns of the model's unique_combination_of_columns, \
             without {PARTITION_COLUMN}",
            written.entity.join(", "),
            model.key().join(", ")
        ));
    }
    let features = match written.features {
        Some(names) => names,
        None => {
            let names = model.columns.iter().map(|column| column.name.clone());
            let other = |name: &String| name != PARTITION_COLUMN && !written.entity.contains(name);
            names.filter(other).collect()
        }
    };
    let (key, features) = (columns(model, &written.entity)?, columns(model, &features)?);
    if features.is_empty() {
        return Err("no features: name columns of the model".to_owned());
    }
    let mut seen = BTreeSet::new();
    for column in key.iter().chain(&features) {
        let name = column.name.as_str();
        if ALWAYS.iter().any(|(taken, ..)| *taken == name) || name.starts_with('_') {
            return Err(format!(
                "column `{name}` has the name of one that every view has: leave it out of `features`, or call it otherwise in the model"
            ));
        }
        if !seen.insert(name) {
            return Err(format!("column `{name}` is named twice: keep one"));
        }
    }
    let ttl = duration::parse(&written.ttl, duration::TEN_YEARS);
    let whole = ttl.filter(|ttl| *ttl >= Duration::from_secs(1) && ttl.subsec_nanos() == 0);
    let ttl = whole.ok_or_else(|| {
        format!(
            "ttl `{}` is no duration: write a number and a unit, such as 3d",
            written.ttl
        )
    })?;
    let entity: Vec<&str> = written.entity.iter().map(String::as_str).collect();
    let redis = written.stores.redis.as_deref();
    let redis = redis.map(|key| key_parts(key, &entity)).transpose();
    let redis = redis.map_err(|message| format!("`redis`: {message}"))?;
    Ok(BatchView {
        name,
        model: model.name.clone(),
        domain: model.domain.clone(),
        description: model.description.clone(),
        key,
        features,
        ttl,
        redis,
    })
}

fn columns(model: &Model, names: &[String]) -> Result<Vec<Column>, String> {
    let find = |name: &String| {
        let mut columns = model.columns.iter();
        let found = columns.find(|column| column.name == *name && name != PARTITION_COLUMN);
        found.cloned().ok_or_else(|| {
            let known = model.columns.iter().map(|column| column.name.as_str());
            let known: Vec<&str> = known.filter(|name| *name != PARTITION_COLUMN).collect();
            format!(
                "the model has no column `{name}` to publish: it has {}",
                known.join(", ")
            )
        })
    };
    names.iter().map(find).collect()
}
