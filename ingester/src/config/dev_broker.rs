//! Settings of `dev-broker`.

use clap::Args;

/// Settings of `dev-broker`.
#[derive(Clone, Debug, Args)]
pub struct DevBrokerArgs {
    /// Topics to create, as name:partitions; repeatable
    #[arg(long = "topic", value_name = "NAME:PARTITIONS", required = true, value_parser = topic)]
    pub topics: Vec<(String, i32)>,
}

fn topic(text: &str) -> Result<(String, i32), String> {
    let (name, partitions) = text.split_once(':').unwrap_or((text, "4"));
    match partitions.parse() {
        Ok(n) if n >= 1 && !name.is_empty() => Ok((name.to_owned(), n)),
        _ => Err(format!("{text:?} is not NAME:PARTITIONS")),
    }
}
