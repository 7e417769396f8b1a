//! Redis beside PostgreSQL, from outside: the command `sessionize`, the rows in PostgreSQL, and what a reader finds with `redis-cli`.
//!
//! The domain is one of the test's own. What Redis has to have is computed by PostgreSQL from its own rows, by the rules that
//! docs/features.md gives.

mod faults;
mod guards;
mod leaving;
mod shapes;
mod tls;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use userflow_tests::broker::{Sender, brokers, create_topic};
use userflow_tests::process::{Running, binary, must, root, start, wait_for};

use crate::postgres::{Database, server_url};

const PATIENCE: Duration = Duration::from_secs(90);
const PARTITIONS: i32 = 3;

const CONTRACT: &str = r#"{
  "type": "object", "x-domain": "bazaar", "x-limits": {"max_bytes": 4096, "max_depth": 4, "max_future": "1h"},
  "x-event-id": "id", "x-event-type": "kind", "x-event-time": "at", "x-key": "user_id", "x-partition": "event_date",
  "required": ["id", "kind", "at", "user_id"],
  "properties": {
    "id": {"type": "string", "x-column": {"name": "id", "type": "string"}},
    "kind": {"type": "string", "enum": ["look", "buy"], "x-column": {"name": "kind", "type": "string"}},
    "at": {"type": "string", "format": "date-time", "x-column": {"name": "at", "type": "timestamp"}},
    "user_id": {"type": "string", "x-column": {"name": "user_id", "type": "string"}},
    "visit_id": {"type": ["string", "null"], "x-column": {"name": "visit_id", "type": "string"}},
    "item": {"type": ["string", "null"], "x-column": {"name": "item", "type": "string"}},
    "price": {"type": ["number", "null"], "x-column": {"name": "price", "type": "decimal(14,2)"}}
  }
}"#;

