//! `new-domain`: from a sample of messages to a domain under `models/`, which can be edited and run.
//!
//! ```text
//! sample (lines of a file or a topic, events) -> guess (pure: fields, roles, columns) -> write (texts) -> prove (readers, decoder) -> models/NAME
//! ```
//!
//! The files are written into a folder beside, proved there, and renamed: a domain is there as a whole or not at all, and one that exists is
//! never touched. Not here: what the words of a contract, a view or a model mean (`models/`).

mod args;
mod guess;
mod prove;
mod sample;
mod topic;
mod write;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate};
use serde::Serialize;

pub use args::{HELP, NewDomainArgs};

use crate::config::{Common, Output};
use crate::print;
use guess::Guesses;
use sample::{Sample, refuse, wrong};
use write::{File, Next, Origin};

#[derive(Serialize)]
struct Summary<'a> {
    command: &'static str,
    domain: &'a str,
    folder: String,
    dry_run: bool,
    events: usize,
    roles: Vec<RoleSummary>,
    columns: Vec<ColumnSummary<'a>>,
    kept_in_extra: Vec<&'a str>,
    files: Vec<String>,
}

#[derive(Serialize)]
struct RoleSummary {
    role: String,
    field: String,
    sure: String,
    why: String,
}

#[derive(Serialize)]
struct ColumnSummary<'a> {
    name: &'a str,
    pointer: String,
    r#type: String,
}

/// Reads the sample, guesses, proves and writes.
pub fn run(common: &Common, args: &NewDomainArgs) -> Result<()> {
    let models = &common.models.models;
    let target = models.join(&args.name);
    // Also when only asked what would be written: the answer would not be true.
    if target.symlink_metadata().is_ok() {
        return Err(wrong(format!(
            "{} exists already and is never overwritten: choose another name, or move it away",
            target.display()
        )));
    }
    let mut sample = match (&args.from, &args.from_topic) {
        (Some(file), _) => Sample::read(file)?,
        (None, Some(topic)) => Sample::parse(&args.topic.read(topic)?)
            .with_context(|| format!("read the sample of topic {topic}"))?,
        (None, None) => unreachable!("the command line asks for one of them"),
    };
    let mut guesses = Guesses::of(&args.name, &mut sample, &args.told())?;
    let from = match (
        &args.from_topic,
        args.from.as_ref().and_then(|path| path.to_str()),
    ) {
        (Some(topic), _) => Origin::Topic(topic),
        (None, Some("-") | None) => Origin::File("sample.jsonl"),
        (None, Some(path)) => Origin::File(path),
    };
    let usual = models == Path::new("models");
    let next = Next {
        from,
        models: models.to_str().filter(|_| !usual),
        date: day(&guesses),
    };
    let staging = Staging::new(models, args.dry_run)?;
    let files = loop {
        let files = write::files(&guesses, next);
        staging.write(&args.name, &files)?;
        if agreed(&staging, &sample, &mut guesses)? {
            break files;
        }
    };
    prove::readable(&staging.folder, &args.name)?;
    if !args.dry_run {
        let made = staging.folder.join(&args.name);
        std::fs::rename(&made, &target)
            .with_context(|| format!("rename {} to {}", made.display(), target.display()))?;
    }
    drop(staging);
    report(common, args, &guesses, &files, &target, next)
}

/// Whether the decoder accepts the whole sample. If not, columns that it cannot read are made less of, for another try.
fn agreed(staging: &Staging, sample: &Sample, guesses: &mut Guesses) -> Result<bool> {
    let refused = prove::refused(&staging.folder, &guesses.domain, sample)?;
    let mut seen: Vec<&str> = Vec::new();
    let mut changed = false;
    for (line, rejection) in &refused {
        for problem in &rejection.problems {
            if !seen.contains(&problem.field.as_str()) {
                seen.push(&problem.field);
                let why = format!("line {line} does not fit: {}", problem.detail);
                changed |= guesses.demote(&problem.field, &why);
            }
        }
    }
    if changed {
        return Ok(false);
    }
    let lines: Vec<String> = refused
        .iter()
        .map(|(line, rejection)| format!("line {line}: {rejection}"))
        .collect();
    refuse(
        "no contract was found that accepts these lines: correct or remove them, or name other fields (--type, --time, --user, --session, --id)",
        &lines,
    )?;
    Ok(true)
}

