//! Arguments of `show`.

use clap::Args;

use crate::config::WindowArgs;

/// Settings of `show`.
#[derive(Clone, Debug, Args)]
pub struct ShowArgs {
    /// The table, such as gold.user_daily
    #[arg(value_name = "TABLE")]
    pub table: String,
    /// The windows.
    #[command(flatten)]
    pub window: WindowArgs,
    /// Only rows for which this SQL condition holds
    #[arg(long = "where", value_name = "SQL")]
    pub condition: Option<String>,
    /// Only these columns, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// Order by these columns; `-name` is descending
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    pub order: Vec<String>,
    /// Print at most so many rows
    #[arg(long, default_value = "20", value_name = "N")]
    pub limit: usize,
    /// One column a line; as it is anyway where the columns do not fit
    #[arg(long)]
    pub vertical: bool,
    /// Characters of a line, 0 for no limit; default those of the terminal, and no limit where the output goes elsewhere
    #[arg(long, env = "COLUMNS", value_name = "N")]
    pub width: Option<usize>,
}

impl ShowArgs {
    /// Characters of a line.
    pub fn width(&self) -> Option<usize> {
        let terminal = || console::Term::stdout().size_checked();
        let width = self
            .width
            .or_else(|| terminal().map(|(_, columns)| columns.into()));
        width.filter(|width| *width > 0)
    }
}
