//! How old is what a reader sees: from the moment at which an event was meant to be sent to its row on another connection.
//!
//! `target/release/examples/freshness TOPIC POSTGRES_URL RATE SECONDS` sends events at a fixed rate, open-loop: each at its own
//! moment, whatever the receivers do, and counted from that moment even when the sender itself was held up (no coordinated
//! omission). Some of them are probes: their sessions are polled until the event is counted. Prints one JSON object.
//! `tests/bench/run freshness` starts what this needs: a topic, the online store and `sessionize`.

use std::collections::HashMap;
use std::io::Write;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use hdrhistogram::Histogram;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::types::RDKafkaErrorCode;
use sqlx::{Connection, PgConnection};
use userflow_tests::broker::brokers;

/// Probes a second: enough for a 99.9th percentile, few enough to be polled at once.
const PROBES: f64 = 200.0;
/// Between two polls, so that looking does not take the processor from what is looked at. Counts as age.
const PAUSE: Duration = Duration::from_millis(2);
/// The sender wakes this often and sends what is due by then: thousands of wakes a second would take a processor for themselves.
/// What an event waits for it counts as age, too.
const TICK: Duration = Duration::from_millis(4);
const EVENTS_OF_A_SESSION: u64 = 7;
const USERS: u64 = 20_000;
/// How long the last probes may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// An event whose way is timed: its session, how many events the session has with it, and when it was meant to be sent.
struct Probe {
    session: String,
    events: i64,
    meant: Instant,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [topic, postgres_url, rate, seconds] = arguments.as_slice() else {
        return Err(anyhow!("usage: freshness TOPIC POSTGRES_URL RATE SECONDS"));
    };
    let (rate, seconds): (f64, f64) = (rate.parse()?, seconds.parse()?);
    ensure!(
        rate >= 1.0 && seconds >= 1.0,
        "RATE and SECONDS are at least 1"
    );
    let (probes, probed) = channel();
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| send(topic, rate, seconds, &probes));
        // The watcher ends when the sender has and all probes were seen.
        let seen = watch(postgres_url, &probed, || sender.is_finished())?;
        let sent = sender
            .join()
            .map_err(|_| anyhow!("the sender panicked"))??;
        let ms = |value: u64| value as f64 / 1000.0;
        let summary = serde_json::json!({
            "rate": rate, "seconds": seconds, "sent": sent.events, "sender_late_ms": ms(sent.latest),
            "probes": seen.times.len(), "missing": seen.missing, "polls": seen.polls,
            "p50_ms": ms(seen.times.value_at_quantile(0.5)), "p99_ms": ms(seen.times.value_at_quantile(0.99)),
            "p999_ms": ms(seen.times.value_at_quantile(0.999)), "max_ms": ms(seen.times.max()),
        });
        writeln!(std::io::stdout(), "{summary}")?;
        Ok(())
    })
}

/// What was sent, and by how much the sender fell behind its own plan at worst (microseconds).
struct Sent {
    events: u64,
    latest: u64,
}

