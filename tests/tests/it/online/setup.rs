//! What `sessionize` refuses to start with: one message, exit code 2.

use anyhow::{Result, ensure};
use userflow_tests::broker::{brokers, create_topic};
use userflow_tests::process::binary;

use super::Store;
use crate::postgres::{Database, server_url};

/// Runs with an online store that is not as it should be, and returns what it said.
fn refused(topic: &str, postgres: &str, checkpoints: &std::path::Path) -> Result<String> {
    let output = binary("userflow-ingester")
        .args([
            "sessionize",
            "--domain",
            "webtoon",
            "--topic",
            topic,
            "--until-caught-up",
        ])
        .args([
            "--brokers",
            &brokers(),
            "--group",
            topic,
            "--postgres-url",
            postgres,
            "--checkpoints",
        ])
        .arg(checkpoints)
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code() == Some(2), "{}: {said}", output.status);
    ensure!(!said.contains("panicked"), "{said}");
    Ok(said)
}

#[test]
fn a_store_without_tables_is_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let topic = create_topic("online.bare", 1)?;
    let bare = Database::create(&server_url(), "bare")?;
    let said = refused(&topic, bare.url(), folder.path())?;
    ensure!(said.contains("userflow-jobs init"), "{said}");
    Ok(())
}

#[test]
fn a_view_that_changed_since_its_table_was_made_is_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let topic = create_topic("online.changed", 1)?;
    let store = Store::create(folder.path(), "changed")?;
    store.database.execute(
        "UPDATE online._views SET fingerprint = 'another' WHERE name = 'webtoon_user_1h'",
    )?;
    let said = refused(&topic, store.database.url(), &store.checkpoints)?;
    ensure!(
        said.contains("webtoon_user_1h") && said.contains("userflow-jobs init"),
        "{said}"
    );
    Ok(())
}

#[test]
fn a_password_is_not_repeated() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let topic = create_topic("online.password", 1)?;
    let output = binary("userflow-ingester")
        .args([
            "sessionize",
            "--domain",
            "webtoon",
            "--topic",
            &topic,
            "--until-caught-up",
        ])
        .args(["--brokers", &brokers(), "--checkpoints"])
        .arg(folder.path())
        .args([
            "--postgres-url",
            "postgres://reader:secret-word@127.0.0.1/nothing?port=none",
        ])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.status.success(), "{said}");
    ensure!(!said.contains("secret-word"), "{said}");
    Ok(())
}
