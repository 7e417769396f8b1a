//! The address of PostgreSQL moves to another server: it is followed within seconds, and what the other server lacks is written there.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use userflow_tests::broker::{Sender, create_topic};
use userflow_tests::process::{binary, start, wait_for};
use userflow_tests::proxy::Proxy;

use super::events::{event, now_ms, send};
use super::{PATIENCE, Store};
use crate::postgres::{Database, Server};

/// `host:port` of a URL.
fn address(url: &str) -> Result<&str> {
    let rest = url.split_once('@').context("no user")?.1;
    Ok(rest.split_once('/').context("no database")?.0)
}

/// A sessionizer that knows a store by the address of a proxy.
fn through(proxy: &Proxy, store: &Store, topic: &str) -> Result<Command> {
    let url = store.database.url();
    let address = url.replace(address(url)?, &proxy.address());
    let arguments: Vec<String> = (store.sessionize(topic).get_args())
        .map(|argument| argument.to_string_lossy().replace(url, &address))
        .collect();
    let mut command = binary("userflow-ingester");
    command.args(arguments);
    Ok(command)
}

/// How the old server ends.
#[derive(Clone, Copy)]
enum End {
    /// It becomes read only and keeps its connections.
    Demoted,
    /// It is shut down.
    Gone,
}

fn followed(label: &str, end: End) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let topic = create_topic(&format!("online.{label}"), 1)?;
    let (old, new) = (Server::start()?, Server::start()?);
    let before = Store::create_on(old.url(), folder.path(), label)?;
    let after = Store::create_on(new.url(), folder.path(), label)?;
    let proxy = Proxy::to(address(old.url())?)?;
    // One name for both databases behind one address.
    let name = before
        .database
        .url()
        .rsplit('/')
        .next()
        .context("no name")?
        .to_owned();
    let made = after
        .database
        .url()
        .rsplit('/')
        .next()
        .context("no name")?
        .to_owned();
    let admin = Database::connect(new.url())?;
    let after = Store {
        database: {
            drop(after.database);
            admin.execute(&format!("ALTER DATABASE {made} RENAME TO {name}"))?;
            Database::connect(
                &before
                    .database
                    .url()
                    .replace(address(old.url())?, address(new.url())?),
            )?
        },
        ..after
    };
    let log = folder.path().join("sessionize.log");
    let mut command = before.sessionize(&topic);
    // The last of two equal flags would be an error: the URL is that of the proxy from the start.
    let url = format!("postgres://userflow@{}/{name}", proxy.address());
    let arguments: Vec<String> = (command.get_args())
        .map(|argument| {
            argument
                .to_string_lossy()
                .replace(before.database.url(), &url)
        })
        .collect();
    command = userflow_tests::process::binary("userflow-ingester");
    let running = start(command.args(arguments), &log)?;
    let sender = Sender::new(&topic)?;
    send(&sender, &event("first", "enter", now_ms()), now_ms())?;
    wait_for("the first session", PATIENCE, || before.session("first"))?;

    proxy.point_to(address(new.url())?)?;
    match end {
        End::Demoted => {
            (before.database).execute("ALTER SYSTEM SET default_transaction_read_only = on")?;
            before.database.execute("SELECT pg_reload_conf()")?;
        }
        End::Gone => old.stop()?,
    }
    send(&sender, &event("second", "enter", now_ms()), now_ms())?;
    for session in ["second", "first"] {
        wait_for(
            "both sessions on the new server",
            Duration::from_secs(30),
            || after.session(session),
        )
        .with_context(|| std::fs::read_to_string(&log).unwrap_or_default())?;
    }
    running.signal("TERM")?;
    let status = running.wait(Duration::from_secs(60))?;
    ensure!(
        status.success(),
        "{status}: {}",
        std::fs::read_to_string(&log)?
    );
    Ok(())
}

#[test]
fn a_server_that_was_demoted_is_left_for_the_new_one() -> Result<()> {
    followed("demoted", End::Demoted)
}

#[test]
fn a_server_that_is_gone_is_left_for_the_new_one() -> Result<()> {
    followed("gone_server", End::Gone)
}

#[test]
fn a_standby_that_was_promoted_a_little_behind_gets_the_rows_that_it_lacks() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let topic = create_topic("online.promoted", 1)?;
    let old = Server::start()?;
    let store = Store::create_on(old.url(), folder.path(), "promoted")?;
    let proxy = Proxy::to(address(old.url())?)?;
    let log = folder.path().join("sessionize.log");
    let running = start(
        through(&proxy, &store, &topic)?.args(["--checkpoint-interval", "3600"]),
        &log,
    )?;
    let sender = Sender::new(&topic)?;
    send(&sender, &event("first", "enter", now_ms()), now_ms())?;
    wait_for("the first session", PATIENCE, || store.session("first"))?;
    // What the standby has ends here; the owner and the epoch are the same there.
    old.stop()?;
    let new = Server::promoted_from(&old)?;
    old.start_again()?;
    let store = Store {
        database: Database::connect(store.database.url())?,
        ..store
    };
    send(&sender, &event("second", "enter", now_ms()), now_ms())?;
    wait_for("the second session", PATIENCE, || store.session("second"))?;
    proxy.point_to(address(new.url())?)?;
    old.stop()?;
    let url = store.database.url();
    let after = Store {
        database: Database::connect(&url.replace(address(url)?, address(new.url())?))?,
        ..store
    };
    ensure!(after.session("second")?.is_none() && after.session("first")?.is_some());
    send(&sender, &event("third", "enter", now_ms()), now_ms())?;
    for session in ["third", "second"] {
        wait_for("every session", Duration::from_secs(30), || {
            after.session(session)
        })
        .with_context(|| std::fs::read_to_string(&log).unwrap_or_default())?;
    }
    running.signal("TERM")?;
    ensure!(running.wait(Duration::from_secs(60))?.success());
    Ok(())
}

#[test]
fn an_address_that_leads_to_a_standby_is_waited_for() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let topic = create_topic("online.standby", 1)?;
    let store = Store::create(folder.path(), "standby")?;
    let name = store
        .database
        .url()
        .rsplit('/')
        .next()
        .context("no name")?
        .to_owned();
    store.database.execute(&format!(
        "ALTER DATABASE {name} SET default_transaction_read_only = on"
    ))?;
    let output = store.sessionize(&topic).arg("--until-caught-up").output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(1), "{}: {said}", output.status);
    ensure!(said.contains("only reads"), "{said}");
    Ok(())
}