fn send(topic: &str, rate: f64, seconds: f64, probes: &Sender<Probe>) -> Result<Sent> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers())
        // What is due together is sent together, see TICK. To linger in the client, or to wait for a free place among the requests under
        // way (an idempotent producer has five), makes librdkafka's thread spin, and what is looked at loses a processor to it.
        .set("linger.ms", "0")
        .set("retries", "0")
        .set("partitioner", "murmur2_random")
        .create()?;
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let run = format!("{:x}", chrono::Utc::now().timestamp_millis());
    // Sessions under way, so many that one has an event every few seconds.
    let mut open: Vec<(u64, u64, u64)> = Vec::new();
    let open_sessions = (rate * 5.0) as usize + 1;
    let (mut next_session, mut latest) = (0, 0);
    let events = (rate * seconds) as u64;
    let start = Instant::now() + Duration::from_millis(100);
    for number in 0..events {
        let meant = start + Duration::from_secs_f64(number as f64 / rate);
        let now = Instant::now();
        if now < meant {
            producer.poll(Duration::ZERO);
            std::thread::sleep(meant.saturating_duration_since(Instant::now()).max(TICK));
        } else {
            latest = latest.max(u64::try_from((now - meant).as_micros())?);
        }
        let place = if open.len() < open_sessions {
            open.push((next_session, random.random_range(0..USERS), 0));
            next_session += 1;
            open.len() - 1
        } else {
            random.random_range(0..open.len())
        };
        let (session, user, count) = &mut open[place];
        *count += 1;
        let name = format!("f-{run}-{session}");
        let kind = match *count {
            1 => "enter",
            EVENTS_OF_A_SESSION => "complete",
            _ => "scroll",
        };
        let event = format!(
            r#"{{"event_id":"{name}-{count}","event_type":"{kind}","user_id":{user},"session_id":"{name}","webtoon_id":"w_{}","episode_id":"ep_{}","utimestamptz":"{}","scroll_ratio":{}}}"#,
            *user % 40,
            *session % 25,
            chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            *count as f64 / EVENTS_OF_A_SESSION as f64,
        );
        let key = user.to_string();
        let mut record = BaseRecord::to(topic).key(&key).payload(&event);
        while let Err((error, refused)) = producer.send(record) {
            let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
            ensure!(error == full, "send: {error}");
            producer.poll(Duration::from_millis(1));
            record = refused;
        }
        if random.random_bool((PROBES / rate).min(1.0)) {
            let events = i64::try_from(*count)?;
            probes.send(Probe {
                session: name,
                events,
                meant,
            })?;
        }
        if *count == EVENTS_OF_A_SESSION {
            open.swap_remove(place);
        }
    }
    producer.flush(PATIENCE)?;
    Ok(Sent { events, latest })
}

/// What was seen, in microseconds.
struct Watched {
    times: Histogram<u64>,
    missing: usize,
    polls: u64,
}

/// Polls the sessions of all probes on their way, over and over.
fn watch(postgres_url: &str, probed: &Receiver<Probe>, sent: impl Fn() -> bool) -> Result<Watched> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut reader = runtime.block_on(PgConnection::connect(postgres_url))?;
    let mut times = Histogram::new_with_bounds(1, 120_000_000, 3)?;
    let mut waiting: HashMap<String, Vec<(i64, Instant)>> = HashMap::new();
    let (mut polls, mut last_seen) = (0, Instant::now());
    loop {
        let done = sent();
        for probe in probed.try_iter() {
            waiting
                .entry(probe.session)
                .or_default()
                .push((probe.events, probe.meant));
        }
        if waiting.is_empty() {
            if done {
                break;
            }
            last_seen = Instant::now();
            std::thread::sleep(PAUSE);
            continue;
        }
        let names: Vec<&str> = waiting.keys().map(String::as_str).collect();
        let rows: Vec<(String, i64)> = runtime
            .block_on(
                sqlx::query_as("SELECT session_id, event_count FROM online.webtoon_session WHERE session_id = ANY($1)")
                    .bind(&names)
                    .fetch_all(&mut reader),
            )
            .context("poll the sessions")?;
        let now = Instant::now();
        polls += 1;
        for (session, count) in rows {
            let Some(probes) = waiting.get_mut(&session) else {
                continue;
            };
            probes.retain(|(events, meant)| {
                let seen = *events <= count;
                if seen {
                    last_seen = now;
                    times.saturating_record(
                        u64::try_from(now.saturating_duration_since(*meant).as_micros())
                            .unwrap_or(u64::MAX),
                    );
                }
                !seen
            });
            if probes.is_empty() {
                waiting.remove(&session);
            }
        }
        if done && last_seen.elapsed() > PATIENCE {
            break;
        }
        std::thread::sleep(PAUSE);
    }
    Ok(Watched {
        times,
        missing: waiting.values().map(Vec::len).sum(),
        polls,
    })
}
