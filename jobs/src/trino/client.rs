//! Statements over HTTP: one is posted; as long as an answer names a next page, that page is fetched. Rows, an error or neither come
//! with any of them.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use url::Url;
use userflow_process::exit::WrongSetup;

use super::address::{SHAPE, Server, TrinoUrl};

/// A server that does not answer for so long is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A page is answered within about a second, even while its statement still runs.
const PAGE_TIMEOUT: Duration = Duration::from_secs(60);
/// Answers that ask to come back: how often, and after what time.
const BUSY_TRIES: u32 = 20;
const BUSY_WAIT: Duration = Duration::from_millis(250);
/// How long a server that has just started may be without nodes for the tables of a catalog. It answers everything else by then.
const NODES_TIMEOUT: Duration = Duration::from_secs(60);
/// Trino's name for that.
const NO_NODES: &str = "NO_NODES_AVAILABLE";

/// A Trino server, and who we are to it.
pub struct Trino {
    client: Client,
    server: Server,
}

/// One page of an answer, as far as we read it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    next_uri: Option<Url>,
    #[serde(default)]
    data: Vec<Vec<Value>>,
    error: Option<Refusal>,
}

/// Why a statement failed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    message: String,
    error_name: String,
    error_type: String,
}

impl Refusal {
    /// Tells what a retry cannot mend.
    fn into_error(self) -> anyhow::Error {
        let text = self.to_string();
        if self.error_type == "USER_ERROR" {
            WrongSetup(text).into()
        } else {
            anyhow::Error::msg(text)
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.error_name)
    }
}

/// The rows of a statement.
type Rows = Vec<Vec<Value>>;

impl Trino {
    /// Reads the URL; asks the server nothing.
    pub fn open(url: &TrinoUrl) -> Result<Self> {
        let server = url.server()?;
        let client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(PAGE_TIMEOUT)
            .build()
            .context("prepare an HTTP client")?;
        Ok(Self { client, server })
    }

    /// Where the server is, for messages.
    pub fn place(&self) -> String {
        self.server.statements.origin().ascii_serialization()
    }

    /// Runs a statement and returns all of its rows. A refusal is an error: [`WrongSetup`] where the statement is to blame.
    pub async fn rows(&self, statement: &str) -> Result<Rows> {
        match self.ask(statement).await? {
            Ok(rows) => Ok(rows),
            Err(refusal) => Err(refusal.into_error())
                .with_context(|| format!("ask Trino at {}: {statement}", self.place())),
        }
    }

    /// Runs a statement that may be refused: the caller acts on it. A server without nodes is waited for.
    pub async fn ask(&self, statement: &str) -> Result<Result<Rows, Refusal>> {
        let until = Instant::now() + NODES_TIMEOUT;
        loop {
            match self.ask_once(statement).await? {
                Err(refusal) if refusal.error_name == NO_NODES && Instant::now() < until => {
                    tokio::time::sleep(BUSY_WAIT).await;
                }
                answer => return Ok(answer),
            }
        }
    }

    async fn ask_once(&self, statement: &str) -> Result<Result<Rows, Refusal>> {
        let asked = || format!("ask Trino at {}: {statement}", self.place());
        let post = || {
            self.client
                .post(self.server.statements.clone())
                .body(statement.to_owned())
        };
        let mut page = self.page(post).await.with_context(asked)?;
        let mut rows = Vec::new();
        loop {
            rows.append(&mut page.data);
            if let Some(refusal) = page.error {
                return Ok(Err(refusal));
            }
            let Some(next) = page.next_uri else {
                return Ok(Ok(rows));
            };
            // Our name and password go to the server that was named and to no other.
            if next.origin() != self.server.statements.origin() {
                let to = next.origin().ascii_serialization();
                return Err(WrongSetup(format!(
                    "it sends us on to {to}: give that as --trino-url, or have its proxy pass the Host header on"
                )))
                .with_context(asked);
            }
            page = self
                .page(|| self.client.get(next.clone()))
                .await
                .with_context(asked)?;
        }
    }

    async fn page(&self, request: impl Fn() -> RequestBuilder) -> Result<Page> {
        let mut tries = 0;
        loop {
            let signed = request()
                .header("X-Trino-User", &self.server.user)
                .header("X-Trino-Source", "userflow-jobs");
            let signed = match &self.server.password {
                Some(password) => signed.basic_auth(&self.server.user, Some(password)),
                None => signed,
            };
            let response = signed.send().await.map_err(reqwest::Error::without_url)?;
            let status = response.status();
            let body = response.text().await.map_err(reqwest::Error::without_url)?;
            match status {
                StatusCode::OK => {
                    return serde_json::from_str(&body)
                        .context("the answer is not Trino's: is this its address?");
                }
                StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
                | StatusCode::TOO_MANY_REQUESTS
                    if tries < BUSY_TRIES =>
                {
                    tries += 1;
                    tokio::time::sleep(BUSY_WAIT).await;
                }
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                    return Err(WrongSetup(format!("it answers {status}: {SHAPE}")).into());
                }
                _ => bail!("it answers {status}: {}", start_of(&body)),
            }
        }
    }
}

fn start_of(body: &str) -> String {
    body.chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use userflow_process::exit::code_of;

    #[test]
    fn a_refusal_of_the_statement_is_wrong_and_of_the_server_is_not() {
        let error = |kind: &str| {
            let text = format!(
                r#"{{"message":"no","errorCode":1,"errorName":"CATALOG_NOT_FOUND","errorType":"{kind}"}}"#
            );
            let refusal: Refusal = serde_json::from_str(&text).unwrap();
            refusal.into_error()
        };
        assert_eq!(code_of(&error("USER_ERROR"), &[]), 2);
        assert_eq!(code_of(&error("INTERNAL_ERROR"), &[]), 1);
        assert!(
            error("USER_ERROR")
                .to_string()
                .contains("CATALOG_NOT_FOUND")
        );
    }
}
