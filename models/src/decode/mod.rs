//! From the bytes of a message to a row of Arrow columns, or to everything that is wrong with it.
//!
//! ```text
//! bytes -> UTF-8 check -> scan (where is what) -> dialect (which shape) -> read (cells, problems) -> columns (builders), extra
//! ```
//!
//! A [`Decoder`] is made from a [`Contract`] once. After its first events it allocates nothing for a further one, save the
//! growth of the columns. It knows no domain: every name comes from the contract. It trusts no message: whatever the bytes,
//! the result is one row or one [`Rejection`], and what was appended before stays as it was.

mod bits;
mod column;
mod columns;
mod dialect;
mod envelope;
mod extra;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod grammar;
mod pairs;
mod plan;
mod problem;
mod read;
mod record;
mod row;
mod scan;
mod shape;
mod slots;
mod text;
mod timestamp;
mod word;

use arrow::array::RecordBatch;

use crate::contract::{Contract, Limits};
use columns::Columns;
use dialect::DialectPlan;
use envelope::{Envelopes, Peeled};
pub use problem::{Problem, Reason, Rejection};
use read::{Message, Reader};
use row::{Cell, Texts};
use scan::Root;
use shape::Shape;
use slots::Slots;

/// 2000-01-01T00:00:00Z, before which no event of a file is taken: epoch seconds where milliseconds are due are January 1970.
pub const OLDEST_MS: i64 = 946_684_800_000;

/// Decodes the messages of one domain into batches of [`Contract::schema`].
pub struct Decoder {
    limits: Limits,
    past_ms: i64,
    future_ms: i64,
    shape: Shape,
    dialects: Vec<DialectPlan>,
    slots: Slots,
    reader: Reader,
    extra: String,
    columns: Columns,
    /// In a box, because it is taken out for every message and most contracts have none.
    envelopes: Option<Box<Envelopes>>,
}

impl Decoder {
    /// Compiles the contract.
    pub fn new(contract: &Contract) -> Self {
        let (shape, dialects, records) = dialect::compile(contract);
        let limits = *contract.limits();
        Self {
            limits,
            past_ms: milliseconds(limits.max_past),
            future_ms: milliseconds(limits.max_future),
            slots: Slots::new(&shape),
            shape,
            dialects,
            reader: Reader::new(records, limits.max_depth),
            extra: String::new(),
            columns: Columns::new(contract.schema()),
            envelopes: Envelopes::compile(contract).map(Box::new),
        }
    }

    /// Appends the row of `message`, which Kafka received at `kafka_time_ms`, or says why there is none. A message that is a list of events
    /// becomes a row for each, if the contract knows lists: all of them or none.
    ///
    /// Without a Kafka time (Kafka says -1, or a year that cannot be) no event is too far from it. The wall clock would make the answer
    /// depend on when a message is read.
    pub fn decode(&mut self, message: &[u8], kafka_time_ms: i64) -> Result<(), Rejection> {
        // A producer that gives Kafka microseconds says nothing about when.
        let known = kafka_time_ms >= 0 && timestamp::in_range(kafka_time_ms);
        let times = match known {
            true => (kafka_time_ms - self.past_ms, kafka_time_ms + self.future_ms),
            false => (i64::MIN, i64::MAX),
        };
        self.decode_within(message, times)
    }

    /// Appends the row of a line that was read from a file at `read_ms`, or says why there is none.
    ///
    /// Files are history, so an event may be as old as [`OLDEST_MS`]; nothing has happened yet that lies further ahead of the reader's
    /// clock than the contract's `max_future`.
    pub fn decode_history(&mut self, line: &[u8], read_ms: i64) -> Result<(), Rejection> {
        self.decode_within(line, (OLDEST_MS, read_ms.saturating_add(self.future_ms)))
    }

    /// `times`: the earliest and the latest that an event may have.
    fn decode_within(&mut self, message: &[u8], times: (i64, i64)) -> Result<(), Rejection> {
        let text = self.text(message)?;
        match self.envelopes.take() {
            None => self
                .event(text, times)
                .map(|()| self.append(text, None, &[])),
            Some(mut envelopes) => {
                let outcome = self.peeled(text, times, &mut envelopes);
                self.envelopes = Some(envelopes);
                outcome
            }
        }
    }

