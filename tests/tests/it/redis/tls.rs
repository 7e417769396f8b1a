//! Redis over TLS, and a user with a password and few rights: Redis is who it says or gets nothing, and PostgreSQL has every row all the same.

use std::net::TcpListener;
use std::path::Path;

use anyhow::{Result, ensure};
use tempfile::TempDir;

use super::{Redis, Stage};
use crate::certificates::{authority, server_certificate};

/// What docs/operate.md says that the user has to be allowed.
const RIGHTS: &str = "~* +@read +@write +@scripting +@connection -@dangerous +info";

/// A Redis that takes TLS on a port of its own; the test looks into it on the other one.
struct Encrypted {
    redis: Redis,
    folder: TempDir,
    port: u16,
}

impl Encrypted {
    fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        for name in ["ours", "theirs"] {
            authority(folder.path(), name)?;
        }
        server_certificate(folder.path(), "ours")?;
        let redis = Redis::start()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let file = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        redis.cli(&[
            "CONFIG",
            "SET",
            "tls-cert-file",
            &file("server.pem"),
            "tls-key-file",
            &file("server.key"),
            "tls-ca-cert-file",
            &file("ours.pem"),
            "tls-auth-clients",
            "no",
            "tls-port",
            &port.to_string(),
        ])?;
        let mut user = vec!["ACL", "SETUSER", "features", "on", ">hush"];
        user.extend(RIGHTS.split(' '));
        redis.cli(&user)?;
        Ok(Self {
            redis,
            folder,
            port,
        })
    }

    fn url(&self, host: &str, password: &str) -> String {
        format!("rediss://features:{password}@{host}:{}", self.port)
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }
}

/// Reads to the end of the topic with these certificates of authorities; what it said.
fn catch_up(stage: &Stage, url: &str, authorities: &str) -> Result<String> {
    let mut command = stage.sessionize(Some(url));
    command.args(["--until-caught-up", "--redis-ca-file", authorities]);
    let output = userflow_tests::process::must(&mut command)?;
    Ok(String::from_utf8(output.stderr)?)
}

#[test]
fn redis_is_who_it_says_or_gets_nothing_and_postgresql_goes_on() -> Result<()> {
    let encrypted = Encrypted::start()?;
    let redis = &encrypted.redis;
    let mut stage = Stage::set("redis_tls")?;
    let (right, ours) = (
        encrypted.url("127.0.0.1", "hush"),
        encrypted.file("ours.pem"),
    );
    let wrong = [
        (right.clone(), encrypted.file("theirs.pem"), "certificate"),
        (
            encrypted.url("localhost", "hush"),
            ours.clone(),
            "certificate",
        ),
        (
            encrypted.url("127.0.0.1", "shout"),
            ours.clone(),
            "Password authentication failed",
        ),
    ];
    for (url, authorities, why) in wrong {
        stage.send_many(100)?;
        let said = catch_up(&stage, &url, &authorities)?;
        stage.postgres_has_all()?;
        ensure!(said.contains(why), "{why} is not in {said}");
        ensure!(!said.contains("shout") && !said.contains("hush"), "{said}");
        ensure!(redis.number(&["DBSIZE"])? == 0, "{said}");
    }
    // The authorities of the machine have not signed it.
    let said = stage.catch_up(Some(&right))?;
    ensure!(said.contains("certificate"), "{said}");
    ensure!(redis.number(&["DBSIZE"])? == 0, "{said}");

    stage.send_many(300)?;
    catch_up(&stage, &right, &ours)?;
    stage.postgres_has_all()?;
    let contents = redis.contents()?;
    ensure!(!contents.is_empty() && contents == stage.expected()?);
    // Its rights were enough for everything that it wanted.
    let denied = redis.cli(&["ACL", "LOG"])?;
    ensure!(!denied.contains("command"), "{denied}");
    Ok(())
}

#[test]
fn a_file_of_authorities_that_is_of_no_use_ends_the_run() -> Result<()> {
    let stage = Stage::set("redis_ca_file")?;
    let folder = tempfile::tempdir()?;
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "no certificate\n")?;
    let cases: [(&str, &Path, &str); 3] = [
        (
            "rediss://h:1",
            Path::new("/nowhere.pem"),
            "--redis-ca-file /nowhere.pem",
        ),
        ("rediss://h:1", &empty, "there is no certificate in it"),
        ("redis://h:1", &empty, "write rediss://"),
    ];
    for (url, file, says) in cases {
        let mut command = stage.sessionize(Some(url));
        let output = command.arg("--redis-ca-file").arg(file).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(2), "{}: {said}", output.status);
        ensure!(said.contains(says), "{says} is not in {said}");
    }
    Ok(())
}
