//! Redis: the keys of a plan's rows, all asked for in one transaction, and what the answers say.
//!
//! Beside each key of readers the sessionizer keeps a guard (`userflow:guard:<key>`: by view, version, partition and event time of what is
//! there). So an answer from Redis has the event time that the time to live is counted from, which the hash itself lacks. Key and guard are
//! read in one transaction, so they fit each other. A row counts only if its guard names the view and one of its values is there: a key may
//! have been evicted and made again by another view.
//!
//! A view is read here if all that is asked of it stands in Redis, and its key cannot be that of another entity: two columns of text can.

use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, ConnectionAddr, Pipeline};
use tokio::sync::Mutex;
use userflow_models::features::{KeyPart, RESERVED, RedisRows, RedisShape};
use userflow_models::services::{KeyType, ServedView};
use userflow_process::exit::WrongSetup;
use userflow_process::redis::RedisUrl;

use super::breaker::Breaker;
use super::value::{Row, Value};
use crate::config::RedisArgs;
use crate::plan::{KeyValues, Part, Plan};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(1);

/// The cache beside the online store.
pub(crate) struct Redis {
    client: Client,
    timeout: Duration,
    breaker: Breaker,
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl Redis {
    /// Connects to nothing yet.
    pub(crate) fn new(url: &RedisUrl, args: &RedisArgs) -> Result<Self, WrongSetup> {
        // The error's text is left out: it may quote a part of the URL.
        let client = Client::open(url.text()?).map_err(|_| url.unreadable())?;
        let address = client.get_connection_info().addr();
        if matches!(address, ConnectionAddr::TcpTls { .. }) {
            // The other of the two cryptographies in the tree is as good; somebody may have chosen already.
            drop(rustls::crypto::ring::default_provider().install_default());
        }
        Ok(Self {
            client,
            timeout: args.timeout,
            breaker: Breaker::new(args.pause),
            connection: Mutex::default(),
        })
    }

    /// Where it is, for a message: no password.
    pub(crate) fn place(&self) -> String {
        let info = self.client.get_connection_info();
        format!(
            "Redis at {}, database {}",
            info.addr(),
            info.redis_settings().db()
        )
    }

    /// The parts of a plan that are read here.
    pub(super) fn asked(&self, plan: &Plan) -> Vec<usize> {
        let parts = plan.parts.iter().enumerate();
        let asked = parts.filter(|(_, part)| stands_here(&part.view, &part.features));
        asked.map(|(number, _)| number).collect()
    }

    /// The rows of these parts, by entity; none where Redis has none. None at all: it does not answer.
    pub(super) async fn read(&self, plan: &Plan, parts: &[usize]) -> Option<Vec<Vec<Option<Row>>>> {
        if !self.breaker.admits(Instant::now()) {
            return None;
        }
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        for part in parts {
            for row in 0..plan.rows {
                if let Some(key) = key_of(plan, &plan.parts[*part], row) {
                    ask(&mut pipeline, &plan.parts[*part], &key);
                }
            }
        }
        let answers = match tokio::time::timeout(self.timeout, self.send(&pipeline)).await {
            Ok(Ok(answers)) => answers,
            failed => {
                let why = match failed {
                    Ok(Err(error)) => error.to_string(),
                    _ => format!("no answer within {:?}", self.timeout),
                };
                *self.connection.lock().await = None;
                if self.breaker.failed(Instant::now()) {
                    tracing::warn!("Redis is away, PostgreSQL answers for it: {why}");
                }
                return None;
            }
        };
        if self.breaker.succeeded() {
            tracing::info!("Redis answers again");
        }
        let mut answers = answers.into_iter();
        let found = parts.iter().map(|part| {
            let part = &plan.parts[*part];
            let rows = (0..plan.rows).map(|row| {
                key_of(plan, part, row)?;
                let (values, guard) = (answers.next()?, answers.next()?);
                row_of(part, values, &guard)
            });
            rows.collect()
        });
        Some(found.collect())
    }

    /// Looks whether it answers, and tells the breaker.
    pub(crate) async fn look(&self) -> bool {
        let mut pipeline = redis::pipe();
        pipeline.cmd("PING");
        let answered = tokio::time::timeout(CONNECT, self.send(&pipeline)).await;
        match answered {
            Ok(Ok(_)) => {
                self.breaker.succeeded();
                true
            }
            _ => {
                *self.connection.lock().await = None;
                self.breaker.failed(Instant::now());
                false
            }
        }
    }

    async fn send(&self, pipeline: &Pipeline) -> redis::RedisResult<Vec<redis::Value>> {
        let mut connection = self.connected().await?;
        pipeline.query_async(&mut connection).await
    }

    async fn connected(&self) -> redis::RedisResult<MultiplexedConnection> {
        let mut kept = self.connection.lock().await;
        if let Some(connection) = &*kept {
            return Ok(connection.clone());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(CONNECT));
        let made = (self.client)
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        *kept = Some(made.clone());
        Ok(made)
    }
}

/// Whether a view's rows can be read from Redis, and these features of them.
fn stands_here(view: &ServedView, features: &[usize]) -> bool {
    let texts = view.key.iter().filter(|key| key.key_type == KeyType::Text);
    let all = (features.iter()).all(|feature| view.features[*feature].field.is_some());
    view.redis.is_some() && texts.count() == 1 && all
}

/// The key of a row; none: nothing can be found by it.
fn key_of(plan: &Plan, part: &Part, row: usize) -> Option<String> {
    let redis = part.view.redis.as_ref()?;
    let mut text = String::new();
    for piece in &redis.key {
        match piece {
            KeyPart::Text(piece) => text.push_str(piece),
            KeyPart::Column(name) => {
                let place = part.view.key.iter().position(|key| key.name == *name)?;
                match &plan.keys[part.keys[place]].1 {
                    KeyValues::Text(texts) => text.push_str(texts[row].as_ref()?),
                    KeyValues::Time(times) => {
                        text.push_str(&times[row]?.timestamp_millis().to_string());
                    }
                }
            }
        }
    }
    Some(text)
}

/// Asks for the values of a row and its guard.
fn ask(pipeline: &mut Pipeline, part: &Part, key: &str) {
    let view = &part.view;
    let Some(RedisRows { shape, .. }) = &view.redis else {
        return;
    };
    match shape {
        RedisShape::List(_) => {
            pipeline.add_command(command("LRANGE", key, &["0", "-1"]));
        }
        RedisShape::Hash { .. } => {
            let fields = part.features.iter();
            let fields = fields.filter_map(|feature| view.features[*feature].field.as_deref());
            let fields: Vec<&str> = fields.collect();
            pipeline.add_command(command("HMGET", key, &fields));
        }
    }
    let guard = format!("{RESERVED}guard:{key}");
    pipeline.add_command(command("HGET", &guard, &[&view.name]));
}

fn command(name: &str, key: &str, arguments: &[&str]) -> Cmd {
    let mut command = redis::cmd(name);
    command.arg(key);
    for argument in arguments {
        command.arg(*argument);
    }
    command
}

/// What the answers of a row say; none: it is not there, or not whole.
fn row_of(part: &Part, values: redis::Value, guard: &redis::Value) -> Option<Row> {
    let guard: Option<String> = redis::from_redis_value_ref(guard).ok()?;
    let event_time = guard?.rsplit(':').next()?.parse().ok()?;
    let view = &part.view;
    let values = match &view.redis.as_ref()?.shape {
        RedisShape::List(_) => {
            let texts: Vec<Option<String>> = redis::from_redis_value(values).ok()?;
            if texts.is_empty() {
                return None;
            }
            vec![Value::Texts(texts)]
        }
        RedisShape::Hash { .. } => {
            let texts: Vec<Option<String>> = redis::from_redis_value(values).ok()?;
            if texts.iter().all(Option::is_none) {
                return None;
            }
            let read = texts.iter().zip(&part.features);
            let read = read.map(|(text, feature)| match text {
                None => Some(Value::Null),
                Some(text) => Value::of_field(text, view.features[*feature].value_type),
            });
            read.collect::<Option<Vec<Value>>>()?
        }
    };
    Some(Row { event_time, values })
}
