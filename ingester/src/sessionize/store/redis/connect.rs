//! A connection to Redis, and which server answers.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionAddr};
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
    /// Reads the URL; connects to nothing.
    pub(super) fn at(url: &RedisUrl) -> Result<Self, WrongSetup> {
        // The error's text is left out: it may quote a part of the URL.
        let client = Client::open(url.text()?).map_err(|_| url.unreadable())?;
        if matches!(
            client.get_connection_info().addr(),
            ConnectionAddr::TcpTls { .. }
        ) {
            // The other of the two cryptographies in the tree is as good; somebody may have chosen already.
            drop(rustls::crypto::ring::default_provider().install_default());
        }
        Ok(Self { client })
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
