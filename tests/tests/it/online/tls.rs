//! PostgreSQL over TLS: the server's certificate is checked against the authority and the name that the URL says.

use anyhow::{Result, ensure};
use userflow_tests::broker::{Sender, create_topic};
use userflow_tests::process::{binary, must};

use super::Store;
use super::events::{event, now_ms, send};
use crate::certificates::{authority, server_certificate};
use crate::postgres::Server;

#[test]
fn the_server_is_who_it_says_or_nothing_is_sent() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path();
    authority(path, "ours")?;
    authority(path, "theirs")?;
    server_certificate(path, "ours")?;
    let server = Server::start()?;
    server.use_tls(&path.join("server.pem"), &path.join("server.key"))?;

    let store = Store::create_on(server.url(), path, "tls")?;
    let topic = create_topic("online.tls", 1)?;
    let sender = Sender::new(&topic)?;
    send(&sender, &event("s", "enter", now_ms()), now_ms())?;
    let with = |ca: &str, host: &str| {
        let url = store.database.url().replace("127.0.0.1", host);
        format!(
            "{url}?sslmode=verify-full&sslrootcert={}",
            path.join(ca).display()
        )
    };
    let sessionize = |url: &str| {
        let arguments: Vec<String> = (store.sessionize(&topic).get_args())
            .map(|argument| {
                argument
                    .to_string_lossy()
                    .replace(store.database.url(), url)
            })
            .collect();
        let mut command = binary("userflow-ingester");
        command.args(arguments).arg("--until-caught-up");
        command
    };
    let init = |url: &str| {
        let mut command = binary("userflow-jobs");
        command
            .args(["init", "--domain", "webtoon", "--lake"])
            .arg(path.join("tls.lake"))
            .args(["--postgres-url", url]);
        command
    };
    // Not the authority that signed it; and the right one, but another name than the certificate's.
    for wrong in [
        with("theirs.pem", "127.0.0.1"),
        with("ours.pem", "localhost"),
    ] {
        for mut command in [sessionize(&wrong), init(&wrong)] {
            let output = command.output()?;
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(
                output.status.code() == Some(2),
                "{wrong}: {}: {said}",
                output.status
            );
            ensure!(said.contains("certificate"), "{wrong}: {said}");
        }
    }
    ensure!(store.session("s")?.is_none());
    let right = with("ours.pem", "127.0.0.1");
    must(&mut init(&right))?;
    must(&mut sessionize(&right))?;
    ensure!(store.session("s")?.is_some());
    let encrypted = "SELECT count(*) FROM pg_settings WHERE name = 'ssl' AND setting = 'on'";
    ensure!(store.database.number(encrypted)? == 1);
    Ok(())
}
