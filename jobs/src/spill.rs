//! What went wrong with the files of queries that do not fit in memory, in words that say what to do. Where the files go is the engine's
//! ([`crate::engine`]); they are removed when a query ends, however it ends.

use std::io::{self, ErrorKind};
use std::path::Path;

use anyhow::{Context, Error};
use datafusion::arrow::error::ArrowError;
use datafusion::common::DataFusionError;
use userflow_process::exit::WrongSetup;

/// Too many open files, in this process or on the machine: they have no [`ErrorKind`] of their own.
const NO_MORE_FILES: [i32; 2] = [24, 23];

/// Adds what to do to an error of the spill folder, or of too many open files. Others stay as they are.
pub fn explained(error: Error, folder: &Path) -> Error {
    if error.chain().any(|cause| cause.is::<WrongSetup>()) {
        return error;
    }
    let open = |cause: &(dyn std::error::Error + 'static)| {
        let code = cause.downcast_ref().and_then(os_code);
        code.is_some_and(|code| NO_MORE_FILES.contains(&code))
    };
    if error.chain().any(open) || of_spilling(&error).is_some_and(|error| open(error)) {
        return error.context(
            "too many files are open: raise the limit (ulimit -n), lower --threads, or raise --memory-limit, so that less is spilled",
        );
    }
    let Some(spilling) = of_spilling(&error) else {
        return error;
    };
    let folder = folder.display();
    match spilling.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            error.context(format!(
                "the folder for what queries spill, {folder}, is full: make room in it, name a larger one with --spill-dir, or raise \
                 --memory-limit, so that less is spilled"
            ))
        }
        ErrorKind::ReadOnlyFilesystem
        | ErrorKind::PermissionDenied
        | ErrorKind::NotFound
        | ErrorKind::AlreadyExists
        | ErrorKind::NotADirectory => {
            WrongSetup(format!(
                "the folder for what queries spill, {folder}, cannot be written to: name one that can with --spill-dir: {error:#}"
            ))
            .into()
        }
        _ => error.context(format!("the folder for what queries spill, {folder}")),
    }
}

/// The error of a file that is not the lake's: those are read and written through the object store, which has errors of its own.
fn of_spilling(error: &Error) -> Option<&io::Error> {
    io_of(error.chain().find_map(|cause| cause.downcast_ref())?)
}

fn io_of(error: &DataFusionError) -> Option<&io::Error> {
    let io = match error.find_root() {
        DataFusionError::IoError(error) => error,
        DataFusionError::ArrowError(error, _) => match error.as_ref() {
            ArrowError::IoError(_, error) => error,
            _ => return None,
        },
        _ => return None,
    };
    // A writer that is one of the engine's own wraps its error once more.
    let wrapped = io.get_ref().and_then(|inner| inner.downcast_ref());
    wrapped.and_then(io_of).or(Some(io))
}

/// The system's number of an error. `tempfile` puts the path around an error and hides the number, which is then in the text alone.
fn os_code(error: &io::Error) -> Option<i32> {
    error.raw_os_error().or_else(|| {
        let text = error.to_string();
        let (_, number) = text.split_once("(os error ")?;
        number.split_once(')')?.0.parse().ok()
    })
}

/// Whether queries can spill into a folder: tried at the start, because it is a mistake of the set-up.
pub fn usable(folder: &Path) -> anyhow::Result<()> {
    let tried = std::fs::create_dir_all(folder).and_then(|()| {
        let file = folder.join(format!("userflow-{}", uuid::Uuid::new_v4()));
        std::fs::write(&file, b"").and_then(|()| std::fs::remove_file(&file))
    });
    tried
        .map_err(DataFusionError::IoError)
        .context("try it")
        .map_err(|error| explained(error, folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use userflow_process::exit::code_of;

    /// Codes of Linux: what a file system says, and what that means for a job.
    #[test]
    fn every_fault_of_a_disk_says_what_to_do() {
        for (errno, code, words) in [
            (28, 1, "is full: make room"),                       // ENOSPC
            (122, 1, "is full: make room"),                      // EDQUOT
            (27, 1, "is full: make room"),                       // EFBIG
            (30, 2, "cannot be written to"),                     // EROFS
            (13, 2, "cannot be written to"),                     // EACCES
            (2, 2, "cannot be written to"),                      // ENOENT
            (24, 1, "too many files are open"),                  // EMFILE
            (23, 1, "too many files are open"),                  // ENFILE
            (5, 1, "the folder for what queries spill, /spill"), // EIO
        ] {
            let io = || io::Error::from_raw_os_error(errno);
            for error in [
                DataFusionError::IoError(io()),
                DataFusionError::ArrowError(
                    Box::new(ArrowError::IoError("write".into(), io())),
                    None,
                ),
                DataFusionError::IoError(io()).context("ExternalSorter"),
                // As `tempfile` has it.
                DataFusionError::IoError(io::Error::new(
                    io().kind(),
                    format!("{} at path \"/spill/x\"", io()),
                )),
                DataFusionError::ArrowError(
                    Box::new(ArrowError::IoError(
                        "write".into(),
                        io::Error::other(DataFusionError::IoError(io())),
                    )),
                    None,
                ),
            ] {
                let error = explained(Error::from(error).context("run"), Path::new("/spill"));
                let said = format!("{error:#}");
                assert_eq!(code_of(&error, &[]), code, "{said}");
                assert!(
                    said.contains(words) && said.contains(&format!("os error {errno}")),
                    "{said}"
                );
            }
        }
        let other = DataFusionError::Execution("a cast failed".into());
        assert_eq!(
            format!("{:#}", explained(other.into(), Path::new("/spill"))),
            "Execution error: a cast failed"
        );
    }
}
