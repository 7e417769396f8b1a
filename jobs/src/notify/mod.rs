//! Tells people in Slack how a job ended, through an incoming webhook. A webhook that is down never fails a job.
//!
//! The URL is a secret (who has it can write to the channel): it is never printed, also not in an error.

mod args;
mod message;
mod webhook;

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use userflow_process::exit::WrongSetup;
use userflow_process::secret::ExposeSecret;

pub use args::NotifyArgs;
pub use message::End;
pub use webhook::Webhook;

/// Longest wait for the webhook: a job must not hang on a chat.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Sends messages, when that was asked for.
#[derive(Debug)]
pub struct Notifier {
    webhook: Option<(reqwest::Client, url::Url)>,
}

impl Notifier {
    /// Reads the settings; wrong ones are an error before the job starts.
    pub fn new(settings: &NotifyArgs) -> Result<Self> {
        if !settings.notify {
            return Ok(Self::silent());
        }
        let shape =
            "the environment variable USERFLOW_SLACK_WEBHOOK, https://hooks.slack.com/services/…";
        let Some(Webhook(url)) = &settings.slack_webhook else {
            return Err(WrongSetup(format!("--notify needs a webhook: {shape}")).into());
        };
        // The error's text is left out: it may quote a part of the URL.
        let url = url::Url::parse(url.expose_secret()).ok();
        let url = url.filter(|url| ["http", "https"].contains(&url.scheme()) && url.has_host());
        let url =
            url.ok_or_else(|| WrongSetup(format!("the webhook is no http(s) URL: {shape}")))?;
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("set up the webhook's client")?;
        Ok(Self {
            webhook: Some((client, url)),
        })
    }

    /// One that tells nobody.
    pub fn silent() -> Self {
        Self { webhook: None }
    }

    /// Tells how a job ended. A failure to tell is only logged.
    pub async fn tell(&self, end: &End<'_>) {
        let Some((client, url)) = &self.webhook else {
            return;
        };
        let body = json!({"text": message::text(end)}).to_string();
        let request = client
            .post(url.clone())
            .header("content-type", "application/json")
            .body(body);
        match request.send().await {
            Ok(answer) if answer.status().is_success() => {}
            Ok(answer) => tracing::warn!(
                "Slack was not told: the webhook answered {}",
                answer.status()
            ),
            Err(error) => tracing::warn!("Slack was not told: {}", error.without_url()),
        }
    }
}
