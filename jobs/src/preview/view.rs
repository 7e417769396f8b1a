//! A feature view on events: its rows as they change, and what an edit of it changes.

use std::collections::BTreeMap;

use anyhow::Result;
use chrono::NaiveDate;
use serde_json::json;
use userflow_models::cases::Clock;
use userflow_models::domain::Domain;
use userflow_models::features::{FeatureView, Window};
use userflow_process::exit::WrongSetup;

use super::args::TryArgs;
use super::before::{Before, before};
use super::changes::compare;
use super::difference::Difference;
use super::events::{Events, of_file, of_lake};
use super::table::{Narrow, laid_out};
use crate::config::{Common, Output};
use crate::print;
use crate::stream::{Key, Stream};
use crate::value::cell;
use crate::workspace::Workspace;

/// Columns that say when a row was written, not what it says.
const NOT_SHOWN: [&str; 2] = ["version", "event_time"];
/// The partition that all events count as of.
const PARTITION: i32 = 0;

/// The view of today and before, fed with the same events.
struct Trial<'a> {
    args: &'a TryArgs,
    domain: &'a Domain,
    view: &'a FeatureView,
    now: Stream,
    before: Option<(Stream, String)>,
    /// Events so far, and those that changed nothing.
    events: u64,
    repeats: u64,
    late: u64,
    /// Rows that changed: the event's number, what it was, the row's cells.
    rows: Vec<Vec<String>>,
    /// The same for narrow terminals: the event's number, what it was, the entity, the cells that changed.
    narrow: Vec<Vec<String>>,
    /// The row of each entity before, as it was shown.
    shown: BTreeMap<Key, Vec<String>>,
    /// How many more changed.
    more: u64,
    clock: Option<Clock>,
}

/// Feeds the events and prints what came of them.
pub(super) async fn run(
    settings: &Common,
    args: &TryArgs,
    domain: &Domain,
    view: FeatureView,
) -> Result<()> {
    let contract = &domain.contract;
    let earlier = before(domain, &view, args.against.as_deref())?;
    if let Some(Before {
        definition: old,
        from,
    }) = &earlier
        && old.entity != view.entity
    {
        let message = format!(
            "{} has the entity {} in {from} and {} now: rows of different entities cannot be compared; name the view anew",
            view.name,
            old.entity.join(", "),
            view.entity.join(", ")
        );
        return Err(WrongSetup(message).into());
    }
    let stream = |view: &FeatureView| Stream::new(domain, std::slice::from_ref(view), &[]);
    let mut trial = Trial {
        args,
        domain,
        view: &view,
        now: stream(&view)?,
        before: earlier
            .map(|before| Ok::<_, anyhow::Error>((stream(&before.definition)?, before.from)))
            .transpose()?,
        events: 0,
        repeats: 0,
        late: 0,
        rows: Vec::new(),
        narrow: Vec::new(),
        shown: BTreeMap::new(),
        more: 0,
        clock: None,
    };
    let mut refused = (0, None);
    match (&args.events, args.from_lake) {
        (Some(file), _) => {
            refused = of_file(file, contract, |events| trial.take(events))?;
        }
        (None, true) => {
            let workspace = Workspace::open(settings).await?;
            let range = args.window.required()?;
            of_lake(&workspace, contract, range, |events| trial.take(events)).await?;
        }
        (None, false) => {
            let message = "which events? --events FILE, or --from-lake --date 2026-11-01";
            return Err(WrongSetup(message.to_owned()).into());
        }
    }
    trial.end()?;
    trial.print(settings.output, refused)
}

