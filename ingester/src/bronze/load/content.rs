//! What a file holds: its identity, and the lines in blocks that can be told to be the same when they are read again.
//!
//! A file is read twice. The first time ([`Content::survey`]) says what it is, before anything of it is landed; a damaged file is found
//! here. The second time ([`Content::blocks`]) lands it, block by block, each only if it still has the hash of the first time: so every
//! line that lands is a line of the content under whose id it lands, whoever writes to the file meanwhile.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use sha2::{Digest, Sha256};
use twox_hash::XxHash3_64;
use userflow_models::bronze::content_id;

use super::source::{Source, Stamp};

/// Bytes that a block has at least, but for the last one; it ends with a line.
const BLOCK: usize = 2 << 20;
/// Most bytes of a line, unless the contract takes longer ones. Beyond, the file is not what it was taken for.
const MOST_LINE: usize = 16 << 20;
const UTF16: [[u8; 2]; 2] = [[0xff, 0xfe], [0xfe, 0xff]];

/// Why a file cannot be read as lines. What is said is said of a file, whose name stands before it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    /// The file, or what it is compressed with.
    #[error(
        "it cannot be read to its end ({0}): is it damaged, cut off or still being written? Nothing of it was landed"
    )]
    Damaged(std::io::Error),
    /// A line that nobody can have meant as one.
    #[error(
        "line {line} has more than {most} bytes: the file is not one JSON message per line. Nothing of it was landed"
    )]
    LongLine { line: i64, most: usize },
    /// Another encoding.
    #[error("it is UTF-16 text: convert it to UTF-8. Nothing of it was landed")]
    Utf16,
    /// It is not what it was when it was surveyed.
    #[error("it changed while it was read{why}. {} Load a file when nobody writes to it", left(*landed))]
    Changed { landed: i64, why: String },
    /// Somebody wrote to it when all that it had held was read.
    #[error(
        "it was written to while it was read: the {lines} lines that it had are landed, what came since is not. Put that into a file of \
         its own: loaded again, this one is another content and all its lines land once more"
    )]
    Grew { lines: i64 },
}

fn left(landed: i64) -> String {
    match landed {
        0 => "Nothing of it was landed.".to_owned(),
        lines => {
            format!("What it held before is landed up to line {lines}, what it holds now is not.")
        }
    }
}

/// Some lines of a content.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    /// The number of its first line, from 1.
    pub(super) first: i64,
    lines: i64,
    bytes: usize,
    hash: u64,
}

/// What a file holds.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) path: PathBuf,
    /// The file's name, as rows have it.
    pub(super) file: String,
    /// `sha256:` and the hash of the uncompressed bytes.
    pub(super) id: String,
    pub(super) lines: i64,
    pub(super) bytes: u64,
    stamp: Stamp,
    blocks: Vec<Block>,
}

impl Content {
    /// Reads a file to its end, once.
    pub(super) fn survey(
        path: &Path,
        max_bytes: usize,
        counted: &Arc<AtomicU64>,
    ) -> Result<Self, Unreadable> {
        let most = max_bytes.max(MOST_LINE);
        let mut source = Source::open(path, counted).map_err(Unreadable::Damaged)?;
        let stamp = source.stamp;
        let mut hash = Sha256::new();
        let (mut blocks, mut lines, mut bytes) = (Vec::new(), 0, 0);
        let mut held = Vec::with_capacity(2 * BLOCK);
        loop {
            let ended = fill(&mut source, &mut held, most).map_err(Unreadable::Damaged)?;
            if lines == 0 && UTF16.iter().any(|mark| held.starts_with(mark)) {
                return Err(Unreadable::Utf16);
            }
            // The last line need not have an end.
            let end = match memchr::memrchr(b'\n', &held) {
                _ if ended => held.len(),
                Some(at) => at + 1,
                None => {
                    let line = lines + 1;
                    return Err(Unreadable::LongLine { line, most });
                }
            };
            if end > 0 {
                let block = Block::of(&held[..end], lines + 1);
                if let Some(at) = longest(&held[..end], most) {
                    let line = lines + 1 + at;
                    return Err(Unreadable::LongLine { line, most });
                }
                hash.update(&held[..end]);
                lines += block.lines;
                bytes += block.bytes as u64;
                blocks.push(block);
                held.drain(..end);
            }
            if ended {
                break;
            }
        }
        Ok(Self {
            file: path.to_string_lossy().into_owned(),
            path: path.to_owned(),
            id: content_id(hash),
            lines,
            bytes,
            stamp,
            blocks,
        })
    }

