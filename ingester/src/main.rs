//! `userflow-ingester`: one binary, one subcommand per role. This file is its table of contents.

use clap::Parser;
use userflow_ingester::cli::{Cli, Command};
use userflow_ingester::{bronze, dev_broker, lines, sessionize, simulate};
use userflow_process::logging::start_logging;
use userflow_process::{allocation, exit};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    allocation::give_back_what_is_freed();
    let cli = Cli::parse();
    start_logging(&cli.log.log);
    let outcome = match cli.command {
        Command::Simulate(args) => simulate::run(&args),
        Command::Ingest(args) => bronze::run(&args),
        Command::Load(args) => bronze::load(&args),
        Command::Lag(args) => bronze::lag(&args),
        Command::Sessionize(args) => sessionize::run(&args),
        Command::Sample(args) => lines::sample(&args),
        Command::Send(args) => lines::send(&args),
        Command::DevBroker(args) => dev_broker::run(&args),
    };
    exit::code(
        outcome,
        &[
            userflow_models::no_retry_helps,
            userflow_lake::no_retry_helps,
        ],
    )
}
