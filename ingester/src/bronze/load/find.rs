//! Which files `load` is about: those that were named, and those of the folders that were named.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use userflow_process::exit::WrongSetup;
use userflow_process::terminal::escaped;

/// What the files of a folder end in.
const ENDINGS: [&str; 6] = [
    ".jsonl",
    ".ndjson",
    ".jsonl.gz",
    ".ndjson.gz",
    ".jsonl.zst",
    ".ndjson.zst",
];

/// The files to read, by name, each once; and how many of the folders' files are none of them.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) files: BTreeSet<PathBuf>,
    pub(super) passed_over: u64,
}

impl Found {
    /// Looks for them. What was named and is not there, or holds nothing to read, is a mistake of who named it.
    pub(super) fn look(named: &[PathBuf]) -> Result<Self> {
        let mut found = Self::default();
        for path in named {
            let shown = path.to_string_lossy();
            let shown = escaped(&shown);
            let meta = std::fs::metadata(path).map_err(|e| match e.kind() {
                std::io::ErrorKind::NotFound => wrong(format!("{shown}: there is no such file")),
                _ => anyhow::Error::from(e).context(format!("look at {shown}")),
            })?;
            if meta.is_file() {
                found.files.insert(path.clone());
            } else if meta.is_dir() {
                let before = found.files.len();
                found.folder(path)?;
                if found.files.len() == before {
                    return Err(wrong(format!(
                        "{shown}: no file in this folder ends in {}; name a file itself to read it whatever its name",
                        ENDINGS.join(", ")
                    )));
                }
            } else {
                return Err(wrong(format!(
                    "{shown}: neither a file nor a folder; a file is read twice, so a pipe has to be stored first"
                )));
            }
        }
        Ok(found)
    }

    fn folder(&mut self, folder: &Path) -> Result<()> {
        let context = || format!("read the folder {}", escaped(&folder.to_string_lossy()));
        for entry in std::fs::read_dir(folder).with_context(context)? {
            let entry = entry.with_context(context)?;
            let path = entry.path();
            // A link to a folder is not followed: it may lead back up.
            if entry.file_type().with_context(context)?.is_dir() {
                self.folder(&path)?;
                continue;
            }
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let hidden = name.starts_with('.');
            let is_file = || std::fs::metadata(&path).is_ok_and(|meta| meta.is_file());
            if !hidden && ENDINGS.iter().any(|end| name.ends_with(end)) && is_file() {
                self.files.insert(path);
            } else {
                self.passed_over += 1;
            }
        }
        Ok(())
    }
}

fn wrong(message: String) -> anyhow::Error {
    WrongSetup(message).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(error: &anyhow::Error) -> u8 {
        userflow_process::exit::code_of(error, &[])
    }

    #[test]
    fn a_folder_is_its_files_of_json_lines_and_a_named_file_is_itself() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("a/b")).unwrap();
        for name in [
            "z.jsonl",
            "a/y.ndjson.gz",
            "a/b/x.jsonl.zst",
            "notes.txt",
            ".hidden.jsonl",
            "a/part.json",
        ] {
            std::fs::write(at(name), "{}").unwrap();
        }
        std::os::unix::fs::symlink(at("a"), at("a/b/up")).unwrap();
        let named = [folder.path().to_owned(), at("z.jsonl"), at("a/part.json")];
        let found = Found::look(&named).unwrap();
        let names = ["a/b/x.jsonl.zst", "a/part.json", "a/y.ndjson.gz", "z.jsonl"];
        assert_eq!(
            found.files.into_iter().collect::<Vec<_>>(),
            names.map(at),
            "by name, each once"
        );
        // The hidden one, the text, the one of another ending and the link.
        assert_eq!(found.passed_over, 4);
    }

    #[test]
    fn what_cannot_be_read_is_a_wrong_usage() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.txt"), "{}").unwrap();
        for path in [
            folder.path().to_owned(),
            folder.path().join("missing.jsonl"),
            PathBuf::from("/dev/null"),
        ] {
            let error = Found::look(std::slice::from_ref(&path)).unwrap_err();
            assert_eq!(code(&error), 2, "{}: {error}", path.display());
        }
    }
}