/// Views of users that share a hash, a list of theirs, their visits, and one that is in PostgreSQL only.
const VIEWS: [(&str, &str); 6] = [
    (
        "bazaar_hour",
        "entity: user_id
partition_local: true
window: {sliding: 1h, every: 10m}
features:
  looks: {count: {when: {kind: look}}}
  avg_price: {avg: price}
ttl: 2h
online: {postgres: true, redis: {key: \"user_features:{user_id}\", keys: [user_id], rename: {looks: looks_1h, avg_price: avg_price_1h}}}
",
    ),
    (
        "bazaar_ever",
        "entity: user_id
partition_local: true
window: lifetime
features:
  events: {count: {}}
  spent: {sum: price, when: {kind: buy}}
  bought: {seen: {kind: buy}}
  newest_item: {last: item}
  bought_at: {max: at, when: {kind: buy}}
  items: {last_n: item, n: 2}
ttl: 10d
online: {redis: \"user_features:{user_id}\"}
",
    ),
    (
        "bazaar_recent",
        "entity: user_id
partition_local: true
window: {last: 50}
features:
  recent_items: {last_n: item, n: 3}
ttl: 1h
online: {redis: {key: \"recent_items:{user_id}\", kind: list}}
",
    ),
    (
        "bazaar_visit",
        "entity: [user_id, visit_id]
partition_local: true
window: {session: 10m}
features:
  events: {count: {}}
  started_at: {min: at}
ttl: 1d
online: {redis: {key: \"visits:{user_id}:{visit_id}\", keys: [user_id], ttl: 12h}}
",
    ),
    (
        "bazaar_stay",
        "entity: user_id
partition_local: true
window: {session: 10m, start: began}
features:
  events: {count: {}}
ttl: 1d
online: {redis: {key: \"stays:{user_id}:{began}\", keys: [user_id, began]}}
",
    ),
    (
        "bazaar_item",
        "entity: item
window: lifetime
features:
  events: {count: {}}
",
    ),
];

/// What Redis has to have, from what PostgreSQL has: key and value, a hash as an object and a list as an array.
const EXPECTED: &str = "
    SELECT 'user_features:' || user_id AS key, jsonb_strip_nulls(jsonb_build_object(
        'user_id', h.user_id, 'looks_1h', h.looks::text, 'avg_price_1h', as_double(h.avg_price),
        'events', e.events::text, 'spent', as_double(e.spent), 'bought', e.bought::text, 'newest_item', e.newest_item,
        'bought_at', as_ms(e.bought_at), 'items', replace(to_json(e.items)::text, '\", \"', '\",\"'))) AS value
      FROM online.bazaar_hour AS h FULL JOIN online.bazaar_ever AS e USING (user_id)
    UNION ALL SELECT 'recent_items:' || user_id, to_jsonb(recent_items) FROM online.bazaar_recent
      WHERE cardinality(recent_items) > 0
    UNION ALL SELECT 'visits:' || user_id || ':' || visit_id, jsonb_build_object(
        'user_id', user_id, 'events', events::text, 'started_at', as_ms(started_at), 'is_final', is_final::text)
      FROM online.bazaar_visit
    UNION ALL SELECT 'stays:' || user_id || ':' || as_ms(began), jsonb_build_object(
        'user_id', user_id, 'began', as_ms(began), 'events', events::text, 'is_final', is_final::text)
      FROM online.bazaar_stay";
const FORMATS: &str = "
    CREATE FUNCTION as_ms(timestamptz) RETURNS text LANGUAGE sql AS $$ SELECT trunc(extract(epoch FROM $1) * 1000)::bigint::text $$;
    CREATE FUNCTION as_double(float8) RETURNS text LANGUAGE sql AS $$
      SELECT CASE WHEN $1 = trunc($1) THEN $1::bigint::text || '.0' ELSE $1::text END $$";

/// Keys with their values, hashes as objects and lists as arrays.
type Contents = BTreeMap<String, Value>;

/// All of it but what is userflow's own.
const DUMP: &str = "
    local found = {}
    for _, key in ipairs(redis.call('KEYS', '*')) do
      if string.sub(key, 1, 9) ~= 'userflow:' then
        local kind = redis.call('TYPE', key).ok
        local value = {}
        if kind == 'hash' then
          local flat = redis.call('HGETALL', key)
          for at = 1, #flat, 2 do value[flat[at]] = flat[at + 1] end
        elseif kind == 'list' then
          value = redis.call('LRANGE', key, 0, -1)
        else
          value = kind
        end
        found[key] = value
      end
    end
    return cjson.encode(found)";

/// A Redis of one test's own.
pub(crate) struct Redis {
    folder: TempDir,
    port: String,
}

impl Redis {
    pub(crate) fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let said = must(script("start", folder.path()).env_remove("USERFLOW_REDIS_URL"))?;
        let said = String::from_utf8(said.stdout)?;
        let port = said.trim().rsplit(':').next().context("a port")?.to_owned();
        Ok(Self { folder, port })
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// What `redis-cli` prints.
    fn cli(&self, words: &[&str]) -> Result<String> {
        let mut command = Command::new("redis-cli");
        command.args(["-p", &self.port, "--raw"]).args(words);
        let output = must(&mut command)?;
        Ok(String::from_utf8(output.stdout)?
            .trim_end_matches('\n')
            .to_owned())
    }

    /// The lines that it prints.
    fn lines(&self, words: &[&str]) -> Result<Vec<String>> {
        Ok(self.cli(words)?.lines().map(str::to_owned).collect())
    }

    fn number(&self, words: &[&str]) -> Result<i64> {
        let said = self.cli(words)?;
        said.parse().with_context(|| format!("{words:?}: {said}"))
    }

    fn contents(&self) -> Result<Contents> {
        let said = self.cli(&["EVAL", DUMP, "0"])?;
        serde_json::from_str(&said).with_context(|| said)
    }

    /// Ends it at once, and all that it holds.
    fn kill(&self) -> Result<()> {
        must(&mut script("kill", self.folder.path())).map(drop)
    }

    /// Starts it again, on the same port and empty.
    fn start_again(&self) -> Result<()> {
        must(&mut script("start", self.folder.path())).map(drop)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // A test that failed says why itself.
        drop(script("kill", self.folder.path()).output());
    }
}

fn script(command: &str, folder: &Path) -> Command {
    let mut script = Command::new(root().join("deploy/servers/redis"));
    script.args([command, "--dir"]).arg(folder);
    script
}

/// A domain, a topic, and PostgreSQL with its tables.
struct Stage {
    folder: TempDir,
    models: PathBuf,
    topic: String,
    sender: Sender,
    database: Database,
    sent: i64,
}

impl Stage {
    fn set(label: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let models = folder.path().join("models");
        let features = models.join("bazaar/features");
        std::fs::create_dir_all(&features)?;
        std::fs::copy(
            root().join("models/dbt_project.yml"),
            models.join("dbt_project.yml"),
        )?;
        std::fs::write(models.join("bazaar/contract.json"), CONTRACT)?;
        for (name, text) in VIEWS {
            let text = format!("feature_view: {name}\ndescription: One of the test's\n{text}");
            std::fs::write(features.join(format!("{name}.yml")), text)?;
        }
        let topic = create_topic(&format!("redis.{label}"), PARTITIONS)?;
        let database = new_database(&models, folder.path(), label)?;
        Ok(Self {
            sender: Sender::new(&topic)?,
            folder,
            models,
            topic,
            database,
            sent: 0,
        })
    }

    /// The command, with a Redis at this URL or without.
    fn sessionize(&self, redis: Option<&str>) -> Command {
        self.sessionize_into(&self.database, "checkpoints", redis)
    }

    fn sessionize_into(
        &self,
        database: &Database,
        checkpoints: &str,
        redis: Option<&str>,
    ) -> Command {
        let mut command = binary("userflow-ingester");
        command
            .args(["sessionize", "--domain", "bazaar", "--models"])
            .arg(&self.models)
            .args([
                "--topic",
                &self.topic,
                "--brokers",
                &brokers(),
                "--group",
                &self.topic,
            ])
            .args(["--postgres-url", database.url(), "--checkpoints"])
            .arg(self.folder.path().join(checkpoints))
            .args([
                "--idle-timeout",
                "3600",
                "--threads",
                "1",
                "--output",
                "json",
            ])
            .args(["--checkpoint-interval", "0.2", "--flush-interval", "0.05"])
            .args(["--kafka-option", "session.timeout.ms=6000"]);
        if let Some(url) = redis {
            command.args(["--redis-url", url]);
        }
        command
    }

    fn start(&self, redis: &str) -> Result<Running> {
        start(&mut self.sessionize(Some(redis)), &self.log_file())
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("sessionize.log")
    }

    fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.log_file())?)
    }

    /// Runs to the end of the topic; what it said.
    fn catch_up(&self, redis: Option<&str>) -> Result<String> {
        let output = must(self.sessionize(redis).arg("--until-caught-up"))?;
        Ok(String::from_utf8(output.stderr)?)
    }

    /// Sends an event of a user, so many seconds before now.
    fn send(&mut self, user: &str, ago: i64, more: &Value) -> Result<()> {
        let at = chrono::Utc::now().timestamp_millis() - ago * 1_000;
        self.send_at(user, at, more)
    }

    fn send_at(&mut self, user: &str, at: i64, more: &Value) -> Result<()> {
        let time = chrono::DateTime::from_timestamp_millis(at).context("a time")?;
        let mut event = serde_json::json!({
            "id": format!("{}", self.sent),
            "kind": "look",
            "at": time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            "user_id": user,
        });
        for (name, value) in more.as_object().context("an object")? {
            event[name] = value.clone();
        }
        self.sent += 1;
        self.sender
            .send(partition(user), Some(event.to_string().as_bytes()), at)
    }

    /// Sends events of many users.
    fn send_many(&mut self, events: i64) -> Result<()> {
        for _ in 0..events {
            let number = self.sent;
            let user = format!("u{}", number % 97);
            let more = serde_json::json!({
                "kind": if number % 5 == 0 { "buy" } else { "look" },
                "item": format!("i{}", number % 13),
                "visit_id": format!("v{}", number % 7),
                "price": (number % 1_000) as f64 / 8.0,
            });
            self.send(&user, 60, &more)?;
        }
        self.sender.flush()
    }

    /// Waits until PostgreSQL has every event that was sent.
    fn postgres_has_all(&self) -> Result<()> {
        wait_for("every event in PostgreSQL", PATIENCE, || {
            let events = self
                .database
                .number("SELECT coalesce(sum(events), 0)::bigint FROM online.bazaar_ever")?;
            Ok((events == self.sent).then_some(()))
        })
    }

    /// What Redis has to have.
    fn expected(&self) -> Result<Contents> {
        expected(&self.database)
    }

    /// Waits until Redis has what PostgreSQL has.
    fn redis_has_all(&self, redis: &Redis) -> Result<()> {
        let equal = wait_for("Redis to have what PostgreSQL has", PATIENCE, || {
            let expected = self.expected()?;
            ensure!(!expected.is_empty(), "there is nothing to compare");
            Ok((redis.contents()? == expected).then_some(()))
        });
        equal.with_context(|| {
            let (found, expected) = (
                redis.contents().unwrap_or_default(),
                self.expected().unwrap_or_default(),
            );
            let differs = expected
                .iter()
                .filter(|(key, value)| found.get(*key) != Some(value));
            let differs: Vec<_> = differs
                .map(|(key, value)| (key, value, found.get(key)))
                .take(3)
                .collect();
            let extra: Vec<_> = found
                .keys()
                .filter(|key| !expected.contains_key(*key))
                .take(3)
                .collect();
            format!(
                "{} keys, expected {}: {differs:?}, and {extra:?}",
                found.len(),
                expected.len()
            )
        })
    }
}

fn expected(database: &Database) -> Result<Contents> {
    let rows: Vec<(String, String)> =
        database.rows(&format!("SELECT key, value::text FROM ({EXPECTED}) AS e"))?;
    (rows.into_iter())
        .map(|(key, value)| Ok((key, serde_json::from_str(&value)?)))
        .collect()
}

/// A database with the tables of the domain.
fn new_database(models: &Path, folder: &Path, label: &str) -> Result<Database> {
    let database = Database::create(&server_url(), label)?;
    must(
        binary("userflow-jobs")
            .args(["init", "--domain", "bazaar", "--models"])
            .arg(models)
            .arg("--lake")
            .arg(folder.join(format!("{label}.lake")))
            .args(["--postgres-url", database.url()]),
    )?;
    database.execute(FORMATS)?;
    Ok(database)
}

/// A user's partition.
fn partition(user: &str) -> i32 {
    let sum: i32 = user.bytes().map(i32::from).sum();
    sum % PARTITIONS
}
