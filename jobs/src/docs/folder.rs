//! The folder of the pages: written file by file, each whole or not at all; what `docs` did not write is never touched.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};
use userflow_process::exit::WrongSetup;

/// Lists the files that are ours, one name a line.
const MARKER: &str = ".userflow-catalogue";
/// What a file is called until it is whole.
const UNFINISHED: &str = ".unfinished";

/// What was done, or in a dry run would be.
#[derive(Debug)]
pub(super) struct Done {
    /// Every page.
    pub(super) pages: Vec<String>,
    /// Pages that are new or changed.
    pub(super) written: Vec<String>,
    /// Pages of an older catalogue that are no more.
    pub(super) removed: Vec<String>,
}

/// Makes the folder hold exactly these pages.
pub(super) fn write(into: &Path, pages: &BTreeMap<String, String>, dry_run: bool) -> Result<Done> {
    let found = listing(into)?;
    let ours = marked(into)?;
    let known = |name: &str| ours.contains(name) || name == MARKER;
    let foreign: Vec<&str> = (found.iter())
        .map(String::as_str)
        .filter(|name| !known(name) && !name.strip_suffix(UNFINISHED).is_some_and(known))
        .collect();
    if !foreign.is_empty() {
        let shown = foreign
            .iter()
            .take(3)
            .copied()
            .collect::<Vec<_>>()
            .join(", ");
        let more = if foreign.len() > 3 { ", …" } else { "" };
        let message = format!(
            "--into {}: holds what `docs` did not write ({shown}{more}); give it a folder of its own, or take them out",
            into.display()
        );
        return Err(WrongSetup(message).into());
    }
    let differs = |(name, page): &(&String, &String)| match std::fs::read_to_string(into.join(name))
    {
        Ok(there) => there != **page,
        Err(_) => true,
    };
    let done = Done {
        pages: pages.keys().cloned().collect(),
        written: pages
            .iter()
            .filter(differs)
            .map(|(name, _)| name.clone())
            .collect(),
        removed: found
            .iter()
            .filter(|name| *name != MARKER && !name.ends_with(UNFINISHED))
            .filter(|name| !pages.contains_key(*name))
            .cloned()
            .collect(),
    };
    if !dry_run {
        replace(into, pages, &ours, &found, &done)
            .with_context(|| format!("write into {}", into.display()))?;
    }
    Ok(done)
}

/// The marker names old and new pages while they are mixed, so that a run that was stopped can be run again.
fn replace(
    into: &Path,
    pages: &BTreeMap<String, String>,
    ours: &BTreeSet<String>,
    found: &BTreeSet<String>,
    done: &Done,
) -> std::io::Result<()> {
    std::fs::create_dir_all(into)?;
    for name in found.iter().filter(|name| name.ends_with(UNFINISHED)) {
        std::fs::remove_file(into.join(name))?;
    }
    let all: BTreeSet<&String> = ours.iter().chain(pages.keys()).collect();
    put(into, MARKER, &lines(all))?;
    for name in &done.written {
        put(into, name, &pages[name])?;
    }
    for name in &done.removed {
        std::fs::remove_file(into.join(name))?;
    }
    put(into, MARKER, &lines(pages.keys()))
}

fn lines<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    names.into_iter().map(|name| format!("{name}\n")).collect()
}

fn put(into: &Path, name: &str, text: &str) -> std::io::Result<()> {
    let unfinished = into.join(format!("{name}{UNFINISHED}"));
    std::fs::write(&unfinished, text)?;
    std::fs::rename(&unfinished, into.join(name))
}

/// The names in the folder; none when it is not there.
fn listing(into: &Path) -> Result<BTreeSet<String>> {
    let entries = match std::fs::read_dir(into) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            return Err(WrongSetup(format!("--into {}: is no folder", into.display())).into());
        }
        Err(error) => return Err(error).with_context(|| format!("list {}", into.display())),
    };
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        Ok(entry?.file_name().to_string_lossy().into_owned())
    };
    let names = entries.map(name).collect::<std::io::Result<_>>();
    names.with_context(|| format!("list {}", into.display()))
}

fn marked(into: &Path) -> Result<BTreeSet<String>> {
    let path = into.join(MARKER);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(pages: &[(&str, &str)]) -> BTreeMap<String, String> {
        pages
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect()
    }

    fn names(folder: &Path) -> Vec<String> {
        listing(folder).unwrap().into_iter().collect()
    }

    #[test]
    fn the_folder_holds_exactly_the_pages() {
        let dir = tempfile::tempdir().unwrap();
        let into = dir.path().join("new/folder");
        let dry = write(&into, &pages(&[("a.html", "1")]), true).unwrap();
        assert_eq!(
            (dry.written, into.exists()),
            (vec!["a.html".to_owned()], false)
        );
        write(&into, &pages(&[("a.html", "1"), ("b.html", "2")]), false).unwrap();
        let done = write(&into, &pages(&[("b.html", "2"), ("c.html", "3")]), false).unwrap();
        assert_eq!(
            (done.written, done.removed),
            (vec!["c.html".to_owned()], vec!["a.html".to_owned()])
        );
        assert_eq!(names(&into), [MARKER, "b.html", "c.html"]);
    }

    #[test]
    fn foreign_files_are_refused_and_stay() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.html"), "mine").unwrap();
        for dry_run in [true, false] {
            let error = write(dir.path(), &pages(&[("a.html", "1")]), dry_run).unwrap_err();
            assert_eq!(userflow_process::exit::code_of(&error, &[]), 2);
            assert!(error.to_string().contains("a.html"), "{error}");
        }
        assert_eq!(
            std::fs::read_to_string(dir.path().join("a.html")).unwrap(),
            "mine"
        );
        let error = write(&dir.path().join("a.html"), &pages(&[]), false).unwrap_err();
        assert_eq!(userflow_process::exit::code_of(&error, &[]), 2);
    }

    #[test]
    fn a_run_that_was_stopped_is_finished_by_the_next() {
        let dir = tempfile::tempdir().unwrap();
        // As it is after the first page and in the middle of the second.
        std::fs::write(dir.path().join(MARKER), "a.html\nb.html\nold.html\n").unwrap();
        std::fs::write(dir.path().join("a.html"), "1").unwrap();
        std::fs::write(dir.path().join("old.html"), "0").unwrap();
        std::fs::write(dir.path().join("b.html.unfinished"), "ha").unwrap();
        let done = write(
            dir.path(),
            &pages(&[("a.html", "1"), ("b.html", "half")]),
            false,
        )
        .unwrap();
        assert_eq!(done.written, ["b.html"]);
        assert_eq!(names(dir.path()), [MARKER, "a.html", "b.html"]);
        assert_eq!(
            std::fs::read_to_string(dir.path().join("b.html")).unwrap(),
            "half"
        );
    }
}
