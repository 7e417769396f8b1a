//! Where a view's rows stand beside PostgreSQL: `online: {redis: …}`.

use std::time::Duration;

use serde::Deserialize;
use serde_yaml_ng::{Mapping, Value};

use super::reader::Reader;
use crate::error::Problem;
use crate::features::redis::{self, RedisRows, RedisShape};
use crate::features::view::{FeatureView, ValueType};

/// `online:` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenOnline {
    #[serde(default = "yes")]
    postgres: bool,
    redis: Option<Value>,
}

fn yes() -> bool {
    true
}

/// `redis:` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRedis {
    key: String,
    #[serde(default)]
    kind: Kind,
    fields: Option<Vec<String>>,
    #[serde(default)]
    keys: Vec<String>,
    #[serde(default)]
    rename: Mapping,
    ttl: Option<String>,
}

#[derive(Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    #[default]
    Hash,
    List,
}

impl Reader<'_> {
    /// How the rows of `view`, which is read but for this, stand in Redis.
    pub(super) fn online(
        &self,
        written: &WrittenOnline,
        view: &FeatureView,
    ) -> Result<Option<RedisRows>, Problem> {
        if !written.postgres {
            let message = "`postgres: false`: PostgreSQL is the source of truth and always has the rows: leave `postgres` out";
            return Err(self.problem("postgres", message));
        }
        let Some(redis) = &written.redis else {
            return Ok(None);
        };
        let redis = match redis {
            Value::String(key) => WrittenRedis {
                key: key.clone(),
                kind: Kind::Hash,
                fields: None,
                keys: Vec::new(),
                rename: Mapping::new(),
                ttl: None,
            },
            other => serde_yaml_ng::from_value(other.clone())
                .map_err(|error| self.problem("redis", format!("`redis`: {error}")))?,
        };
        if !view.partition_local {
            let message = format!(
                "`redis`: the events of one entity of {} may be in several Kafka partitions; each partition has a partial row, and Redis \
                 cannot merge them when they are read. If all events of an entity have one key in Kafka, say `partition_local: true`",
                view.name
            );
            return Err(self.problem("redis", message));
        }
        Ok(Some(RedisRows {
            key: redis::key_parts(&redis.key, &view.key())
                .map_err(|message| self.redis_problem(message))?,
            ttl: self.redis_ttl(redis.ttl.as_deref(), view)?,
            shape: match redis.kind {
                Kind::Hash => self.hash(&redis, view)?,
                Kind::List => self.list(&redis, view)?,
            },
        }))
    }

    fn redis_problem(&self, message: impl std::fmt::Display) -> Problem {
        self.problem("redis", format!("`redis`: {message}"))
    }

    fn redis_ttl(
        &self,
        written: Option<&str>,
        view: &FeatureView,
    ) -> Result<Option<Duration>, Problem> {
        let Some(text) = written else {
            return Ok(view.ttl);
        };
        let ttl = Duration::from_micros(self.duration("ttl", text)?.unsigned_abs());
        if view.ttl.is_none_or(|longest| ttl > longest) {
            let message = "the ttl in Redis is longer than the view's, after which PostgreSQL has no row any more: lower it, or raise \
                           the view's `ttl`";
            return Err(self.redis_problem(message));
        }
        Ok(Some(ttl))
    }

    fn hash(&self, redis: &WrittenRedis, view: &FeatureView) -> Result<RedisShape, Problem> {
        for name in &redis.keys {
            if !view.key().contains(&name.as_str()) {
                let message = format!("`keys`: `{name}` is no column of the view's key");
                return Err(self.redis_problem(message));
            }
        }
        let columns = match &redis.fields {
            Some(names) => names.clone(),
            None => shown(view).into_iter().map(|(name, _)| name).collect(),
        };
        let known = fields(view);
        for name in &columns {
            if !known.iter().any(|field| field == name) {
                let message = format!(
                    "`fields`: the view has no `{name}`: it has {}",
                    known.join(", ")
                );
                return Err(self.redis_problem(message));
            }
        }
        let names = columns
            .iter()
            .map(|column| self.renamed(&redis.rename, column));
        let names: Vec<String> = names.collect::<Result<_, _>>()?;
        let unused = redis.rename.keys().find(|name| {
            !name
                .as_str()
                .is_some_and(|name| columns.iter().any(|column| column == name))
        });
        if let Some(name) = unused {
            let name = name.as_str().unwrap_or("?");
            return Err(self.redis_problem(format!("`rename`: `{name}` is none of its fields")));
        }
        let all: Vec<&String> = redis.keys.iter().chain(&names).collect();
        let twice = all
            .iter()
            .enumerate()
            .find(|(at, name)| all[..*at].contains(name));
        if let Some((_, name)) = twice {
            return Err(self.redis_problem(format!("the field `{name}` stands twice: keep one")));
        }
        if all.is_empty() {
            return Err(self.redis_problem("a hash without fields: name at least one"));
        }
        Ok(RedisShape::Hash {
            keys: redis.keys.clone(),
            fields: names.into_iter().zip(columns).collect(),
        })
    }

    fn renamed(&self, rename: &Mapping, column: &str) -> Result<String, Problem> {
        match rename.get(column) {
            None => Ok(column.to_owned()),
            Some(Value::String(name)) if !name.is_empty() => Ok(name.clone()),
            Some(_) => {
                Err(self.redis_problem(format!("`rename`: `{column}` gets a text as its name")))
            }
        }
    }

    fn list(&self, redis: &WrittenRedis, view: &FeatureView) -> Result<RedisShape, Problem> {
        if !redis.keys.is_empty() || !redis.rename.is_empty() {
            return Err(
                self.redis_problem("`keys` and `rename` are of hashes: a list has no fields")
            );
        }
        let columns: Vec<(String, ValueType)> = match &redis.fields {
            None => shown(view),
            Some(names) => (shown(view).into_iter())
                .filter(|(name, _)| names.contains(name))
                .collect(),
        };
        match columns.as_slice() {
            [(name, ValueType::TextArray)] => Ok(RedisShape::List(name.clone())),
            _ => Err(self.redis_problem(
                "a list shows one feature that is a list (last_n or top_k): name it, as in `fields: [some_feature]`",
            )),
        }
    }
}

/// What readers see of a view unless they ask for something else.
fn shown(view: &FeatureView) -> Vec<(String, ValueType)> {
    let features = view.features.iter().filter(|feature| !feature.hidden);
    let features = features.map(|feature| (feature.name.clone(), feature.value_type));
    let is_final = view
        .is_session()
        .then(|| ("is_final".to_owned(), ValueType::Boolean));
    features.chain(is_final).collect()
}

/// What can be a field.
fn fields(view: &FeatureView) -> Vec<String> {
    let shown = shown(view).into_iter().map(|(name, _)| name);
    let window_end = view.has_window_end().then(|| "window_end".to_owned());
    shown
        .chain(window_end)
        .chain(["event_time".to_owned()])
        .collect()
}
