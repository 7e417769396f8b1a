//! The decoder and an independent JSON Schema validator agree: what one refuses, the other refuses. Of the contracts that say all they mean in
//! the schema (those with `x-columns`); the messages are drawn in `tests/python/contract_messages.py`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use userflow_models::contract::Contract;
use userflow_models::decode::{Decoder, Reason};
use userflow_models::domain::known;
use userflow_tests::process::root;

/// Kafka's time of the messages: unknown, so that no time is too far from it.
const NO_TIME: i64 = -1;

#[test]
fn the_decoder_refuses_what_a_validator_refuses() -> Result<()> {
    let models = root().join("models");
    let mut judged = 0;
    for name in known(&models)? {
        let file = models.join(&name).join("contract.json");
        if !std::fs::read_to_string(&file)?.contains("\"x-columns\"") {
            continue;
        }
        judged += 1;
        judge(&name, &file, 4_000)?;
    }
    ensure!(judged > 0, "no contract with x-columns");
    Ok(())
}

/// What no domain of ours has: lists of keys and values.
#[test]
fn they_agree_on_lists_of_keys_and_values() -> Result<()> {
    let file = root().join("tests/fixtures/pairs/contract.json");
    judge("pairs", &file, 4_000)
}

/// Asks both for 20,000 messages of a contract, of which `least` are good and as many bad.
fn judge(name: &str, file: &Path, least: usize) -> Result<()> {
    let contract = Contract::load(file)?;
    let python = root().join(".userflow/venv/bin/python");
    let said = Command::new(&python)
        .arg(root().join("tests/python/contract_messages.py"))
        .arg(file)
        .args(["--count", "20000"])
        .output()
        .with_context(|| format!("run {}", python.display()))?;
    ensure!(
        said.status.success(),
        "{}",
        String::from_utf8_lossy(&said.stderr)
    );
    let said = String::from_utf8(said.stdout)?;
    let mut decoder = Decoder::new(&contract);
    let (mut good, mut bad) = (0, 0);
    for line in said.lines() {
        let (verdict, message) = line.split_once('\t').context("a verdict and a message")?;
        let outcome = decoder.decode(message.as_bytes(), NO_TIME);
        match (verdict, &outcome) {
            ("good", Ok(())) => good += 1,
            ("bad", Err(_)) => bad += 1,
            // The years that a time may have are a limit of the tables, as those of `x-limits`.
            ("good", Err(rejection))
                if rejection.problems.iter().all(|problem| {
                    problem.reason == Reason::OutOfRange && problem.field == contract.event_time()
                }) => {}
            _ => anyhow::bail!("the validator says {verdict}, the decoder {outcome:?}: {message}"),
        }
    }
    ensure!(
        good > least && bad > least,
        "{name}: {good} good and {bad} bad of 20,000 judge little"
    );
    Ok(())
}
