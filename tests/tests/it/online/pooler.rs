//! A connection pooler between: pgbouncer in session and in transaction mode.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use userflow_tests::broker::{Sender, create_topic};
use userflow_tests::process::{Running, binary, must, start, wait_for};

use super::Store;
use super::events::{event, now_ms};

/// Where Debian's package has it, which not everybody's PATH does.
const PROGRAM: &str = "/usr/sbin/pgbouncer";

/// A pgbouncer in front of a database.
struct Pooler {
    url: String,
    _running: Running,
}

impl Pooler {
    fn start(folder: &Path, database: &str, mode: &str) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let (server, name) = database.rsplit_once('/').context("no database")?;
        let address = server.rsplit_once('@').context("no user")?.1;
        let (host, server_port) = address.split_once(':').context("no port")?;
        let folder = folder.join(mode);
        std::fs::create_dir(&folder)?;
        // It refuses to run as root and then is another user.
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777))?;
        if let Some(parent) = folder.parent() {
            std::fs::set_permissions(parent, std::fs::Permissions::from_mode(0o755))?;
        }
        let settings = folder.join("pgbouncer.ini");
        std::fs::write(folder.join("users"), "\"userflow\" \"\"\n")?;
        std::fs::write(
            &settings,
            format!(
                "[databases]\n{name} = host={host} port={server_port} dbname={name} user=userflow\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
                 listen_port = {port}\nauth_type = any\nauth_file = {folder}/users\npool_mode = {mode}\ndefault_pool_size = 3\n\
                 unix_socket_dir =\nlogfile = {folder}/log\npidfile = {folder}/pid\n",
                folder = folder.display()
            ),
        )?;
        let mut command = match std::fs::metadata("/proc/self")
            .map(|own| std::os::unix::fs::MetadataExt::uid(&own))
        {
            Ok(0) => {
                let mut command = Command::new("setpriv");
                command.args([
                    "--reuid=postgres",
                    "--regid=postgres",
                    "--clear-groups",
                    PROGRAM,
                ]);
                command
            }
            _ => Command::new(PROGRAM),
        };
        let running = start(command.arg("-q").arg(&settings), &folder.join("out"))
            .context("start pgbouncer: `deploy/setup databases` installs it")?;
        wait_for("pgbouncer", Duration::from_secs(20), || {
            Ok(std::net::TcpStream::connect(("127.0.0.1", port))
                .ok()
                .map(drop))
        })?;
        Ok(Self {
            url: format!("postgres://userflow@127.0.0.1:{port}/{name}"),
            _running: running,
        })
    }
}

#[test]
fn a_pooler_in_either_mode_is_no_hindrance() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for mode in ["session", "transaction"] {
        let topic = create_topic(&format!("online.pooler_{mode}"), 2)?;
        let store = Store::create(folder.path(), &format!("pooler_{mode}"))?;
        let pooler = Pooler::start(folder.path(), store.database.url(), mode)?;
        let jobs = |args: &[&str]| {
            let mut command = binary("userflow-jobs");
            command
                .args(args)
                .args(["--postgres-url", &pooler.url, "--lake"])
                .arg(folder.path().join(format!("pooler_{mode}.lake")));
            command
        };
        let sender = Sender::new(&topic)?;
        let mut sent: i64 = 0;
        // Found by itself, then said.
        for more in [&[][..], &["--postgres-pooling", mode][..]] {
            must(&mut jobs(&["init", "--domain", "webtoon"]))?;
            for partition in [0, 1] {
                for _ in 0..20 {
                    let event = event(&format!("s{sent}"), "enter", now_ms() - 3_600_000);
                    sender.send(partition, Some(event.to_string().as_bytes()), now_ms())?;
                    sent += 1;
                }
            }
            sender.flush()?;
            let arguments: Vec<String> = (store.sessionize(&topic).get_args())
                .map(|argument| {
                    argument
                        .to_string_lossy()
                        .replace(store.database.url(), &pooler.url)
                })
                .collect();
            let output = must(
                binary("userflow-ingester")
                    .args(arguments)
                    .arg("--until-caught-up")
                    .args(more),
            )?;
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(
                said.contains("a connection pooler in transaction mode")
                    == (mode == "transaction" && more.is_empty()),
                "{mode} {more:?}: {said}"
            );
            let sessions = store
                .database
                .number("SELECT count(*) FROM online.webtoon_session")?;
            ensure!(sessions == sent, "{mode}: {sessions} of {sent}");
            must(&mut jobs(&["check", "--trend"]))?;
        }
    }
    Ok(())
}