impl Trial<'_> {
    fn wanted(&self, key: &Key) -> bool {
        (self.args.entity.as_ref()).is_none_or(|wanted| key.join(",") == *wanted)
    }

    fn take(&mut self, events: &Events) -> Result<()> {
        let contract = &self.domain.contract;
        let names = cell::names(&events.batch.schema());
        let at = |name: &str| names.iter().position(|known| known == name);
        let of = |name: &str| {
            let at = at(name).expect("a decoded batch has the contract's columns");
            cell::cells(events.batch.column(at))
        };
        let (types, times) = (of(contract.event_type())?, of(contract.event_time())?);
        for row in 0..events.batch.num_rows() {
            self.events += 1;
            let arrived = events.arrived[row];
            if let Some((before, _)) = &mut self.before {
                before.message(PARTITION, &events.batch, row..row + 1, arrived)?;
            }
            let effect = (self.now).message(PARTITION, &events.batch, row..row + 1, arrived)?;
            self.repeats += effect.repeats;
            self.late += u64::from(!effect.late.is_empty());
            let clock = *self.clock.get_or_insert_with(|| {
                let date = times[row]
                    .text()
                    .get(..10)
                    .and_then(|date| date.parse().ok());
                Clock {
                    date: date.unwrap_or(NaiveDate::MIN),
                }
            });
            let what = format!("{} {}", times[row].shown(clock), types[row].text());
            self.changed(&self.events.to_string(), &what, effect.changed);
        }
        Ok(())
    }

    /// Nothing comes any more: sessions end.
    fn end(&mut self) -> Result<()> {
        let Window::Session { gap, .. } = self.view.window else {
            return Ok(());
        };
        let changed = self.now.silence(gap)?;
        self.changed("", "then nothing", changed);
        if let Some((before, _)) = &mut self.before {
            before.silence(gap)?;
        }
        Ok(())
    }

    fn changed(&mut self, number: &str, what: &str, changed: Vec<(usize, Key)>) {
        for (_, key) in changed {
            if !self.wanted(&key) {
                continue;
            }
            if self.rows.len() >= self.args.limit {
                self.more += 1;
                continue;
            }
            let view = &self.now.views()[0];
            let clock = self.clock.unwrap_or(Clock {
                date: NaiveDate::MIN,
            });
            let cells = view.columns.iter().zip(&view.rows[&key]);
            let cells = cells.filter(|(name, _)| !NOT_SHOWN.contains(&name.as_str()));
            let (names, texts): (Vec<&String>, Vec<String>) =
                cells.map(|(name, cell)| (name, cell.shown(clock))).unzip();
            let event = [number.to_owned(), what.to_owned()];
            let before = self.shown.insert(key.clone(), texts.clone());
            let changed = told_changes(
                &names[view.key..],
                before.as_ref().map(|row| &row[view.key..]),
                &texts[view.key..],
            );
            let narrow = event.iter().cloned().chain([key.join(","), changed]);
            self.narrow.push(narrow.collect());
            self.rows.push(event.into_iter().chain(texts).collect());
        }
    }

    fn difference(&self) -> Option<Difference> {
        let (before, from) = self.before.as_ref()?;
        let clock = self.clock.unwrap_or(Clock {
            date: NaiveDate::MIN,
        });
        let wanted = |key: &Key| self.wanted(key);
        let [before, now] = [before, &self.now].map(|stream| &stream.views()[0]);
        Some(compare(from, before, now, clock, wanted))
    }

    fn columns(&self) -> Vec<String> {
        let columns = self.now.views()[0].columns.iter();
        let columns = columns.filter(|name| !NOT_SHOWN.contains(&name.as_str()));
        let first = ["#", "event"].map(str::to_owned);
        first.into_iter().chain(columns.cloned()).collect()
    }

    fn print(&self, output: Output, (refused, first): (u64, Option<String>)) -> Result<()> {
        let columns = self.columns();
        let difference = self.difference();
        if let Output::Json = output {
            return print::json(&json!({
                "command": "try",
                "view": self.view.name,
                "events": self.events,
                "repeats": self.repeats,
                "late": self.late,
                "refused": refused,
                "columns": columns,
                "rows": self.rows,
                "more": self.more,
                "difference": difference.map(|difference| difference.json()),
            }));
        }
        let narrow = ["#", "event", "entity", "what changed"];
        let mut text = laid_out(
            self.args,
            &columns,
            &self.rows,
            Narrow::Other(&narrow, &self.narrow),
        );
        let entities = self.now.views()[0]
            .rows
            .keys()
            .filter(|key| self.wanted(key))
            .count();
        text.push_str(&format!(
            "\n{} rows of {entities} entities of {} changed by {} events ({} repeats, {} late)",
            self.rows.len() as u64 + self.more,
            self.view.name,
            self.events,
            self.repeats,
            self.late
        ));
        if self.more > 0 {
            text.push_str(&format!(
                "; {} rows are not shown: --limit N, --entity KEY",
                self.more
            ));
        }
        if let Some(first) = first {
            text.push_str(&format!(
                "\n{refused} messages are refused by the contract, the first: {first}"
            ));
        }
        if let Some(difference) = difference {
            text.push_str(&format!("\n\n{}", difference.told(self.args)));
        }
        print::text(&text)
    }
}

/// The cells of a row that are others than before; of a first row those that say something.
fn told_changes(names: &[&String], before: Option<&[String]>, now: &[String]) -> String {
    let mut told = Vec::new();
    for (at, (name, text)) in names.iter().zip(now).enumerate() {
        match before.map(|before| &before[at]) {
            Some(old) if old == text => {}
            Some(old) => told.push(format!("{name} {old} → {text}")),
            None if text == "null" || text == "[]" => {}
            None => told.push(format!("{name} {text}")),
        }
    }
    told.join(", ")
}