    /// Reads the file again, for its lines; those before `start` have been landed.
    pub(super) fn blocks(
        &self,
        start: i64,
        counted: &Arc<AtomicU64>,
    ) -> Result<Blocks<'_>, Unreadable> {
        let landed = start - 1;
        let changed = |why| Unreadable::Changed { landed, why };
        let source = Source::open(&self.path, counted);
        let source = source.map_err(|e| changed(format!(" ({e})")))?;
        match source.stamp == self.stamp {
            true => Ok(Blocks {
                source,
                landed,
                rest: self.blocks.iter(),
                text: Vec::new(),
            }),
            false => Err(changed(String::new())),
        }
    }

    /// Whether somebody has written to the file since it was surveyed.
    pub(super) fn has_changed(&self) -> bool {
        Stamp::now(&self.path).map_or(true, |now| now != self.stamp)
    }
}

/// The blocks of a content, one after the other.
pub(super) struct Blocks<'a> {
    source: Source,
    landed: i64,
    rest: std::slice::Iter<'a, Block>,
    text: Vec<u8>,
}

impl Blocks<'_> {
    /// The next block, if it is still what it was; none after the last one.
    pub(super) fn next(&mut self) -> Result<Option<Lines<'_>>, Unreadable> {
        let Some(block) = self.rest.next() else {
            return Ok(None);
        };
        let changed = |why| Unreadable::Changed {
            landed: self.landed.max(block.first - 1),
            why,
        };
        self.text.resize(block.bytes, 0);
        let read = self.source.read_exact(&mut self.text);
        read.map_err(|e| changed(format!(" ({e})")))?;
        if XxHash3_64::oneshot(&self.text) != block.hash {
            return Err(changed(String::new()));
        }
        Ok(Some(Lines {
            next: block.first,
            end: block.first + block.lines,
            rest: &self.text,
        }))
    }
}

/// Numbered lines, without what ends them: `\n`, or `\r\n`. A byte order mark at the start of the first line is left out too.
pub(super) struct Lines<'a> {
    next: i64,
    /// The number of the line after the last.
    pub(super) end: i64,
    rest: &'a [u8],
}

impl<'a> Iterator for Lines<'a> {
    type Item = (i64, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let (line, rest) = match memchr::memchr(b'\n', self.rest) {
            Some(at) => (&self.rest[..at], &self.rest[at + 1..]),
            None => (self.rest, &[][..]),
        };
        let number = self.next;
        self.next += 1;
        self.rest = rest;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = match number {
            1 => line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line),
            _ => line,
        };
        Some((number, line))
    }
}

impl Block {
    fn of(text: &[u8], first: i64) -> Self {
        let ends = memchr::memchr_iter(b'\n', text).count();
        let open = usize::from(!text.ends_with(b"\n"));
        Self {
            first,
            lines: i64::try_from(ends + open).expect("a block is in memory"),
            bytes: text.len(),
            hash: XxHash3_64::oneshot(text),
        }
    }
}

/// Whether the source has ended; if not, `held` has a block's bytes and the end of a line, or more than `most` bytes without one.
fn fill(source: &mut impl Read, held: &mut Vec<u8>, most: usize) -> std::io::Result<bool> {
    let mut has_end = memchr::memchr(b'\n', held).is_some();
    while held.len() < BLOCK || (!has_end && held.len() <= most) {
        let before = held.len();
        let read = (source.by_ref()).take(BLOCK as u64).read_to_end(held)?;
        if read == 0 {
            return Ok(true);
        }
        has_end = has_end || memchr::memchr(b'\n', &held[before..]).is_some();
    }
    Ok(false)
}

