//! Where messages go: a file, and the pace at which any target is fed. Kafka is in `topic.rs`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::stream::Message;

/// A target of messages.
pub trait Sink {
    /// Takes one message. It may still be under way when this returns.
    fn send(&mut self, message: &Message<'_>) -> anyhow::Result<()>;

    /// Waits until the next message is due, doing what must be done meanwhile.
    fn wait(&mut self, time: Duration) -> anyhow::Result<()> {
        std::thread::sleep(time);
        Ok(())
    }

    /// Returns when every message has arrived, or fails.
    fn finish(&mut self) -> anyhow::Result<()>;
}

/// One message per line.
pub(crate) struct Lines {
    out: BufWriter<Box<dyn Write>>,
    name: String,
}

impl Lines {
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let out: Box<dyn Write> = if name == "-" {
            Box::new(io::stdout())
        } else {
            Box::new(File::create(path).with_context(|| format!("create {name}"))?)
        };
        Ok(Self {
            out: BufWriter::with_capacity(1 << 20, out),
            name,
        })
    }
}

impl Sink for Lines {
    fn send(&mut self, message: &Message<'_>) -> anyhow::Result<()> {
        debug_assert!(!message.bytes.contains(&b'\n'));
        self.out
            .write_all(message.bytes)
            .and_then(|()| self.out.write_all(b"\n"))
            .with_context(|| format!("write {}", self.name))
    }

    fn wait(&mut self, time: Duration) -> anyhow::Result<()> {
        // Who paces a file wants to see it grow.
        self.out
            .flush()
            .with_context(|| format!("write {}", self.name))?;
        std::thread::sleep(time);
        Ok(())
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.out
            .flush()
            .with_context(|| format!("write {}", self.name))
    }
}

/// Open-loop pace: the n-th message is due n / rate seconds after the first, whatever the earlier ones took.
pub(crate) struct Pace {
    began: Instant,
    rate: f64,
}

impl Pace {
    pub(crate) fn new(rate: f64) -> Self {
        Self {
            began: Instant::now(),
            rate,
        }
    }

    /// How long until the message of this number (from 0) is due.
    pub(crate) fn until(&self, number: u64) -> Duration {
        Duration::from_secs_f64(number as f64 / self.rate).saturating_sub(self.began.elapsed())
    }
}
