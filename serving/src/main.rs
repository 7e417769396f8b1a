//! `userflow-serving`: everything a client reads. It answers with rows of the online store, by key, and computes nothing.
//!
//! ```text
//! http/connections ─▶ http/{online,look,listing,stream} ─▶ request, plan ─▶ store/{redis,postgres} ─▶ answer
//! ```
//!
//! * `config`: what it is told. `service`: how it starts and ends. `metrics`, `status`: what it says of itself.
//! * `http`: connections, limits, tokens, errors, the endpoints. `request`: what a client sent. `plan`: which columns of which views that is.
//! * `store`: where rows come from. `answer`: what is sent, and which value is too old to be.
//!
//! Not here: what a view or a feature service means (`userflow_models::services`), how rows got there (the sessionizer, `publish`), Kafka,
//! Delta. It opens no table of the lake.

mod answer;
mod config;
mod http;
mod metrics;
mod plan;
mod refusal;
mod request;
mod service;
mod status;
mod store;

use clap::Parser;
use userflow_process::logging::start_logging;
use userflow_process::{allocation, exit};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    allocation::give_back_what_is_freed();
    let settings = config::Settings::parse();
    start_logging(&settings.log.log);
    let outcome = service::run(&settings);
    exit::code(outcome, &[userflow_models::no_retry_helps])
}
