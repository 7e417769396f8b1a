//! The page as HTML. Everything that a service says is text to the template, which escapes it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use serde::Serialize;

use super::history::{EVERY, History};
use super::{Cell, Status, Table, plot, text};
use crate::recent::Line;

/// What the page shows beside what the service says.
#[derive(Debug)]
pub struct Look<'a> {
    /// When it is looked at.
    pub now: SystemTime,
    /// How long the process lives.
    pub uptime: Duration,
    /// Which conditions for being ready are not met, one a line.
    pub unready: Option<String>,
    /// Which loops stand still, one a line.
    pub stuck: Option<String>,
    /// What the counters showed.
    pub history: &'a History,
    /// The last warnings and errors, the newest first.
    pub lines: &'a [Line],
    /// Whether the browser is to ask again.
    pub refreshing: bool,
}

/// Renders the page.
pub fn render(status: &Status, look: &Look<'_>) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.add_template("page.html", include_str!("page.html"))?;
    let now = micros(look.now);
    let rates: Vec<Rate> = (status.counters.iter())
        .map(|counter| {
            let rates = look.history.rates(counter.name, look.uptime);
            let (line, area) = plot::paths(&rates).unzip();
            Rate {
                name: counter.name,
                now: text::rate(rates.now),
                peak: text::rate(rates.peak()),
                total: text::count(i64::try_from(counter.total).unwrap_or(i64::MAX)),
                line,
                area,
            }
        })
        .collect();
    let tables: Vec<Value> = (status.tables.iter())
        .map(|table| shown_table(table, now))
        .collect();
    let lines: Vec<Value> = (look.lines.iter())
        .map(|line| shown_line(line, now))
        .collect();
    environment.get_template("page.html")?.render(context! {
        name => status.name,
        version => env!("CARGO_PKG_VERSION"),
        state => State::of(look),
        style => Value::from_safe_string(include_str!("style.css").to_owned()),
        every => EVERY.as_secs(),
        refreshing => look.refreshing,
        uptime => text::span(i64::try_from(look.uptime.as_micros()).unwrap_or(i64::MAX)),
        now => text::time(now),
        facts => status.facts,
        width => plot::WIDTH,
        height => plot::HEIGHT,
        rates,
        tables,
        lines,
    })
}

#[derive(Serialize)]
struct Rate {
    name: &'static str,
    now: String,
    peak: String,
    total: String,
    line: Option<String>,
    area: Option<String>,
}

/// Whether the service works, in a word, and why not.
#[derive(Serialize)]
struct State {
    word: &'static str,
    class: &'static str,
    reasons: Vec<String>,
}

impl State {
    fn of(look: &Look<'_>) -> Self {
        let reasons = [&look.stuck, &look.unready].into_iter().flatten();
        let reasons = reasons.flat_map(|lines| lines.lines().map(str::to_owned));
        let (word, class) = match (&look.stuck, &look.unready) {
            (Some(_), _) => ("stuck", "bad"),
            (None, Some(_)) => ("not ready", "warn"),
            (None, None) => ("ready", "good"),
        };
        Self {
            word,
            class,
            reasons: reasons.collect(),
        }
    }
}

fn shown_table(table: &Table, now: i64) -> Value {
    let rows: Vec<Vec<Shown>> = (table.rows.iter())
        .map(|row| row.iter().map(|cell| Shown::of(cell, now)).collect())
        .collect();
    // A heading stands where the values of its column do.
    let class = |index: usize| {
        let numbers = rows
            .iter()
            .any(|row| row.get(index).is_some_and(|cell| cell.class == NUMBER));
        if numbers { NUMBER } else { "" }
    };
    let columns: Vec<Value> = (table.columns.iter().enumerate())
        .map(|(index, column)| {
            context! { name => column.name, about => column.about, class => class(index) }
        })
        .collect();
    context! { title => table.title, about => table.about, empty => table.empty, columns, rows }
}

/// The class of what is aligned by its digits.
const NUMBER: &str = "number";

/// A cell as it is shown, with what stands beside it in small.
#[derive(Serialize)]
struct Shown {
    class: &'static str,
    text: String,
    beside: String,
}

