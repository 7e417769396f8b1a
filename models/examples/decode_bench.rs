//! How fast the decoder is on one core, from bytes to Arrow batches, against `serde_json` into a `Value` in the same run.
//!
//! ```text
//! cargo build --release --workspace --examples && target/release/examples/decode_bench [seconds per round]
//! ```
//!
//! After it the dialects of the ecommerce contract, each alone and all in turn, and their time per byte against that of the webtoon events.
//!
//! The events are those of the webtoon contract: 16 fields, about 430 bytes, compact as producers write them, with the
//! scroll fields absent from one kind of event in four. Nothing is read twice in a row: a round walks over all of them.

#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use userflow_models::contract::Contract;
use userflow_models::decode::Decoder;
use userflow_models::domain::Domain;

const EVENTS: usize = 100_000;
const BATCH: usize = 65_536;
const ROUNDS: usize = 5;
/// 2026-11-01T00:00:00Z.
const START_MS: i64 = 1_793_491_200_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seconds: f64 = std::env::args()
        .nth(1)
        .map_or(Ok(1.0), |text| text.parse())?;
    let models = Path::new(env!("CARGO_MANIFEST_DIR"));
    let contract = Domain::load(models, "webtoon")?.contract;
    let mut flat = Subject::new("webtoon", &contract, events());
    let contract = Domain::load(models, "ecommerce")?.contract;
    let sets = dialect_events();
    let mixed = (0..EVENTS).map(|number| sets[number % sets.len()].1[number / sets.len()].clone());
    let mixed = ("mixed", mixed.collect());
    let dialects = sets.into_iter().chain([mixed]);
    let mut dialects: Vec<Subject> = dialects
        .map(|(name, events)| Subject::new(name, &contract, events))
        .collect();

    println!("{EVENTS} events of {} bytes on average", flat.bytes);
    let mut theirs = Vec::new();
    for _ in 0..ROUNDS {
        flat.round(seconds)?;
        theirs.push(rate(seconds, &flat.events, |event| {
            black_box(serde_json::from_slice::<serde_json::Value>(event)).is_ok()
        })?);
        for dialect in &mut dialects {
            dialect.round(seconds)?;
        }
    }
    let (ours, theirs) = (Spread::of(&flat.rates), Spread::of(&theirs));
    let mb_per_event = flat.bytes as f64 / 1e6;
    println!(
        "decoder, bytes to arrow    {ours}  {:.0} MB/s",
        ours.median * mb_per_event
    );
    println!(
        "serde_json, bytes to value {theirs}  {:.0} MB/s",
        theirs.median * mb_per_event
    );
    println!("ratio {:.2}", ours.median / theirs.median);
    for dialect in &dialects {
        let rates = Spread::of(&dialect.rates);
        // Each round has a ratio of its own, so that a slow moment of the machine counts once.
        let ratios = (dialect.rates.iter().zip(&flat.rates))
            .map(|(rate, flat_rate)| flat_rate * flat.bytes as f64 / (rate * dialect.bytes as f64));
        let ratios = Spread::of(&ratios.collect::<Vec<_>>());
        println!(
            "dialect {:<7} {:>4} bytes  {rates}  {:.2} ns a byte, {:.2} x webtoon's (min {:.2}, max {:.2})",
            dialect.name,
            dialect.bytes,
            1e9 / (rates.median * dialect.bytes as f64),
            ratios.median,
            ratios.min,
            ratios.max
        );
    }
    Ok(())
}

/// Some events, the decoder that reads them, and how fast it did.
struct Subject {
    name: &'static str,
    decoder: Decoder,
    events: Vec<Vec<u8>>,
    /// Of an event, on average.
    bytes: usize,
    rates: Vec<f64>,
}

impl Subject {
    fn new(name: &'static str, contract: &Contract, events: Vec<Vec<u8>>) -> Self {
        Self {
            name,
            decoder: Decoder::new(contract),
            bytes: events.iter().map(Vec::len).sum::<usize>() / events.len(),
            events,
            rates: Vec::new(),
        }
    }

