//! An S3-compatible store of one test's own.

use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::process::{must, root};

const ENDPOINT: &str = "AWS_ENDPOINT_URL";

/// The server; it ends when dropped. A bucket is made when it is first written to.
pub struct S3 {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl S3 {
    /// Starts one.
    pub fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let output = must(&mut script("start", &folder))?;
        let variables = String::from_utf8(output.stdout)?
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Ok(Self { folder, variables })
    }

    /// Its address, `host:port`.
    pub fn address(&self) -> Result<&str> {
        let (_, url) = (self.variables.iter())
            .find(|(name, _)| name == ENDPOINT)
            .context("the store did not say its address")?;
        url.strip_prefix("http://")
            .context("the store's address is no http://")
    }

    /// Lets a command reach it, by another address (a proxy's).
    pub fn reached_by<'a>(&self, command: &'a mut Command, address: &str) -> &'a mut Command {
        command
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .env(ENDPOINT, format!("http://{address}"))
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        // A test that failed says why itself.
        drop(script("kill", &self.folder).output());
    }
}

fn script(command: &str, folder: &TempDir) -> Command {
    let mut script = Command::new(root().join("deploy/servers/s3"));
    script.args([command, "--dir"]).arg(folder.path());
    script
}
