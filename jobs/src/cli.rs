//! The command line: which jobs there are. The arguments of each are beside it; those that several share are in [`crate::config`].

use clap::{Parser, Subcommand};
use userflow_process::exit::WrongSetup;

use crate::backfill::BackfillArgs;
use crate::check::CheckArgs;
use crate::compile::CompileArgs;
use crate::config::{Common, Output};
use crate::docs::DocsArgs;
use crate::feast::FeastArgs;
use crate::init::InitArgs;
use crate::list::ListArgs;
use crate::maintain::MaintainArgs;
use crate::new_domain::NewDomainArgs;
use crate::plan::PlanArgs;
use crate::preview::TryArgs;
use crate::publish::PublishArgs;
use crate::pull::PullArgs;
use crate::register::RegisterArgs;
use crate::replay::ReplayArgs;
use crate::run::RunArgs;
use crate::show::ShowArgs;
use crate::test::TestArgs;
use crate::training_set::TrainingSetArgs;
use crate::workspace::Workspace;
use crate::{
    backfill, check, compile, docs, feast, init, list, maintain, new_domain, plan, preview,
    publish, pull, register, replay, run, show, spill, test, training_set,
};

/// Bronze in, silver and gold out: every run replaces whole windows, so it can be repeated at will
#[derive(Debug, Parser)]
#[command(name = "userflow-jobs", version, about, max_term_width = 110)]
pub struct Cli {
    /// What every job needs.
    #[command(flatten)]
    pub common: Common,
    /// The job.
    #[command(subcommand)]
    pub command: Command,
}

/// One job per subcommand.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a domain from a sample of your own events: contract, feature views, models with tests; says what it guessed and how surely
    #[command(after_long_help = new_domain::HELP)]
    NewDomain(Box<NewDomainArgs>),
    /// Create the tables of the lake and of the online store, and add columns that models gained; changes nothing that is there
    Init(InitArgs),
    /// List the models with what they read, in the order in which they run
    List(ListArgs),
    /// Show the SQL of models as it runs for a window
    Compile(CompileArgs),
    /// List the windows whose inputs changed since they were last run, from the tables' logs
    Plan(PlanArgs),
    /// Compute models for a window or a range of windows and replace exactly those partitions
    Run(RunArgs),
    /// Judge tables as they stand by their tests; or the online store against them (--skew); or show what earlier runs found (--trend)
    Check(CheckArgs),
    /// Run many windows, several at a time, passing over those that are up to date
    Backfill(BackfillArgs),
    /// Merge small files, write checkpoints and remove files that no version needs, one process per table at a time
    Maintain(MaintainArgs),
    /// Land messages from quarantine that the contract of today accepts, each exactly once; or say what would land (--dry-run)
    #[command(after_long_help = replay::HELP)]
    Replay(ReplayArgs),
    /// Make every table of the lake visible in Trino; changes nothing that is there
    Register(RegisterArgs),
    /// Show the partition of a date to the readers of the online store: online.<view>, what differs is written, all at once
    #[command(after_long_help = publish::HELP)]
    Publish(PublishArgs),
    /// Print rows of a table
    Show(ShowArgs),
    /// Play the cases of models/<domain>/tests: events in, what feature views and tables must then hold; needs no server
    #[command(after_long_help = test::HELP)]
    Test(TestArgs),
    /// Show what a feature view would hold, event by event, or what a model's run would give; nothing is written
    #[command(after_long_help = preview::HELP)]
    Try(TryArgs),
    /// Write the files of seeds that are tables of PostgreSQL, for everything but `sessionize`, which reads the tables
    Pull(PullArgs),
    /// Make a training set: for each label the features of its entity as they stood at the label's time
    #[command(after_long_help = training_set::HELP)]
    TrainingSet(TrainingSetArgs),
    /// Write the catalogue: every table and feature view as pages that a browser opens from the folder
    Docs(DocsArgs),
    /// Write the feature_store.yaml and the registry.db with which Feast's clients read from userflow-serving
    #[command(after_long_help = feast::HELP)]
    Feast(FeastArgs),
}