/// The day of the newest event.
fn day(guesses: &Guesses) -> NaiveDate {
    let field = guesses.fields.get(&guesses.roles.event_time.path);
    let last = field.and_then(|field| field.last_at).unwrap_or(0);
    let time = DateTime::from_timestamp_millis(last).unwrap_or_default();
    time.date_naive()
}

/// A folder of domains beside the real one, removed at the end.
struct Staging {
    folder: PathBuf,
}

impl Staging {
    /// In the folder of the models, so that the result can be renamed; for a dry run elsewhere, so that nothing is touched there.
    fn new(models: &Path, dry_run: bool) -> Result<Self> {
        let parent = match dry_run {
            true => std::env::temp_dir(),
            false => models.to_owned(),
        };
        let folder = parent.join(format!(".new-domain-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        Ok(Self { folder })
    }

    /// Writes the files of the domain, and removes those of the try before.
    fn write(&self, domain: &str, files: &[File]) -> Result<()> {
        let dir = self.folder.join(domain);
        if dir.exists() {
            std::fs::remove_dir_all(&dir).with_context(|| format!("remove {}", dir.display()))?;
        }
        for file in files {
            let path = dir.join(&file.path);
            let parent = path
                .parent()
                .expect("a file of a domain stands in its folder");
            std::fs::create_dir_all(parent)
                .with_context(|| format!("create {}", parent.display()))?;
            std::fs::write(&path, &file.text)
                .with_context(|| format!("write {}", path.display()))?;
        }
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What is left is named so that nobody takes it for a domain.
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

fn report(
    common: &Common,
    args: &NewDomainArgs,
    guesses: &Guesses,
    files: &[File],
    target: &Path,
    next: Next<'_>,
) -> Result<()> {
    let paths = files
        .iter()
        .map(|file| target.join(&file.path).display().to_string());
    let paths: Vec<String> = paths.collect();
    if common.output != Output::Text {
        let roles = write::roles(guesses).into_iter();
        return print::json(&Summary {
            command: "new-domain",
            domain: &args.name,
            folder: target.display().to_string(),
            dry_run: args.dry_run,
            events: guesses.fields.events,
            roles: roles
                .map(|[role, field, sure, why]| RoleSummary {
                    role,
                    field,
                    sure,
                    why,
                })
                .collect(),
            columns: guesses
                .columns
                .iter()
                .map(|column| ColumnSummary {
                    name: &column.name,
                    pointer: guess::pointer(&column.path),
                    r#type: column.kind.contract(),
                })
                .collect(),
            kept_in_extra: guesses
                .kept
                .iter()
                .map(|kept| kept.pointer.as_str())
                .collect(),
            files: paths,
        });
    }
    let mut table = print::new_table(&["", "field", "how sure", "why"]);
    for row in write::roles(guesses) {
        table.add_row(row);
    }
    let columns = guesses.columns.len();
    let kept = match guesses.kept.len() {
        0 => String::new(),
        1 => ", one field stays in `extra`".to_owned(),
        n => format!(", {n} fields stay in `extra`"),
    };
    print::text(&format!(
        "{table}\n\n{} events, {columns} columns{kept}. The decoder accepts all {} lines.\n",
        guesses.fields.events, guesses.messages
    ))?;
    let verb = if args.dry_run { "would write" } else { "wrote" };
    print::text(&format!("{verb}\n  {}\n", paths.join("\n  ")))?;
    if !args.dry_run {
        print::text(&format!(
            "Next (also in {}):\n",
            target.join("README.md").display()
        ))?;
        print::text(&write::commands(guesses, next))?;
    }
    Ok(())
}
