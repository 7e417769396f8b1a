//! How far bronze is behind its topic: how many messages wait, and for how long the oldest does. Reads only. A running ingester shows
//! the same as a metric; this is for schedulers and people, and works while no ingester runs.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde_json::json;
use userflow_lake::{Lake, TableName};
use userflow_models::bronze;
use userflow_models::domain::Domain;
use userflow_process::exit::Stopped;

use super::app_ids::AppIds;
use crate::config::{LagArgs, Output};
use crate::kafka::{self, First, Probe, Source, Watermarks};

/// The client's name in the group protocol; it joins no group.
const GROUP: &str = "userflow-lag";

/// One partition.
#[derive(Debug, PartialEq)]
struct Waiting {
    partition: i32,
    /// The offset that bronze goes on at.
    next: i64,
    /// The offset that the topic's next message will get.
    end: i64,
    /// Messages that wait.
    messages: i64,
    /// Messages that the topic lost before they were ingested.
    lost: i64,
    /// When the oldest of those that wait came, by Kafka's clock or the producer's, as the topic is set.
    since: Option<DateTime<Utc>>,
}

/// Prints the lag; exit code 3 when it is beyond a limit.
pub fn run(args: &LagArgs) -> Result<()> {
    let domain = Domain::load(&args.source.models.models, &args.source.domain)?;
    let probe = kafka::probe(&args.source.kafka.connection()?, GROUP, None)?;
    let table = bronze::events(&domain.contract).name;
    // The topic's end first: what comes and is landed meanwhile is no lag.
    let Source { topic, id, logs } =
        Source::ask(args.source.topic(), !args.source.no_topic_id, &probe)?;
    let (positions, newest) = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?
        .block_on(landed(args, &table, domain.contract.event_time()))?;
    let mut partitions = waiting(&logs, &AppIds::topic(&topic, &id).pick(&positions));
    ask_since_when(&probe, &topic, &mut partitions)?;
    let now = Utc::now();
    let too_much = judge(&partitions, now, args.max_lag, args.max_age);
    print(
        args,
        &topic,
        &table,
        &partitions,
        newest,
        now,
        too_much.as_deref(),
    )?;
    too_much.map_or(Ok(()), |why| Err(Stopped(why).into()))
}

/// The positions in the table and its newest event; a table that does not exist yet has none.
async fn landed(
    args: &LagArgs,
    table: &str,
    event_time: &str,
) -> Result<(HashMap<String, i64>, Option<DateTime<Utc>>)> {
    let lake = Lake::open(&args.lake.lake).await?;
    let Some(snapshot) = lake.table(&TableName::parse(table)?).snapshot().await? else {
        return Ok(Default::default());
    };
    let newest = (snapshot.files().iter())
        .filter_map(|file| file.timestamp_range(event_time))
        .map(|(_, newest)| newest)
        .max();
    let newest = newest.and_then(DateTime::from_timestamp_micros);
    Ok((snapshot.txns().await?, newest))
}

fn waiting(logs: &BTreeMap<i32, Watermarks>, positions: &BTreeMap<i32, i64>) -> Vec<Waiting> {
    let of = |(partition, log): (&i32, &Watermarks)| {
        let next = positions.get(partition).copied().unwrap_or(log.low);
        Waiting {
            partition: *partition,
            next,
            end: log.high,
            messages: (log.high - next.max(log.low)).max(0),
            lost: (log.low - next).max(0),
            since: None,
        }
    };
    logs.iter().map(of).collect()
}

/// Asks for the first waiting message of each partition, for its time.
fn ask_since_when(probe: &Probe, topic: &str, partitions: &mut [Waiting]) -> Result<()> {
    let first = |part: &&Waiting| part.messages > 0;
    let first = partitions.iter().filter(first);
    let first = first.map(|part| (part.partition, part.next + part.lost));
    let found = kafka::first_messages(probe, topic, &first.collect())?;
    for part in partitions {
        match found.get(&part.partition) {
            Some(First::Message(ms)) => part.since = ms.and_then(DateTime::from_timestamp_millis),
            // Nothing but marks of transactions and messages of those that were aborted: no reader will ever get one.
            Some(First::Nothing) => part.messages = 0,
            None => {}
        }
    }
    Ok(())
}

/// For how long the oldest waiting message waits.
fn age(partitions: &[Waiting], now: DateTime<Utc>) -> Option<Duration> {
    let oldest = partitions.iter().filter_map(|part| part.since).min()?;
    Some((now - oldest).to_std().unwrap_or_default())
}

