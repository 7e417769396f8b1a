//! Waits until a file of the models folder is another one than before.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often the files are looked at.
const EVERY: Duration = Duration::from_millis(300);

/// The files below a folder and when each was changed.
pub(super) type Files = BTreeMap<PathBuf, Option<SystemTime>>;

/// Looks at the files. One that goes away meanwhile is none.
pub(super) fn files(folder: &Path) -> Files {
    let mut files = Files::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if kind.is_dir() {
                folders.push(entry.path());
            } else {
                let changed = entry.metadata().and_then(|about| about.modified());
                files.insert(entry.path(), changed.ok());
            }
        }
    }
    files
}

/// Waits until they are others, and says which.
pub(super) async fn change(folder: &Path, before: &Files) -> Files {
    loop {
        tokio::time::sleep(EVERY).await;
        let now = files(folder);
        if now != *before {
            return now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_a_removed_and_an_edited_file_are_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("domain/tests/a.yml");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let mut seen = vec![files(folder.path())];
        std::fs::write(&file, "1").unwrap();
        seen.push(files(folder.path()));
        let edited = std::fs::File::options().write(true).open(&file).unwrap();
        edited.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        seen.push(files(folder.path()));
        std::fs::remove_file(&file).unwrap();
        seen.push(files(folder.path()));
        assert!(seen.windows(2).all(|pair| pair[0] != pair[1]), "{seen:?}");
        assert_eq!(seen[0], seen[3]);
    }
}
