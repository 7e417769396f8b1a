//! A connection to Redis, and which server answers.

use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionAddr, TlsCertificates};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use userflow_process::exit::WrongSetup;
use userflow_process::redis::RedisUrl;

use super::trouble::Trouble;

/// How long a connection may take, until the server has answered.
const CONNECT: Duration = Duration::from_secs(2);
/// How long an answer may take before the connection is given up: a server that lost its power says nothing.
const ANSWER: Duration = Duration::from_secs(5);

/// A server that is not connected yet.
pub(super) struct Server {
    client: Client,
}

impl Server {
    /// Reads the URL and the authorities that may have signed the server's certificate; connects to nothing.
    pub(super) fn at(url: &RedisUrl, authorities: Option<&Path>) -> Result<Self, WrongSetup> {
        // The error's text is left out: it may quote a part of the URL.
        let client = Client::open(url.text()?).map_err(|_| url.unreadable())?;
        let info = client.get_connection_info().clone();
        if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
            // The other of the two cryptographies in the tree is as good; somebody may have chosen already.
            drop(rustls::crypto::ring::default_provider().install_default());
        } else if authorities.is_some() {
            return Err(WrongSetup(
                "--redis-ca-file (USERFLOW_REDIS_CA_FILE) is for TLS, but the Redis URL begins with redis://: write rediss://"
                    .to_owned(),
            ));
        }
        let Some(file) = authorities else {
            return Ok(Self { client });
        };
        let unreadable = |why: &dyn Display| {
            let file = file.display();
            WrongSetup(format!(
                "--redis-ca-file {file}: {why}; it has to be a file in PEM format with the certificates of the authorities"
            ))
        };
        let pem = std::fs::read(file).map_err(|error| unreadable(&error))?;
        if CertificateDer::pem_slice_iter(&pem).next().is_none() {
            return Err(unreadable(&"there is no certificate in it"));
        }
        let certificates = TlsCertificates {
            client_tls: None,
            root_cert: Some(pem),
        };
        let client = Client::build_with_tls(info, certificates);
        Ok(Self {
            client: client.map_err(|error| unreadable(&error))?,
        })
    }

    /// Where it is, for a message: no password.
    pub(super) fn place(&self) -> String {
        let info = self.client.get_connection_info();
        format!(
            "Redis at {}, database {}",
            info.addr(),
            info.redis_settings().db()
        )
    }

    /// Connects, to a server that is no cluster. Returns which one answers: another run of the same server is another one.
    pub(super) async fn connect(&self) -> Result<(MultiplexedConnection, String), Trouble> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER));
        let connecting = async {
            let mut connection = (self.client)
                .get_multiplexed_async_connection_with_config(&config)
                .await?;
            let info: String = redis::cmd("INFO")
                .arg("server")
                .query_async(&mut connection)
                .await?;
            if line(&info, "redis_mode") == Some("cluster") {
                return Err(Trouble::Cluster);
            }
            Ok((connection, run_of(&info)))
        };
        match tokio::time::timeout(CONNECT, connecting).await {
            Ok(connected) => connected,
            Err(_) => Err(Trouble::Silent(CONNECT)),
        }
    }
}

/// The id that a server gives itself at each start.
pub(super) fn run_of(info: &str) -> String {
    line(info, "run_id").unwrap_or_default().to_owned()
}

fn line<'i>(info: &'i str, name: &str) -> Option<&'i str> {
    let mut lines = info.lines().filter_map(|line| line.split_once(':'));
    lines
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.trim())
}