    /// A message of a contract that knows envelopes.
    fn peeled(
        &mut self,
        text: &str,
        times: (i64, i64),
        envelopes: &mut Envelopes,
    ) -> Result<(), Rejection> {
        let Some(items) = envelopes.list(text) else {
            let Peeled { event, beside } = envelopes.peel(text);
            let inner = &text[event];
            self.event(inner, times)?;
            let beside: Vec<&str> = beside.into_iter().map(|member| &text[member]).collect();
            self.append(inner, None, &beside);
            return Ok(());
        };
        if items.is_empty() {
            let detail = "the message is an empty list, expected events".to_owned();
            return Err(Rejection::whole(Reason::WrongType, detail));
        }
        // Twice: a row that was appended cannot be taken back.
        for append in [false, true] {
            for (index, item) in items.iter().enumerate() {
                let text = &text[item.clone()];
                let Peeled { event, beside } = envelopes.peel(text);
                let inner = &text[event];
                let read = self.event(inner, times);
                read.map_err(|rejection| rejection.of_item(index, items.len()))?;
                if append {
                    let beside: Vec<&str> =
                        beside.into_iter().map(|member| &text[member]).collect();
                    let index = i64::try_from(index).expect("fewer events than bytes of a message");
                    self.append(inner, Some(index), &beside);
                }
            }
        }
        Ok(())
    }

    /// Reads an event into cells.
    fn event(&mut self, text: &str, times: (i64, i64)) -> Result<(), Rejection> {
        self.slots.reset();
        let root = scan::scan(
            text,
            self.limits.max_depth,
            &mut self.shape,
            &mut self.slots,
        );
        match root {
            Ok(Root::Object) => {}
            Ok(Root::Other(kind)) => {
                let detail = format!("the message is {}, expected an object", kind.describe());
                return Err(Rejection::whole(Reason::WrongType, detail));
            }
            Err((fault, at)) => {
                let detail = format!("{} (byte {at})", fault.describe());
                return Err(Rejection::whole(Reason::InvalidJson, detail));
            }
        }
        let message = Message {
            text,
            start: Some(0),
            earliest_ms: times.0,
            latest_ms: times.1,
        };
        let dialect = spoken(&self.dialects, text, &self.slots);
        self.reader
            .read(message, dialect, &self.shape, &mut self.slots);
        if !self.reader.problems.is_empty() {
            return Err(Rejection {
                problems: std::mem::take(&mut self.reader.problems),
            });
        }
        Ok(())
    }

    /// Appends the row of the event that was read from `text`. `index`: which of a list it is, where there is a column for it. `beside`:
    /// members of an envelope.
    fn append(&mut self, text: &str, index: Option<i64>, beside: &[&str]) {
        extra::assemble(text, &mut self.slots.unnamed, &self.shape, &mut self.extra);
        extra::with_envelope(&mut self.extra, beside);
        let extra = (!self.extra.is_empty()).then_some(self.extra.as_str());
        if let Some(index) = index {
            self.reader
                .row
                .fill(self.columns.before_extra(), Cell::Long(index));
        }
        let texts = Texts {
            message: text,
            scratch: &self.reader.scratch,
            items: &self.reader.items,
        };
        self.columns.append(&self.reader.row, texts, extra);
    }

    /// What can be said of the message before its grammar.
    fn text<'a>(&self, message: &'a [u8]) -> Result<&'a str, Rejection> {
        let most = self.limits.max_bytes;
        if message.len() > most {
            let detail = format!("{} bytes, at most {most} are allowed", message.len());
            return Err(Rejection::whole(Reason::TooLarge, detail));
        }
        if message.is_empty() {
            return Err(Rejection::whole(
                Reason::InvalidJson,
                "the message is empty".to_owned(),
            ));
        }
        simdutf8::basic::from_utf8(message).map_err(|_| {
            let valid = std::str::from_utf8(message).map_or_else(|e| e.valid_up_to(), str::len);
            Rejection::whole(
                Reason::InvalidUtf8,
                format!("no UTF-8 from byte {valid} on"),
            )
        })
    }

    /// Rows since the last [`Decoder::finish`].
    pub fn rows(&self) -> usize {
        self.columns.rows()
    }

    /// The date of the newest buffered row, in days since 1970; none when there is no row.
    pub fn last_date(&self) -> Option<i32> {
        self.columns.last_date()
    }

    /// An estimate of the memory that the buffered rows need. A batch holds less than 2 GiB of text per column: call
    /// [`Decoder::finish`] long before.
    pub fn bytes(&self) -> usize {
        self.columns.bytes()
    }

    /// Takes the rows as one batch; the next one starts with room for as many.
    pub fn finish(&mut self) -> RecordBatch {
        self.columns.finish()
    }
}

/// The dialect that a message speaks.
fn spoken<'a>(dialects: &'a [DialectPlan], message: &str, slots: &Slots) -> &'a DialectPlan {
    if let [only] = dialects {
        return only;
    }
    let speaks = |dialect: &&DialectPlan| {
        (dialect.when.as_ref()).is_none_or(|when| when.holds(message, slots))
    };
    let spoken = dialects.iter().find(speaks);
    spoken.expect("the last dialect is that of all other messages")
}

fn milliseconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).expect("the contract's reader takes 32 bits of seconds")
}