impl Cli {
    /// Does the job, in a workspace unless the models' files are all that it reads.
    pub fn run(self) -> anyhow::Result<()> {
        if self.common.output == Output::Csv && !matches!(self.command, Command::Show(_)) {
            let rows = "--output csv is for rows of a table, with `show`: use --output json";
            return Err(WrongSetup(rows.to_owned()).into());
        }
        let open = || Workspace::open(&self.common);
        let done = self.common.start_runtime()?.block_on(async {
            match &self.command {
                Command::NewDomain(args) => new_domain::run(&self.common, args),
                Command::Init(args) => init::run(&open().await?, args).await,
                Command::List(args) => list::run(&self.common, args),
                Command::Compile(args) => compile::run(&open().await?, args).await,
                Command::Plan(args) => plan::run(&open().await?, args).await,
                Command::Run(args) => run::run(&open().await?, args).await,
                Command::Check(args) => check::run(&open().await?, args).await,
                Command::Backfill(args) => backfill::run(&open().await?, args).await,
                Command::Maintain(args) => maintain::run(&open().await?, args).await,
                Command::Replay(args) => replay::run(&open().await?, args).await,
                Command::Register(args) => register::run(&open().await?, args).await,
                Command::Publish(args) => publish::run(&open().await?, args).await,
                Command::Show(args) => show::run(&open().await?, args).await,
                Command::Test(args) => test::run(&self.common, args).await,
                Command::Try(args) => preview::run(&self.common, args).await,
                Command::Pull(args) => pull::run(&self.common, args).await,
                Command::TrainingSet(args) => training_set::run(&open().await?, args).await,
                Command::Docs(args) => docs::run(&open().await?, args).await,
                Command::Feast(args) => feast::run(&self.common, args),
            }
        });
        // `run` and `backfill` have explained it with its window.
        match self.command {
            Command::Run(_) | Command::Backfill(_) => done,
            _ => done.map_err(|error| spill::explained(error, &self.common.spill_dir())),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }

    /// A variable that is exported for one job is seen by all of them, so only settings of a deployment have one. A new one is added here
    /// when it is such a setting, and never for what somebody decides for one run: dates, selections, --publish-blocked, --recreate.
    #[test]
    fn only_settings_of_a_deployment_have_a_variable() {
        let mut found = std::collections::BTreeSet::new();
        let mut commands = vec![super::Cli::command()];
        while let Some(command) = commands.pop() {
            let variables = command.get_arguments().filter_map(clap::Arg::get_env);
            found.extend(variables.map(|name| name.to_string_lossy().into_owned()));
            commands.extend(command.get_subcommands().cloned());
        }
        let settings = [
            "COLUMNS", // the terminal's width
            "RUST_LOG",
            "USER",
            "USERFLOW_ASKED_BY",
            "USERFLOW_DIMENSION_BYTES",
            "USERFLOW_DIMENSION_ROWS",
            "USERFLOW_DOMAIN",
            "USERFLOW_JOBS_MEMORY_LIMIT",
            "USERFLOW_LAKE",
            "USERFLOW_MODELS",
            "USERFLOW_POSTGRES_URL",
            "USERFLOW_REDIS_URL",
            "USERFLOW_RETENTION",
            "USERFLOW_SERVING_URL",
            "USERFLOW_SLACK_WEBHOOK",
            "USERFLOW_SPILL_DIR",
            "USERFLOW_TARGET_SIZE",
            "USERFLOW_THREADS",
            "USERFLOW_TRINO_CATALOG",
            "USERFLOW_TRINO_LOCATION",
            "USERFLOW_TRINO_URL",
        ];
        assert_eq!(found.into_iter().collect::<Vec<_>>(), settings);
    }
}