impl Shown {
    fn of(cell: &Cell, now: i64) -> Self {
        let beside = match cell {
            Cell::Time(at) => text::ago(*at, now),
            _ => String::new(),
        };
        let (class, text) = match cell {
            Cell::Nothing => ("", "–".to_owned()),
            Cell::Text(text) => ("", text.clone()),
            Cell::Count(number) => (NUMBER, text::count(*number)),
            Cell::Place(number) => (NUMBER, number.to_string()),
            Cell::Bytes(number) => (NUMBER, text::bytes(*number)),
            Cell::Age(at) => ("", text::ago(*at, now)),
            Cell::Time(at) => ("", text::time(*at)),
        };
        Self {
            class,
            text,
            beside,
        }
    }
}

fn shown_line(line: &Line, now: i64) -> Value {
    let at = micros(line.at);
    context! {
        class => if line.error { "bad" } else { "warn" },
        time => text::time(at),
        ago => text::ago(at, now),
        times => (line.times > 1).then_some(line.times),
        text => line.text,
    }
}

fn micros(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::{Column, Counter};
    use super::*;

    const HOSTILE: &str = "<script>alert('x')</script> & \"more\"";

    fn look<'a>(history: &'a History, lines: &'a [Line]) -> Look<'a> {
        Look {
            now: UNIX_EPOCH + Duration::from_secs(1_793_491_200),
            uptime: Duration::from_secs(100),
            unready: None,
            stuck: None,
            history,
            lines,
            refreshing: true,
        }
    }

    fn status(text: &str) -> Status {
        let column = |name| Column {
            name,
            about: "what it says",
        };
        Status {
            name: text.to_owned(),
            facts: vec![("topic", text.to_owned())],
            counters: vec![Counter {
                name: "messages read",
                total: 1_234,
            }],
            tables: vec![
                Table {
                    title: "Partitions",
                    about: text.to_owned(),
                    columns: vec![column("partition"), column("lag"), column("watermark")],
                    rows: vec![vec![
                        Cell::Text(text.to_owned()),
                        Cell::Count(12_345),
                        Cell::Time(1_793_491_190_000_000),
                    ]],
                    empty: "",
                },
                Table {
                    title: "Set aside",
                    empty: "Nothing was set aside.",
                    ..Table::default()
                },
            ],
        }
    }

    #[test]
    fn what_a_service_says_is_text_and_never_markup() {
        let lines = [Line {
            at: UNIX_EPOCH + Duration::from_secs(1_793_491_197),
            error: true,
            text: HOSTILE.to_owned(),
            times: 2,
        }];
        let history = History::default();
        let mut look = look(&history, &lines);
        look.unready = Some(format!("kafka: {HOSTILE}\nstore: away\n"));
        let page = render(&status(HOSTILE), &look).unwrap();
        assert!(!page.contains("<script"), "{page}");
        assert_eq!(page.matches("&lt;script&gt;").count(), 7);
    }

    #[test]
    fn numbers_ages_and_rates_are_shown() {
        let mut history = History::default();
        for (seconds, total) in [(80, 0), (90, 500), (100, 1_234)] {
            let counters = [Counter {
                name: "messages read",
                total,
            }];
            history.note(Duration::from_secs(seconds), &counters);
        }
        let page = render(&status("ingest webtoon"), &look(&history, &[])).unwrap();
        for part in [
            "<title>ingest webtoon: ready</title>",
            "http-equiv=\"refresh\" content=\"5\"",
            "up 1 min 40 s",
            "<td class=\"number\">12,345</td>",
            "2026-10-31 23:59:50 <small>10 s ago</small>",
            "1,234 since the start",
            "most 73.4 &#x2f;s",
            "<path class=\"line\" d=\"M295.0 ",
            "Nothing was set aside.",
            "None since the start.",
        ] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
    }

    #[test]
    fn what_is_wrong_is_on_top_and_a_page_can_stand_still() {
        let history = History::default();
        let mut look = look(&history, &[]);
        look.unready = Some("kafka: no broker answers (for 3 s)\n".to_owned());
        let page = render(&status("x"), &look).unwrap();
        assert!(page.contains("state warn\">not ready<"), "{page}");
        assert!(page.contains("<li>kafka: no broker answers (for 3 s)</li>"));
        look.stuck = Some("worker-1: its loop has not turned for 400 s\n".to_owned());
        look.refreshing = false;
        let page = render(&status("x"), &look).unwrap();
        assert!(page.contains("state bad\">stuck<"), "{page}");
        assert!(!page.contains("http-equiv"));
    }
}