    fn round(&mut self, seconds: f64) -> Result<(), String> {
        let decoder = &mut self.decoder;
        self.rates.push(rate(seconds, &self.events, |event| {
            if decoder.decode(event, START_MS + 86_400_000).is_err() {
                return false;
            }
            if decoder.rows() == BATCH {
                black_box(decoder.finish());
            }
            true
        })?);
        Ok(())
    }
}

/// Events of each dialect: one in eight is an order with its details as JSON inside a string, where the dialect has them.
fn dialect_events() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let (mut flat, mut nested, mut short) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..EVENTS {
        let ms = START_MS + number as i64 * 800;
        let user = random.below(1_000_000);
        let ids = format!(
            "\"event_id\":\"{:016x}-{:012x}\",\"user_id\":\"U{user:07}\",\"session_id\":\"s_{:016x}\"",
            random.below(1 << 62),
            random.below(1 << 48),
            random.below(1 << 62)
        );
        let (product, price) = (random.below(5_000), random.below(100_000));
        let own = match random.below(8) {
            0 => format!(
                "\"event_type\":\"purchase\",\"order_id\":\"O{number:08}\",\"total_amount\":{price},\"payment_method\":\"toss_pay\",\
                 \"extra_data\":\"{{\\\"products\\\":[{{\\\"product_id\\\":\\\"P{product:05}\\\",\\\"quantity\\\":1,\\\"unit_price\\\":{price}}}],\
                 \\\"discount_amount\\\":0,\\\"shipping_fee\\\":2500}}\""
            ),
            1 | 2 => format!(
                "\"event_type\":\"add_to_cart\",\"product_id\":\"P{product:05}\",\"quantity\":2,\"unit_price\":{price},\"is_recommendation\":false"
            ),
            _ => format!(
                "\"event_type\":\"page_view\",\"page_url\":\"https://shop.example/p/{product}\",\"page_type\":\"product\",\
                 \"product_id\":\"P{product:05}\",\"price\":{price}"
            ),
        };
        flat.push(
            format!(
                "{{{ids},\"timestamp\":\"{}\",\"platform\":\"web\",\"device_type\":\"desktop\",\"os\":\"macOS\",\
                 \"browser\":\"Safari\",{own}}}",
                time(ms, 0)
            )
            .into_bytes(),
        );
        nested.push(
            format!(
                "{{{ids},\"event_type\":\"page_view\",\"timestamp\":{ms},\"context\":{{\"page\":{{\"url\":\"https://shop.example/p/{product}\",\
                 \"referrer\":\"https://search.example/\"}},\"device\":{{\"type\":\"mobile\"}},\"weather\":{{\"status\":\"rain\",\"temperature\":9.5}},\
                 \"temporal\":{{\"time_of_day\":\"evening\",\"day_of_week\":\"monday\"}},\"user\":{{\"login_status\":\"logged_in\",\"segment\":\"vip\"}},\
                 \"campaign\":{{\"utm_source\":\"news\",\"utm_campaign\":\"fall\"}}}},\"properties\":{{\"product_id\":\"P{product:05}\",\"price\":{price}}}}}"
            )
            .into_bytes(),
        );
        let clock = time(ms, 0).replace('T', " ");
        let kind = ["view", "view", "cart", "purchase"][random.below(4)];
        short.push(
            format!("{{\"event_time\":\"{}\",\"event_type\":\"{kind}\",\"user_id\":\"U{user:07}\",\"price\":{price}}}", &clock[..19])
                .into_bytes(),
        );
    }
    vec![("flat", flat), ("nested", nested), ("short", short)]
}

/// Events per second of processor time over at least `seconds` of it.
fn rate(
    seconds: f64,
    events: &[Vec<u8>],
    mut accept: impl FnMut(&[u8]) -> bool,
) -> Result<f64, String> {
    let start = Processor::now();
    let mut done = 0;
    loop {
        for event in events {
            if !accept(event) {
                return Err(format!("refused: {}", String::from_utf8_lossy(event)));
            }
        }
        done += events.len();
        let elapsed = start.elapsed();
        if elapsed >= seconds {
            return Ok(done as f64 / elapsed);
        }
    }
}

