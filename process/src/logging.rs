//! What a process says: what `--log` means, and that a panic is logged like everything else.

use std::io::{IsTerminal, Write};
use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::{recent, terminal};

/// What the names of our own crates begin with; a filter is for every name that begins so.
const OURS: &str = "userflow";
/// What a level may be.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// What to log: a level such as `info`, which is ours (libraries speak up from `warn`), or a list such as
/// `userflow_jobs=debug,sqlx=info`, where a level alone is for everyone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter(String);

impl FromStr for LogFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = |item: &str| LEVELS.contains(&item.to_ascii_lowercase().as_str());
        let items: Vec<&str> = text.split(',').map(str::trim).collect();
        for item in &items {
            // A word alone would be taken for the name of a crate, and `inof` would silence everything.
            if !item.contains('=') && !known(item) {
                return Err(format!(
                    "{item:?} is no level: use one of {}, or crate=level such as userflow_lake=debug",
                    LEVELS.join(", ")
                ));
            }
        }
        let level = items.iter().rfind(|item| known(item)).copied();
        let everyone = level.filter(|_| items.len() > 1).unwrap_or("warn");
        let mut filter = format!("{everyone},{OURS}={}", level.unwrap_or("info"));
        for item in items.iter().filter(|item| item.contains('=')) {
            filter = format!("{filter},{item}");
        }
        match EnvFilter::try_new(&filter) {
            Ok(_) => Ok(Self(filter)),
            Err(e) => Err(format!("{text:?} is no filter: {e}")),
        }
    }
}

/// Starts logging to standard error: lines for people on a terminal, JSON lines otherwise. A panic is a line too, with its thread.
/// The last warnings and errors are kept for the status page. What a line quotes cannot steer the terminal that it is read on.
pub fn start_logging(filter: &LogFilter) {
    let builder = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(&filter.0));
    if std::io::stderr().is_terminal() {
        let fields = debug_fn(|writer, field, value| {
            let value = format!("{value:?}");
            let value = terminal::escaped_lines(&value);
            match field.name() {
                "message" => write!(writer, "{value}"),
                name => write!(writer, "{name}={value}"),
            }
        });
        builder
            .with_writer(std::io::stderr)
            .with_target(false)
            .compact()
            .fmt_fields(fields.delimited(" "))
            .finish()
            .with(recent::layer())
            .init();
    } else {
        builder
            .with_writer(|| JsonLines(std::io::stderr()))
            .json()
            .flatten_event(true)
            .finish()
            .with(recent::layer())
            .init();
    }
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("without a name");
        let backtrace = std::backtrace::Backtrace::capture();
        if backtrace.status() == std::backtrace::BacktraceStatus::Captured {
            tracing::error!(thread, "{panic}\n{backtrace}");
        } else {
            tracing::error!(thread, "{panic}");
        }
    }));
}

/// Writes JSON lines; codes that JSON lets through and a terminal obeys are written in JSON's own way.
struct JsonLines<W>(W);

impl<W: Write> Write for JsonLines<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.0.write_all(terminal::escaped_json(text).as_bytes())?,
            // A part of a letter: not from our formatter, which writes whole lines.
            Err(_) => self.0.write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(text: &str) -> Result<String, String> {
        text.parse::<LogFilter>().map(|filter| filter.0)
    }

    #[test]
    fn a_level_is_ours_and_in_a_list_everyones() {
        assert_eq!(filter("info").unwrap(), "warn,userflow=info");
        assert_eq!(filter("DEBUG").unwrap(), "warn,userflow=DEBUG");
        assert_eq!(
            filter("debug, sqlx=warn").unwrap(),
            "debug,userflow=debug,sqlx=warn"
        );
        assert_eq!(
            filter("userflow_lake=trace").unwrap(),
            "warn,userflow=info,userflow_lake=trace"
        );
    }

    #[test]
    fn a_typo_is_told() {
        for typo in ["inof", "", "userflow_jobs=debgu", "info,", "userflow_jobs"] {
            assert!(filter(typo).is_err(), "{typo:?} is taken");
        }
    }
}
