//! Files and folders of a project: listed in an order that depends on names only, and read.

use std::path::{Path, PathBuf};

use crate::error::Problem;

pub(crate) fn read(path: &Path) -> Result<String, Problem> {
    std::fs::read_to_string(path)
        .map_err(|error| Problem::new(path, None, format!("cannot be read: {error}")))
}

/// The folders in a folder, hidden ones left out.
pub(super) fn folders(dir: &Path) -> Result<Vec<PathBuf>, Problem> {
    entries(dir, |path| path.is_dir() && !name_of(path).starts_with('.'))
}

/// The files in a folder whose names end in `.extension`.
pub(crate) fn files(dir: &Path, extension: &str) -> Result<Vec<PathBuf>, Problem> {
    entries(dir, |path| {
        path.is_file() && path.extension().is_some_and(|found| found == extension)
    })
}

fn entries(dir: &Path, keep: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>, Problem> {
    let read = || -> std::io::Result<Vec<PathBuf>> {
        let mut paths = std::fs::read_dir(dir)?
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<Vec<_>>>()?;
        paths.retain(|path| keep(path));
        paths.sort();
        Ok(paths)
    };
    read().map_err(|error| Problem::new(dir, None, format!("cannot be listed: {error}")))
}

pub(super) fn name_of(path: &Path) -> String {
    path.file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

pub(super) fn stem_of(path: &Path) -> String {
    path.file_stem()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}
