//! `check --trend`: what the last runs found, from `ops.quality_log`.

use anyhow::Result;
use userflow_process::exit::WrongSetup;

use super::args::CheckArgs;
use super::subjects::subjects;
use crate::config::Output;
use crate::workspace::Workspace;
use crate::{ops, print};

/// Prints what the last runs found.
pub(super) async fn run(workspace: &Workspace, args: &CheckArgs) -> Result<()> {
    let url = args.ops.postgres_url.as_ref().ok_or_else(|| {
        WrongSetup(
            "--trend reads ops.quality_log: give --postgres-url (USERFLOW_POSTGRES_URL)".to_owned(),
        )
    })?;
    let names: Vec<String> = match args.tables.is_empty() {
        true => Vec::new(),
        false => subjects(workspace, args)?
            .iter()
            .map(|subject| subject.name.to_owned())
            .collect(),
    };
    let runs = ops::trend(url, &names, args.limit).await?;
    if workspace.output == Output::Json {
        return print::json(
            &serde_json::json!({"command": "check", "check": "trend", "runs": runs}),
        );
    }
    let mut table = print::new_table(&[
        "judged at",
        "table",
        "window",
        "passed",
        "warned",
        "blocked",
        "rows",
        "lowest",
        "what did not pass",
    ]);
    for run in &runs {
        table.add_row([
            run.checked_at.format("%Y-%m-%d %H:%M:%SZ").to_string(),
            run.model.clone(),
            run.window_date.to_string(),
            run.passed.to_string(),
            run.warned.to_string(),
            run.blocked.to_string(),
            run.rows.to_string(),
            format!("{:.2} %", run.lowest * 100.0),
            run.notable.join("; "),
        ]);
    }
    print::text(&format!("{table}\n{} runs, the newest first", runs.len()))
}
