//! Dimensions in files: a file is read again once two looks have found it changed and the same, so that one that is being written is not.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use userflow_process::exit::WrongSetup;

use super::csv;
use super::current::Dimensions;

/// What can be seen of a file without reading it.
type Stamp = Option<(SystemTime, u64)>;

/// The dimensions that are in files.
pub(in super::super) struct Files {
    dimensions: Arc<Dimensions>,
    seen: Vec<Seen>,
}

/// What was seen of a file.
struct Seen {
    /// Its place among the dimensions.
    number: usize,
    /// The file at the last look.
    last: Stamp,
    /// The file when it was read last.
    read: Stamp,
}

impl Files {
    /// Reads them for the first time.
    pub(in super::super) fn load(dimensions: &Arc<Dimensions>) -> Result<Self> {
        let mut seen = Vec::new();
        let sources = dimensions.sources.iter().enumerate();
        for (number, source) in sources.filter(|(_, source)| source.query.is_none()) {
            let found = stamp(&source.declared.file);
            read(dimensions, number).map_err(WrongSetup)?;
            dimensions.is_current(number);
            seen.push(Seen {
                number,
                last: found,
                read: found,
            });
        }
        let dimensions = Arc::clone(dimensions);
        Ok(Self { dimensions, seen })
    }

    /// Looks at them again and again, without end.
    pub(in super::super) async fn watch(mut self, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            let looking = tokio::task::spawn_blocking(move || {
                self.look();
                self
            });
            self = match looking.await {
                Ok(files) => files,
                Err(e) => {
                    return tracing::error!("files of dimensions are not looked at any more: {e}");
                }
            };
        }
    }

    /// Reads those that have changed since they were read and have not since the last look.
    fn look(&mut self) {
        let dimensions = &self.dimensions;
        for seen in &mut self.seen {
            let found = stamp(&dimensions.sources[seen.number].declared.file);
            let is_settled = seen.last == found;
            seen.last = found;
            if seen.read == found {
                if !dimensions.has_problem(seen.number) {
                    dimensions.is_current(seen.number);
                }
            } else if is_settled {
                seen.read = found;
                dimensions.note(seen.number, &read(dimensions, seen.number));
            }
        }
    }
}

fn read(dimensions: &Dimensions, number: usize) -> Result<(), String> {
    let source = &dimensions.sources[number];
    let file = &source.declared.file;
    let refuse = |rows, bytes| match dimensions.limits.refuse(rows, bytes) {
        None => Ok(()),
        Some(why) => Err(format!("{}: {why}", file.display())),
    };
    refuse(0, stamp(file).map_or(0, |(_, length)| length))?;
    let rows = csv::read(&source.declared, |column| source.needs(column))?;
    refuse(u64::try_from(rows.num_rows()).unwrap_or(u64::MAX), 0)?;
    dimensions.exchange(number, &rows)
}

