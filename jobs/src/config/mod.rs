//! The settings that several jobs share. The arguments of one job stand beside it, in its `args.rs`.
//!
//! What belongs to a deployment (where things are, how much memory there is) has an environment variable too. What somebody decides
//! for one run has none, so that an exported variable changes no job. This crate reads the environment through such arguments only.

mod window;

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};
use userflow_process::arguments::{LakeArgs, LogArgs, ModelsArgs};
use userflow_process::units::size_from;

pub use window::WindowArgs;

/// Settings of every job.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// Where domains are.
    #[command(flatten)]
    pub models: ModelsArgs,
    /// The lake.
    #[command(flatten)]
    pub lake: LakeArgs,
    /// What to log.
    #[command(flatten)]
    pub log: LogArgs,
    /// Bound of the memory of queries; beyond it they spill to disk
    #[arg(long, env = "USERFLOW_JOBS_MEMORY_LIMIT", default_value = "2GB", global = true, value_name = "SIZE", value_parser = size_from(1 << 20, "2GB"))]
    pub memory_limit: usize,
    /// Threads; default one per core
    #[arg(long, env = "USERFLOW_THREADS", global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Folder for what queries spill; default the system's temporary folder
    #[arg(long, env = "USERFLOW_SPILL_DIR", global = true, value_name = "FOLDER")]
    pub spill_dir: Option<PathBuf>,
    /// How the result is printed: for people, or as one JSON object on standard output and nothing else there; csv is for `show`
    #[arg(long, value_enum, default_value_t = Output::Text, global = true)]
    pub output: Output,
}

impl Common {
    /// Threads to run on.
    pub fn threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, Into::into);
        self.threads.map_or_else(cores, usize::from)
    }

    /// The folder for what queries spill.
    pub fn spill_dir(&self) -> PathBuf {
        self.spill_dir.clone().unwrap_or_else(std::env::temp_dir)
    }

    /// The runtime that everything runs in. Multi-threaded even for one thread: the log's checkpoints need it.
    pub fn start_runtime(&self) -> anyhow::Result<tokio::runtime::Runtime> {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(self.threads())
            .enable_all()
            .build()
            .context("start the runtime")
    }
}

/// How a result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// One JSON object.
    Json,
    /// The rows of a table, exactly.
    Csv,
}
