//! Slack by incoming webhook: how a job ended, told to people. A webhook that is down never fails a job.
//!
//! The URL is a secret (who has it can write to the channel): it is never printed, also not in an error.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use userflow_process::exit::WrongSetup as Wrong;

use crate::config::NotifyArgs;
use crate::quality::{self, Report};
use crate::summary::{Line, Status};

/// Longest wait for the webhook: a job must not hang on a chat.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Failing tests, recoveries and reasons in one message; the rest is counted.
const LISTED: usize = 8;

/// The URL of an incoming webhook.
#[derive(Clone)]
pub struct Webhook(String);

impl From<String> for Webhook {
    /// Takes any text: a message about a wrong argument would print it, so it is looked at by [`Notifier::new`].
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Webhook(..)")
    }
}

/// How a job ended.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    /// The subcommand.
    pub command: &'a str,
    /// Who asked for it.
    pub asked_by: &'a str,
    /// Its windows.
    pub lines: &'a [Line],
    /// What the gate found.
    pub quality: Option<&'a Report>,
    /// Windows that are done and had failed before.
    pub recovered: &'a [String],
    /// Why it failed.
    pub error: Option<&'a anyhow::Error>,
}

/// Sends messages, when that was asked for.
#[derive(Debug)]
pub struct Notifier {
    webhook: Option<(reqwest::Client, url::Url)>,
}

impl Notifier {
    /// Reads the settings; wrong ones are said before the job starts.
    pub fn new(settings: &NotifyArgs) -> Result<Self> {
        if !settings.notify {
            return Ok(Self::silent());
        }
        let shape =
            "the environment variable USERFLOW_SLACK_WEBHOOK, https://hooks.slack.com/services/…";
        let Some(Webhook(url)) = &settings.slack_webhook else {
            return Err(Wrong(format!("--notify needs a webhook: {shape}")).into());
        };
        // The error's text is left out: it may quote a part of the URL.
        let url = url::Url::parse(url).ok();
        let url = url.filter(|url| ["http", "https"].contains(&url.scheme()) && url.has_host());
        let url = url.ok_or_else(|| Wrong(format!("the webhook is no http(s) URL: {shape}")))?;
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

    /// Tells how a job ended. What goes wrong is only said in the log.
    pub async fn tell(&self, end: &End<'_>) {
        let Some((client, url)) = &self.webhook else {
            return;
        };
        let body = json!({"text": text(end)}).to_string();
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

fn text(end: &End<'_>) -> String {
    let count = |status| {
        end.lines
            .iter()
            .filter(|line| line.status == status)
            .count()
    };
    let blocked = count(Status::Blocked);
    let verb = match (end.error, blocked) {
        (None, _) if end.recovered.is_empty() => ":white_check_mark: done",
        (None, _) => ":arrows_counterclockwise: recovered",
        (Some(_), 0) => ":x: failed",
        (Some(_), _) => ":no_entry: blocked by the quality gate",
    };
    let rows: u64 = end.lines.iter().map(|line| line.rows_written).sum();
    let mut lines = vec![format!(
        "*userflow {}* {verb}: {} windows done, {} skipped, {blocked} blocked, {} not run, {} failed, {rows} rows written (asked by {})",
        end.command,
        count(Status::Done),
        count(Status::Skipped),
        count(Status::NotRun),
        count(Status::Failed),
        end.asked_by,
    )];
    let notable = end.quality.map(Report::notable).unwrap_or_default();
    let blocking = notable
        .iter()
        .filter(|verdict| verdict.status == quality::Status::Block);
    let tests = blocking.map(|verdict| {
        format!(
            "{} of {}: {}",
            verdict.model,
            verdict.window,
            verdict.brief()
        )
    });
    extend(&mut lines, tests.collect());
    extend(
        &mut lines,
        end.recovered
            .iter()
            .map(|window| format!("recovered: {window}"))
            .collect(),
    );
    if blocked == 0
        && let Some(error) = end.error
    {
        lines.push(format!("{error:#}"));
    }
    escaped(&lines.join("\n"))
}

/// Adds the first of many lines, and how many more there are.
fn extend(lines: &mut Vec<String>, more: Vec<String>) {
    let rest = more.len().saturating_sub(LISTED);
    lines.extend(
        more.into_iter()
            .take(LISTED)
            .map(|line| format!("• {line}")),
    );
    if rest > 0 {
        lines.push(format!("• and {rest} more"));
    }
}

/// Slack reads these three as markup, so that a test or an error cannot address people or make links.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