/// The processor time of this thread, so that other work on the machine does not count; the wall clock where there is none.
struct Processor {
    wall: Instant,
    used: Option<u64>,
}

impl Processor {
    fn now() -> Self {
        Self {
            wall: Instant::now(),
            used: Self::used(),
        }
    }

    /// Linux says it in nanoseconds, as the first number of this file.
    fn used() -> Option<u64> {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        text.split_whitespace().next()?.parse().ok()
    }

    fn elapsed(&self) -> f64 {
        match (self.used, Self::used()) {
            (Some(before), Some(now)) => (now - before) as f64 / 1e9,
            _ => self.wall.elapsed().as_secs_f64(),
        }
    }
}

struct Spread {
    min: f64,
    median: f64,
    max: f64,
}

impl Spread {
    fn of(rates: &[f64]) -> Self {
        let mut rates = rates.to_vec();
        rates.sort_by(f64::total_cmp);
        Self {
            min: rates[0],
            median: rates[rates.len() / 2],
            max: rates[rates.len() - 1],
        }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mega = |rate: f64| rate / 1e6;
        write!(
            out,
            "{:.2} M events/s (min {:.2}, max {:.2})",
            mega(self.median),
            mega(self.min),
            mega(self.max)
        )
    }
}

fn events() -> Vec<Vec<u8>> {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let countries = [
        ("KR", 540),
        ("US", -300),
        ("JP", 540),
        ("TW", 480),
        ("FR", 60),
    ];
    let mut events = Vec::with_capacity(EVENTS);
    for number in 0..EVENTS {
        let (country, offset) = countries[random.below(5)];
        let ms = START_MS + number as i64 * 800 + random.below(800) as i64;
        let event_type = ["enter", "scroll", "scroll", "exit"][random.below(4)];
        let scroll = match event_type {
            "enter" => String::new(),
            _ => format!(
                ",\"scroll_ratio\":0.{:03},\"scroll_event_count\":{},\"dwell_time_ms\":{}",
                random.below(1000),
                random.below(9) + 1,
                random.below(600_000)
            ),
        };
        let event = format!(
            "{{\"event_id\":\"{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}\",\"event_type\":\"{event_type}\",\
             \"user_id\":\"u_{:07}\",\"session_id\":\"s_{:016x}\",\"webtoon_id\":\"wt_{:04}\",\"episode_id\":\"ep_{:03}\",\
             \"utimestamptz\":\"{}\",\"local_timestamptz\":\"{}\",\"country\":\"{country}\",\"platform\":\"{}\",\
             \"device\":\"{}\",\"browser\":\"{}\",\"network_type\":\"{}\"{scroll}}}",
            random.below(1 << 32),
            random.below(1 << 16),
            random.below(1 << 12),
            random.below(1 << 12),
            random.below(1 << 48),
            random.below(1_000_000),
            random.below(1 << 62),
            random.below(5000),
            random.below(200),
            time(ms, 0),
            time(ms, offset),
            ["web", "android", "ios"][random.below(3)],
            ["mobile", "pc", "tablet"][random.below(3)],
            ["Chrome", "Safari", "Samsung Internet", "Firefox"][random.below(4)],
            ["wifi", "4g", "5g"][random.below(3)],
        );
        events.push(event.into_bytes());
    }
    events
}

fn time(utc_ms: i64, offset_minutes: i32) -> String {
    let offset = chrono::FixedOffset::east_opt(offset_minutes * 60);
    let time = chrono::DateTime::from_timestamp_millis(utc_ms).zip(offset);
    time.map_or_else(String::new, |(time, offset)| {
        time.with_timezone(&offset)
            .format("%Y-%m-%dT%H:%M:%S%.3f%:z")
            .to_string()
    })
}

/// xorshift64*: the same events in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % limit) as usize
    }
}
