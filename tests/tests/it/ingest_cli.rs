//! Property 8 for the ingester: a wrong flag, contract or location is one clear message and exit code 2.

use anyhow::{Result, ensure};
use userflow_tests::broker::brokers;
use userflow_tests::process::{binary, root};

/// Runs a command that must be refused with exit code 2 and returns what it said.
fn refused(args: &[&str]) -> Result<String> {
    let output = binary("userflow-ingester").args(args).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(
        output.status.code() == Some(2),
        "{args:?}: {} {said}",
        output.status
    );
    ensure!(!said.contains("panicked"), "{said}");
    Ok(said)
}

#[test]
fn help_names_every_setting_with_its_variable() -> Result<()> {
    let output = binary("userflow-ingester")
        .args(["ingest", "--help"])
        .output()?;
    let help = String::from_utf8_lossy(&output.stdout);
    for name in [
        "domain",
        "models",
        "lake",
        "brokers",
        "topic",
        "metrics-addr",
    ] {
        let variable = format!("USERFLOW_{}", name.replace('-', "_").to_uppercase());
        ensure!(
            help.contains(&format!("--{name}")) && help.contains(&variable),
            "{name}: {help}"
        );
    }
    ensure!(help.contains("RUST_LOG"));
    Ok(())
}

#[test]
fn an_unknown_domain_names_the_known_ones() -> Result<()> {
    let said = refused(&["ingest", "--domain", "nosuch", "--brokers", &brokers()])?;
    ensure!(
        said.contains("nosuch") && said.contains("webtoon"),
        "{said}"
    );
    Ok(())
}

#[test]
fn a_topic_that_does_not_exist_is_named() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    let said = refused(&[
        "ingest",
        "--domain",
        "webtoon",
        "--brokers",
        &brokers(),
        "--topic",
        "no.such.topic",
        "--lake",
        &lake.to_string_lossy(),
    ])?;
    ensure!(said.contains("no.such.topic"), "{said}");
    Ok(())
}

#[test]
fn wrong_flags_are_refused() -> Result<()> {
    let said = refused(&[
        "ingest",
        "--domain",
        "webtoon",
        "--brokers",
        "x",
        "--flush-size",
        "1",
    ])?;
    ensure!(said.contains("--flush-size"), "{said}");
    let said = refused(&["ingest", "--brokers", "x"])?;
    ensure!(said.contains("--domain"), "{said}");
    Ok(())
}

#[test]
fn a_broken_contract_is_named_with_file_and_line() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let domain = folder.path().join("broken");
    std::fs::create_dir(&domain)?;
    let good = std::fs::read_to_string(root().join("models/webtoon/contract.json"))?;
    let cut = &good[..good.len() / 2];
    std::fs::write(domain.join("contract.json"), cut)?;
    let models = folder.path().to_string_lossy().into_owned();
    let said = refused(&[
        "ingest",
        "--domain",
        "broken",
        "--models",
        &models,
        "--brokers",
        &brokers(),
    ])?;
    // file:line:column
    let place = said.split("contract.json:").nth(1).unwrap_or_default();
    ensure!(place.starts_with(|c: char| c.is_ascii_digit()), "{said}");
    Ok(())
}

#[test]
fn a_typo_in_what_to_log_is_told_by_both_binaries_and_by_both_ways() -> Result<()> {
    let calls: [(&str, &[&str]); 2] = [
        (
            "userflow-ingester",
            &["lag", "--domain=webtoon", "--brokers=127.0.0.1:1"],
        ),
        ("userflow-jobs", &["list"]),
    ];
    for (name, arguments) in calls {
        for (typo, variable) in [
            ("inof", true),
            ("inof", false),
            ("userflow_lake=debgu", true),
            ("userflow_lake=debgu", false),
        ] {
            let mut command = binary(name);
            command.args(arguments);
            if variable {
                command.env("RUST_LOG", typo);
            } else {
                command.args(["--log", typo]);
            }
            let output = command.output()?;
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(
                output.status.code() == Some(2) && said.contains(typo),
                "{name} with {typo}: {}: {said}",
                output.status
            );
        }
    }
    Ok(())
}
