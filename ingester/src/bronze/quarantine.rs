//! Messages that the contract does not accept: kept byte for byte with every reason, as rows of the quarantine table.
//!
//! A message's bytes are copied once, into the batch that is being built; a batch is bounded by bytes and then goes the way of all rows
//! ([`super::by_date`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use arrow::array::{
    ArrayRef, BinaryBuilder, Date32Array, Date32Builder, ListBuilder, RecordBatch, StringBuilder,
    StructBuilder,
};
use arrow::datatypes::SchemaRef;
use userflow_models::bronze::{
    Origin, OriginColumns, TOPIC_ID, constant, problem_fields, problem_item, with_constants,
};
use userflow_models::decode::{Problem, Rejection};

use super::budget::Budget;
use super::by_date::ByDate;
use super::files::Files;
use super::tables::Target;

const TOPIC: &str = "_topic";
/// Bytes of a row beside its texts and raw bytes: its origin, its date, and where each of them ends.
const ROW_BYTES: usize = OriginColumns::ROW_BYTES + 24;
/// Bytes of a problem beside its texts.
const PROBLEM_BYTES: usize = 16;

/// Rejected messages that wait for the next flush.
pub(super) struct Quarantine {
    topic: String,
    schema: SchemaRef,
    batch_bytes: usize,
    rows: Rows,
    files: ByDate,
    reasons: BTreeMap<&'static str, u64>,
}

/// The builders of a batch.
struct Rows {
    dates: Date32Builder,
    origins: OriginColumns,
    reasons: StringBuilder,
    problems: ListBuilder<StructBuilder>,
    raw: BinaryBuilder,
    count: usize,
    bytes: usize,
}

impl Quarantine {
    pub(super) fn new(target: &Target, topic: &str, topic_id: &str, budget: Budget) -> Self {
        Self {
            topic: topic.to_owned(),
            schema: with_constants(&target.file_schema, &[TOPIC, TOPIC_ID]),
            batch_bytes: budget.batch,
            rows: Rows::new(topic_id),
            files: ByDate::new(&target.file_schema, &target.settings, budget.full),
            reasons: BTreeMap::new(),
        }
    }

    /// What comes next is of another topic, or file.
    pub(super) fn turn_to(&mut self, topic: &str, topic_id: &str) -> Result<()> {
        self.encode()?;
        topic.clone_into(&mut self.topic);
        self.rows.origins = OriginColumns::new(Some(topic_id), 0);
        Ok(())
    }

    /// Takes a message with what is wrong with it, for the partition of a date in days since 1970.
    pub(super) fn push(
        &mut self,
        origin: Origin,
        date: i32,
        raw: Option<&[u8]>,
        mut rejection: Rejection,
    ) -> Result<()> {
        rejection.problems.extend(origin.capped());
        let reason = rejection.reason().as_str();
        *self.reasons.entry(reason).or_default() += 1;
        (self.rows).push((origin, date), reason, &rejection.problems, raw);
        if self.rows.bytes >= self.batch_bytes {
            self.encode()?;
        }
        Ok(())
    }

    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        self.rows.bytes + self.files.memory()
    }

    /// Messages by first reason.
    pub(super) fn reasons(&self) -> &BTreeMap<&'static str, u64> {
        &self.reasons
    }

    /// Takes all messages as files, with their dates.
    pub(super) fn take(&mut self) -> Result<Files> {
        self.encode()?;
        Ok(self.files.take())
    }

    fn encode(&mut self) -> Result<()> {
        if self.rows.count == 0 {
            return Ok(());
        }
        let mut columns: Vec<ArrayRef> = vec![constant(Some(&self.topic), self.rows.count)];
        let dates = self.rows.finish(&mut columns);
        let batch = RecordBatch::try_new(SchemaRef::clone(&self.schema), columns)?;
        self.files.push(&dates, &batch)
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        drop(self.rows.finish(&mut Vec::new()));
        self.files.clear();
        self.reasons.clear();
    }
}

impl Rows {
    fn new(topic_id: &str) -> Self {
        Self {
            dates: Date32Builder::new(),
            origins: OriginColumns::new(Some(topic_id), 0),
            reasons: StringBuilder::new(),
            problems: ListBuilder::new(StructBuilder::from_fields(problem_fields(), 0))
                .with_field(problem_item()),
            raw: BinaryBuilder::new(),
            count: 0,
            bytes: 0,
        }
    }

    fn push(
        &mut self,
        (origin, date): (Origin, i32),
        reason: &str,
        problems: &[Problem],
        raw: Option<&[u8]>,
    ) {
        self.dates.append_value(date);
        self.origins.append(origin);
        self.reasons.append_value(reason);
        self.bytes += ROW_BYTES + reason.len() + raw.map_or(0, <[u8]>::len);
        for problem in problems {
            let item = self.problems.values();
            let texts = [problem.reason.as_str(), &problem.field, &problem.detail];
            for (column, text) in texts.into_iter().enumerate() {
                let texts = item.field_builder::<StringBuilder>(column);
                texts.expect("a problem is three texts").append_value(text);
                self.bytes += text.len();
            }
            item.append(true);
            self.bytes += PROBLEM_BYTES;
        }
        self.problems.append(true);
        self.raw.append_option(raw);
        self.count += 1;
    }

    /// Adds the columns after the topic's name, and returns the dates.
    fn finish(&mut self, columns: &mut Vec<ArrayRef>) -> Date32Array {
        columns.extend(self.origins.finish());
        columns.push(Arc::new(self.reasons.finish()));
        columns.push(Arc::new(self.problems.finish()));
        columns.push(Arc::new(self.raw.finish()));
        self.count = 0;
        self.bytes = 0;
        self.dates.finish()
    }
}
