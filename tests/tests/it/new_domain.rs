//! What `new-domain` writes of a sample is what the simulator plays, and what it plays is what the contract accepts: for the shapes of six
//! producers, and for what stands around events. No server is needed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use userflow_models::decode::Decoder;
use userflow_models::domain::Domain;
use userflow_tests::process::{binary, must};
use userflow_tests::shapes::{FLAT, SHAPES, facts};

/// A domain made from a sample.
struct Made {
    folder: tempfile::TempDir,
    name: String,
}

impl Made {
    fn of(name: &str, sample: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("sample.jsonl");
        std::fs::write(&file, sample)?;
        let made = Self {
            name: name.to_owned(),
            folder,
        };
        must(
            binary("userflow-jobs")
                .args(["new-domain", name, "--from"])
                .arg(&file)
                .arg("--models")
                .arg(made.models()),
        )?;
        Ok(made)
    }

    fn models(&self) -> PathBuf {
        self.folder.path().join("models")
    }

    /// The lines that the simulator plays, and its summary.
    fn simulated(&self, flags: &[&str]) -> Result<(String, Value)> {
        let (lines, summary) = (self.path("played.jsonl"), self.path("summary.json"));
        must(
            binary("userflow-ingester")
                .args(["simulate", "--domain", &self.name, "--models"])
                .arg(self.models())
                .arg("--jsonl")
                .arg(&lines)
                .arg("--summary")
                .arg(&summary)
                .args(flags),
        )?;
        let summary = serde_json::from_slice(&std::fs::read(summary)?)?;
        Ok((std::fs::read_to_string(lines)?, summary))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn decoder(&self) -> Result<Decoder> {
        let domain = Domain::load(&self.models(), &self.name)?;
        Ok(Decoder::new(&domain.contract))
    }
}

/// Without Kafka's time, which a file does not have.
const NO_TIME: i64 = -1;

/// The pointers of all values of a message, those inside lists left out.
fn places(value: &Value, path: &Path, out: &mut BTreeSet<PathBuf>) {
    match value {
        Value::Object(members) => members
            .iter()
            .for_each(|(key, value)| places(value, &path.join(key), out)),
        Value::Null => {}
        _ => {
            out.insert(path.to_owned());
        }
    }
}

fn all_places(lines: &str) -> Result<BTreeSet<PathBuf>> {
    let mut all = BTreeSet::new();
    for line in lines.lines() {
        places(&serde_json::from_str(line)?, Path::new("/"), &mut all);
    }
    Ok(all)
}

#[test]
fn what_is_simulated_is_accepted_in_full_and_looks_like_the_sample() -> Result<()> {
    for shape in &SHAPES {
        let name = shape.name;
        let facts = facts(11);
        let sample = shape.lines(&facts);
        let made = Made::of(name, &sample)?;
        let (lines, summary) = made.simulated(&["--seed", "1", "--sessions", "50"])?;
        ensure!(lines.lines().count() >= 50, "{name}: {summary}");
        let mut decoder = made.decoder()?;
        for line in lines.lines() {
            let decoded = decoder.decode(line.as_bytes(), NO_TIME);
            decoded.map_err(|rejection| anyhow::anyhow!("{name}: {rejection}: {line}"))?;
        }
        ensure!(decoder.rows() == lines.lines().count(), "{name}");

        let (lines, summary) = made.simulated(&["--seed", "2", "--events", "3000"])?;
        // Every place of the sample has values again, and there are no others.
        let (wanted, found) = (all_places(&sample)?, all_places(&lines)?);
        ensure!(
            wanted == found,
            "{name}: {:?}",
            wanted.symmetric_difference(&found).collect::<Vec<_>>()
        );
        // The types are as frequent as they were, within what some hundred events can say.
        let total = facts.len() as f64;
        for (kind, event_type) in shape.types.iter().enumerate() {
            let was = facts.iter().filter(|fact| fact.kind == kind).count() as f64 / total;
            let events = summary["events_by_type"][event_type].as_u64();
            let is = events.with_context(|| format!("{name}: {summary}"))? as f64 / 3_000.0;
            ensure!(
                (was - is).abs() < 0.05,
                "{name}: {event_type}: {was} and {is}"
            );
        }
        ensure!(lines.lines().count() == 3_000, "{name}");
    }
    Ok(())
}

#[test]
fn what_is_garbage_is_refused_for_its_reason() -> Result<()> {
    for shape in &SHAPES {
        let name = shape.name;
        let made = Made::of(name, &shape.lines(&facts(12)))?;
        let (lines, summary) = made.simulated(&[
            "--events",
            "400",
            "--garbage",
            "0.5",
            "--start",
            "2026-11-01",
        ])?;
        let mut decoder = made.decoder()?;
        let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
        for line in lines.lines() {
            // A day after the first event is within what the contract takes for the present.
            if let Err(rejection) = decoder.decode(line.as_bytes(), 1_793_577_600_000) {
                let reason = rejection.reason().as_str().to_owned();
                *reasons.entry(reason).or_default() += 1;
            }
        }
        ensure!(
            json!(reasons) == summary["garbage_by_reason"],
            "{name}: {reasons:?} {summary}"
        );
        ensure!(reasons.len() >= 2, "{name}: {reasons:?}");
    }
    Ok(())
}

/// What goes with a user or a session is drawn with it: a log in which every user has one country, and every visit one device.
#[test]
fn what_goes_with_a_user_stays_with_the_user() -> Result<()> {
    let lines: Vec<String> = facts(13)
        .iter()
        .map(|fact| {
            let visit = format!("v{}-{}", fact.user, fact.at_ms / 3_600_000);
            let mut event = (FLAT.write)(fact);
            event["country"] = json!(["KR", "DE", "US"][fact.user % 3]);
            event["device"] = json!(["phone", "desk"][visit.len() % 2]);
            event["visit_id"] = json!(visit);
            event.to_string()
        })
        .collect();
    let made = Made::of("visits", &lines.join("\n"))?;
    let (played, _) = made.simulated(&["--events", "2000"])?;
    let mut of: BTreeMap<(&str, String), BTreeSet<String>> = BTreeMap::new();
    let mut events = 0;
    for line in played.lines() {
        let event: Value = serde_json::from_str(line)?;
        for (owner, what) in [("customer", "country"), ("visit_id", "customer")] {
            let known = of.entry((owner, event[owner].to_string())).or_default();
            known.insert(event[what].to_string());
        }
        events += 1;
    }
    let owners = of.keys().filter(|(owner, _)| *owner == "customer").count();
    ensure!(
        owners > 10 && owners < events / 5,
        "{owners} users of {events} events"
    );
    let single = of.values().filter(|values| values.len() == 1).count();
    // Names are drawn: two users, or two visits, may get the same.
    ensure!(single * 10 >= of.len() * 9, "{single} of {}", of.len());
    Ok(())
}

/// What stands around events, and times of every unit and form.
#[test]
fn envelopes_lists_and_times_are_played_as_they_came() -> Result<()> {
    type Write = fn(Value, i64) -> Value;
    let around: [(&str, Write, Option<&str>); 4] = [
        ("listed", |event, _| json!([event]), None),
        (
            "connect",
            |event, _| json!({"schema": {"type": "struct"}, "payload": event}),
            None,
        ),
        (
            "nanos",
            |mut event, at| {
                event["ts"] = json!(at * 1_000_000);
                event
            },
            Some("/ts"),
        ),
        (
            "seconds",
            |mut event, at| {
                event["ts"] = json!(at as f64 / 1_000.0);
                event
            },
            Some("/ts"),
        ),
    ];
    for (name, write, time) in around {
        let facts = facts(14);
        let lines: Vec<String> = facts
            .iter()
            .map(|fact| write((FLAT.write)(fact), fact.at_ms).to_string())
            .collect();
        let made = Made::of(name, &lines.join("\n"))?;
        let (played, _) = made.simulated(&["--seed", "1", "--sessions", "50"])?;
        let mut decoder = made.decoder()?;
        for line in played.lines() {
            let decoded = decoder.decode(line.as_bytes(), NO_TIME);
            decoded.map_err(|rejection| anyhow::anyhow!("{name}: {rejection}: {line}"))?;
        }
        let first: Value = serde_json::from_str(played.lines().next().context("a message")?)?;
        let sample: Value = serde_json::from_str(&lines[0])?;
        let keys = |value: &Value| {
            value
                .as_object()
                .map(|value| value.keys().cloned().collect::<Vec<_>>())
        };
        ensure!(first.is_array() == sample.is_array(), "{name}: {first}");
        if name == "connect" {
            ensure!(keys(&first) == keys(&sample), "{first}");
        }
        if let Some(time) = time {
            let digits = |value: &Value| value.pointer(time).map(|at| at.to_string().len());
            ensure!(digits(&first) == digits(&sample), "{name}: {first}");
        }
    }
    Ok(())
}