/// What is beyond a limit.
fn judge(
    partitions: &[Waiting],
    now: DateTime<Utc>,
    max_lag: Option<i64>,
    max_age: Duration,
) -> Option<String> {
    let lag: i64 = partitions.iter().map(|part| part.messages).sum();
    let lost: i64 = partitions.iter().map(|part| part.lost).sum();
    if lost > 0 {
        return Some(format!(
            "the topic lost {lost} messages before they were ingested: lengthen its retention; `ingest --accept-data-loss` goes on without them"
        ));
    }
    if let Some(most) = max_lag.filter(|most| lag > *most) {
        return Some(format!("{lag} messages wait, more than --max-lag {most}"));
    }
    let age = age(partitions, now).filter(|age| *age > max_age)?;
    Some(format!(
        "the oldest message waits for {} s, longer than --max-age {} s",
        age.as_secs(),
        max_age.as_secs()
    ))
}

fn print(
    args: &LagArgs,
    topic: &str,
    table: &str,
    partitions: &[Waiting],
    newest: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    too_much: Option<&str>,
) -> Result<()> {
    use std::io::Write;
    let lag: i64 = partitions.iter().map(|part| part.messages).sum();
    let age = age(partitions, now).map(|age| age.as_secs_f64());
    let mut out = std::io::stdout().lock();
    match args.output {
        Output::Json => {
            let each = |part: &Waiting| {
                json!({
                    "partition": part.partition,
                    "next_offset": part.next,
                    "end_offset": part.end,
                    "lag": part.messages,
                    "lost": part.lost,
                    "waiting_since": part.since.map(|time| time.to_rfc3339()),
                })
            };
            let summary = json!({
                "command": "lag",
                "domain": args.source.domain,
                "topic": topic,
                "table": table,
                "lag": lag,
                "oldest_waits_seconds": age,
                "newest_event": newest.map(|time| time.to_rfc3339()),
                "partitions": partitions.iter().map(each).collect::<Vec<_>>(),
                "error": too_much,
            });
            writeln!(out, "{summary}")?;
        }
        Output::Text => {
            writeln!(
                out,
                "partition  next offset   end offset      waiting  since"
            )?;
            for part in partitions {
                let since = part.since.map_or_else(String::new, |time| {
                    time.format("%Y-%m-%d %H:%M:%SZ").to_string()
                });
                let Waiting {
                    partition,
                    next,
                    end,
                    messages,
                    ..
                } = part;
                let line = format!("{partition:>9} {next:>12} {end:>12} {messages:>12}  {since}");
                writeln!(out, "{}", line.trim_end())?;
            }
            let waits = age.map_or_else(String::new, |age| format!(", the oldest for {age:.0} s"));
            let newest = newest.map_or_else(
                || "nothing has landed yet".to_owned(),
                |time| {
                    format!(
                        "the newest event there is of {}",
                        time.format("%Y-%m-%d %H:%M:%SZ")
                    )
                },
            );
            writeln!(out, "{lag} messages wait for {table}{waits}; {newest}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(low: i64, high: i64) -> Watermarks {
        Watermarks { low, high }
    }

    #[test]
    fn what_waits_is_between_the_position_and_the_end() {
        let logs = BTreeMap::from([
            (0, log(0, 10)),
            (1, log(5, 10)),
            (2, log(5, 10)),
            (3, log(0, 0)),
        ]);
        let found = waiting(&logs, &BTreeMap::from([(0, 10), (1, 7), (2, 3)]));
        let counts: Vec<(i64, i64)> = found
            .iter()
            .map(|part| (part.messages, part.lost))
            .collect();
        assert_eq!(counts, [(0, 0), (3, 0), (5, 2), (0, 0)]);
        // Nothing was ingested yet: the log's start is where it will begin.
        assert_eq!(waiting(&logs, &BTreeMap::new())[1].messages, 5);
    }

    #[test]
    fn each_limit_says_what_is_beyond_it() {
        let now = DateTime::from_timestamp(1_000, 0).unwrap();
        let part = |messages, lost, age: Option<i64>| Waiting {
            partition: 0,
            next: 0,
            end: 0,
            messages,
            lost,
            since: age.and_then(|age| DateTime::from_timestamp(1_000 - age, 0)),
        };
        let minute = Duration::from_secs(60);
        let judge = |parts: &[Waiting], most| judge(parts, now, most, minute).unwrap_or_default();
        assert_eq!(judge(&[part(0, 0, None)], Some(0)), "");
        assert_eq!(
            judge(&[part(9, 0, Some(60)), part(1, 0, Some(-5))], Some(10)),
            ""
        );
        assert!(
            judge(&[part(9, 0, Some(1)), part(2, 0, Some(1))], Some(10))
                .contains("11 messages wait")
        );
        assert!(judge(&[part(1, 0, Some(1)), part(1, 0, Some(61))], None).contains("for 61 s"));
        assert!(judge(&[part(0, 7, None)], None).contains("lost 7 messages"));
    }
}
