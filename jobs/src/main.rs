//! `userflow-jobs`. The table of contents is [`userflow_jobs::cli`]: jobs are async code, and async code is compiled where it is
//! awaited, so it is awaited in the library, once.

use clap::Parser;
use userflow_jobs::cli::Cli;
use userflow_process::exit;
use userflow_process::logging::start_logging;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    start_logging(&cli.common.log.log);
    exit::code(
        cli.run(),
        &[
            userflow_models::no_retry_helps,
            userflow_lake::no_retry_helps,
        ],
    )
}