fn stamp(path: &Path) -> Stamp {
    let file = std::fs::metadata(path).ok()?;
    Some((file.modified().ok()?, file.len()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use userflow_engine::{Events, Plan};
    use userflow_models::contract::Contract;
    use userflow_models::decode::Decoder;
    use userflow_models::features;
    use userflow_models::project::{Column, ColumnType};

    use super::*;
    use crate::metrics::SessionizeMetrics;
    use crate::sessionize::fixture::{LIMITS, contract, event, metrics};

    const VIEW: &str = "feature_view: test_v
description: v
entity: user
join: {dimension: people, on: user, take: [team, {points: score}]}
window: lifetime
features:
  team: {last: team}
  sum: {sum: points}
";

    fn declared(file: &Path) -> features::Dimension {
        let column = |name: &str, data_type| Column {
            name: name.into(),
            data_type,
            description: String::new(),
            tests: Vec::new(),
        };
        features::Dimension {
            name: "people".into(),
            file: file.to_owned(),
            table: None,
            yml: file.with_extension("yml"),
            columns: vec![
                column("user", ColumnType::String),
                column("team", ColumnType::String),
                column("score", ColumnType::Integer),
            ],
        }
    }

    fn plan(contract: &Contract, declared: &features::Dimension) -> Arc<Plan> {
        let declared = std::slice::from_ref(declared);
        let view = features::parse_with(VIEW, contract, declared).expect("a view");
        Arc::new(Plan::new(contract, &[view], 0).expect("a plan"))
    }

    /// How many of two users are not known.
    fn misses(dimensions: &Dimensions, metrics: &SessionizeMetrics) -> u64 {
        let counted = || {
            let misses = &metrics.dimension_misses;
            misses.with_label_values(&["people"]).get()
        };
        let before = counted();
        let mut decoder = Decoder::new(&contract());
        for (id, user) in ["ann", "bob"].into_iter().enumerate() {
            let id = i64::try_from(id).expect("few");
            decoder.decode(&event(id, user, 0), -1).expect("an event");
        }
        let mut events = Events::new(&decoder.finish(), 2);
        dimensions.join(&mut events);
        counted() - before
    }

    #[test]
    fn a_file_that_changes_is_read_again_and_a_broken_one_changes_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("people.csv");
        let write = |text: &str| std::fs::write(&file, text).expect("written");
        let declared = declared(&file);
        let plan = plan(&contract(), &declared);
        let metrics = Arc::new(metrics());
        let load = || {
            let declared = std::slice::from_ref(&declared);
            let (plan, metrics) = (Arc::clone(&plan), Arc::clone(&metrics));
            let dimensions = Arc::new(Dimensions::without_rows(plan, declared, LIMITS, metrics));
            Files::load(&dimensions).map(|files| (dimensions, files))
        };
        // At start there is nothing of before that could go on.
        let refused = |text: Option<&str>| {
            if let Some(text) = text {
                write(text);
            }
            let error = load().err().expect("refused");
            assert_eq!(userflow_process::exit::code_of(&error, &[]), 2);
            error.to_string()
        };
        assert!(refused(None).contains("people.csv"));
        assert!(refused(Some("user,team,score\nann,x,many\n")).contains("people.csv:2: `many`"));
        assert!(refused(Some("user,team\nann,x\n")).contains("people.csv:1: no column `score`"));
        assert!(
            refused(Some("user,team,score\nann,x,1\nann,y,2\n"))
                .contains("two rows have user `ann`")
        );
        assert!(refused(Some("user,team,score\n,x,1\n")).contains("people.csv: a row has no user"));
        let many: String = (0..101).map(|user| format!("{user},,\n")).collect();
        let many = refused(Some(&format!("user,team,score\n{many}")));
        assert!(
            many.contains("more than 100 rows") && many.contains("--dimension-rows"),
            "{many}"
        );
        let large = refused(Some(&format!(
            "user,team,score\nann,{},\n",
            "x".repeat(2_000)
        )));
        assert!(large.contains("--dimension-bytes"), "{large}");

        write("user,team,score\nann,x,1\n");
        let (dimensions, mut files) = load().expect("a dimension");
        assert_eq!(misses(&dimensions, &metrics), 1);
        write("user,team,score\nann,x,1\nbob,y,\n");
        files.look();
        assert_eq!(misses(&dimensions, &metrics), 1, "it may still be written");
        files.look();
        assert_eq!(misses(&dimensions, &metrics), 0);
        let reloads = |outcome| {
            let labels = ["people", outcome];
            metrics.dimension_reloads.with_label_values(&labels).get()
        };
        assert_eq!((reloads("done"), reloads("failed")), (1, 0));

        for broken in ["user,team,score\nann\n", ""] {
            write(broken);
            files.look();
            files.look();
            assert_eq!(misses(&dimensions, &metrics), 0, "the rows of before go on");
            let shown = dimensions.shown();
            assert!(
                shown[0]
                    .problem
                    .as_ref()
                    .is_some_and(|said| said.contains("people.csv"))
            );
            assert_eq!(shown[0].rows, 2);
        }
        std::fs::remove_file(&file).expect("removed");
        files.look();
        files.look();
        assert_eq!(misses(&dimensions, &metrics), 0);
        assert_eq!((reloads("done"), reloads("failed")), (1, 3));

        write("user,team,score\nbob,y,7\n");
        files.look();
        files.look();
        files.look();
        assert_eq!(misses(&dimensions, &metrics), 1);
        assert!(dimensions.shown()[0].problem.is_none());
        assert_eq!((reloads("done"), reloads("failed")), (2, 3));
    }
}
