//! A file as the bytes that it holds: opened, uncompressed, counted.
//!
//! How it is compressed is told by its first bytes, never by its name: what a tool has unpacked on the way often keeps its `.gz`, and no JSON
//! begins like a compressed file.

use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const ROOM: usize = 256 << 10;

/// What tells that a file was written to, or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(meta: &Metadata) -> Self {
        Self {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
        }
    }

    /// Of what has this name now.
    pub(super) fn now(path: &Path) -> io::Result<Self> {
        Ok(Self::of(&std::fs::metadata(path)?))
    }
}

/// An open file.
pub(super) struct Source {
    pub(super) stamp: Stamp,
    reader: Box<dyn Read + Send>,
}

impl Source {
    /// Opens a file. What is read of it, compressed as it is, is added to `counted`.
    pub(super) fn open(path: &Path, counted: &Arc<AtomicU64>) -> io::Result<Self> {
        let file = File::open(path)?;
        let stamp = Stamp::of(&file.metadata()?);
        let counted = Arc::clone(counted);
        let mut raw = BufReader::with_capacity(ROOM, Counting { file, counted });
        let head = raw.fill_buf()?;
        let reader: Box<dyn Read + Send> = if head.starts_with(&GZIP) {
            Box::new(MultiGzDecoder::new(raw))
        } else if head.starts_with(&ZSTD) {
            Box::new(zstd::stream::read::Decoder::with_buffer(raw)?)
        } else {
            Box::new(raw)
        };
        Ok(Self { stamp, reader })
    }
}

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.reader.read(into)
    }
}

struct Counting {
    file: File,
    counted: Arc<AtomicU64>,
}

impl Read for Counting {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(into)?;
        self.counted.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