/// The place among these lines of one that is longer than `most`.
fn longest(text: &[u8], most: usize) -> Option<i64> {
    if text.len() <= most {
        return None;
    }
    let at = text
        .split(|byte| *byte == b'\n')
        .position(|line| line.len() > most);
    at.map(|at| i64::try_from(at).expect("a block is in memory"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = GzEncoder::new(Vec::new(), Compression::fast());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::stream::encode_all(bytes, 1).unwrap()
    }

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn survey(bytes: &[u8]) -> Result<Content, Unreadable> {
        Content::survey(file(bytes).path(), 1 << 16, &Arc::default())
    }

    /// The lines of a file that is surveyed and then read.
    fn lines(bytes: &[u8]) -> Vec<(i64, Vec<u8>)> {
        let file = file(bytes);
        let content = Content::survey(file.path(), 1 << 16, &Arc::default()).unwrap();
        let mut blocks = content.blocks(1, &Arc::default()).unwrap();
        let mut found = Vec::new();
        while let Some(lines) = blocks.next().unwrap() {
            let end = lines.end;
            found.extend(lines.map(|(number, line)| (number, line.to_vec())));
            assert_eq!(found.last().unwrap().0 + 1, end);
        }
        assert_eq!(i64::try_from(found.len()).unwrap(), content.lines);
        assert!(!content.has_changed());
        found
    }

    fn texts(bytes: &[u8]) -> Vec<String> {
        let lines = lines(bytes).into_iter();
        lines
            .map(|(_, line)| String::from_utf8(line).unwrap())
            .collect()
    }

    #[test]
    fn what_ends_a_line_is_no_part_of_it() {
        assert_eq!(texts(b"a\nb\n"), ["a", "b"]);
        assert_eq!(texts(b"a\nb"), ["a", "b"], "the last one need not end");
        assert_eq!(texts(b"a\r\nb\r\n"), ["a", "b"]);
        assert_eq!(texts(b"a\rb\r"), ["a\rb"], "an end alone is no end");
        assert_eq!(texts(b"\n\na\n"), ["", "", "a"], "blank lines count");
        assert_eq!(texts(b"\xef\xbb\xbfa\n\xef\xbb\xbfb"), ["a", "\u{feff}b"]);
        assert_eq!(texts(b"\xef\xbb\xbf"), [""]);
        assert_eq!(texts(b"\n"), [""]);
        assert!(texts(b"").is_empty());
    }

    #[test]
    fn a_content_is_its_bytes_however_they_are_compressed() {
        let text = b"{\"a\":1}\n".repeat(1_000);
        let (first, second) = text.split_at(5_000);
        let forms = [
            text.clone(),
            gzip(&text),
            zstd(&text),
            // Of several members or frames, as `cat` of two files makes them.
            [gzip(first), gzip(second)].concat(),
            [zstd(first), zstd(second)].concat(),
        ];
        let known = survey(&text).unwrap();
        for form in &forms {
            let content = survey(form).unwrap();
            assert_eq!(content.id, known.id);
            assert_eq!((content.lines, content.bytes), (1_000, 8_000));
            assert_eq!(lines(form).len(), 1_000);
        }
        assert_ne!(survey(&text[..7_999]).unwrap().id, known.id);
        assert_eq!(survey(&gzip(b"")).unwrap().lines, 0);
    }

    #[test]
    fn what_is_cut_off_or_damaged_is_found_before_anything_is_landed() {
        let text = b"{\"a\":1}\n".repeat(1_000);
        for whole in [gzip(&text), zstd(&text)] {
            for cut in [4, whole.len() / 2, whole.len() - 1] {
                let error = survey(&whole[..cut]).unwrap_err();
                assert!(matches!(error, Unreadable::Damaged(_)), "{cut}: {error}");
            }
        }
        // Gzip has a checksum of what it holds; zstd only when it was asked for.
        let mut damaged = gzip(&text);
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0x55;
        assert!(survey(&damaged).is_err());
        for mark in UTF16 {
            let error = survey(&[&mark[..], b"{\0}\0\n\0"].concat()).unwrap_err();
            assert!(matches!(error, Unreadable::Utf16), "{error}");
        }
        let missing = Content::survey(Path::new("/missing"), 1, &Arc::default());
        assert!(matches!(missing, Err(Unreadable::Damaged(_))));
    }

    #[test]
    fn a_line_has_a_length_that_memory_takes() {
        let with = |length: usize, end: &[u8]| {
            let mut text = b"a\nb\n".to_vec();
            text.resize(4 + length, b'x');
            text.extend(end);
            text
        };
        for end in [&b""[..], b"\n", b"\nc\n"] {
            assert!(survey(&with(MOST_LINE, end)).is_ok(), "{end:?}");
            let error = survey(&with(MOST_LINE + 1, end)).unwrap_err();
            assert!(
                matches!(error, Unreadable::LongLine { line: 3, .. }),
                "{end:?}: {error}"
            );
            // Whatever its length, no more of it is held.
            let error = survey(&with(5 * MOST_LINE, end)).unwrap_err();
            assert!(matches!(error, Unreadable::LongLine { line: 3, .. }));
        }
        // A contract that takes longer messages is given them.
        let file = file(&with(MOST_LINE + 1, b""));
        let taken = Content::survey(file.path(), MOST_LINE + 1, &Arc::default());
        assert_eq!(taken.unwrap().lines, 3);
    }

    #[test]
    fn a_line_that_is_not_as_it_was_is_never_given() {
        let text = b"{\"a\":1}\n".repeat(BLOCK);
        let file = file(&text);
        let rewritten = |at: usize| {
            let mut text = text.clone();
            text[at] = b'2';
            std::fs::write(file.path(), text).unwrap();
        };
        // Before it is read again: its stamp says so.
        let content = Content::survey(file.path(), 1 << 16, &Arc::default()).unwrap();
        rewritten(5);
        assert!(content.has_changed());
        let error = content.blocks(1, &Arc::default()).err().unwrap();
        assert!(matches!(error, Unreadable::Changed { landed: 0, .. }));
        // While it is read: the block's hash says so, and what was given before stays good.
        std::fs::write(file.path(), &text).unwrap();
        let content = Content::survey(file.path(), 1 << 16, &Arc::default()).unwrap();
        let mut blocks = content.blocks(1, &Arc::default()).unwrap();
        let first = blocks.next().unwrap().unwrap().end - 1;
        rewritten(text.len() - 3);
        let error = loop {
            match blocks.next() {
                Ok(lines) => assert!(lines.is_some(), "it was read to its end"),
                Err(error) => break error,
            }
        };
        assert!(
            matches!(error, Unreadable::Changed { landed, .. } if landed > first),
            "{error}"
        );
        // Cut off while it is read.
        std::fs::write(file.path(), &text).unwrap();
        let content = Content::survey(file.path(), 1 << 16, &Arc::default()).unwrap();
        let mut blocks = content.blocks(1, &Arc::default()).unwrap();
        blocks.next().unwrap();
        file.as_file().set_len(3_000_000).unwrap();
        while let Ok(lines) = blocks.next() {
            assert!(lines.is_some(), "it was read to its end");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Of any size: the lines are those that a plain split gives, each once and in order, over any number of blocks.
        #[test]
        fn lines_are_those_of_a_plain_split(
            lengths in prop::collection::vec(prop_oneof![0..50_usize, 0..300_000_usize, Just(BLOCK), Just(BLOCK - 1)], 0..12),
            open in any::<bool>(),
            compressed in any::<bool>(),
        ) {
            let mut text = Vec::new();
            for (number, length) in lengths.iter().enumerate() {
                text.extend((0..*length).map(|at| b'a' + u8::try_from((at + number) % 26).unwrap()));
                text.push(b'\n');
            }
            if open {
                text.pop();
            }
            let mut expected: Vec<Vec<u8>> = text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            if text.is_empty() || text.ends_with(b"\n") {
                expected.pop();
            }
            let found = lines(&if compressed { zstd(&text) } else { text });
            let numbers: Vec<i64> = found.iter().map(|(number, _)| *number).collect();
            prop_assert_eq!(numbers, (1..).take(expected.len()).collect::<Vec<i64>>());
            prop_assert!(found.into_iter().map(|(_, line)| line).eq(expected));
        }
    }
}
