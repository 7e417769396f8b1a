//! Messages that the contract does not accept: kept byte for byte with every reason, as rows of the quarantine table.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use arrow::array::{
    ArrayRef, BinaryBuilder, ListBuilder, RecordBatch, StringBuilder, StructBuilder,
};
use arrow::datatypes::SchemaRef;
use userflow_lake::{EncodedFile, FileWriter};
use userflow_models::bronze::{
    Origin, OriginColumns, TOPIC_ID, constant, problem_fields, problem_item, with_constants,
};
use userflow_models::decode::Rejection;

use super::tables::Target;

/// Rejected messages that wait for the next flush.
#[derive(Debug, Default)]
pub(super) struct Quarantine {
    messages: Vec<Rejected>,
    bytes: usize,
}

#[derive(Debug)]
struct Rejected {
    origin: Origin,
    raw: Option<Vec<u8>>,
    rejection: Rejection,
}

impl Quarantine {
    pub(super) fn push(&mut self, origin: Origin, raw: Option<&[u8]>, mut rejection: Rejection) {
        rejection.problems.extend(origin.capped());
        self.bytes += raw.map_or(0, <[u8]>::len) + 256;
        self.messages.push(Rejected {
            origin,
            raw: raw.map(<[u8]>::to_vec),
            rejection,
        });
    }

    /// Bytes held, about.
    pub(super) fn memory(&self) -> usize {
        self.bytes
    }

    /// Messages by first reason.
    pub(super) fn reasons(&self) -> BTreeMap<&'static str, u64> {
        let mut reasons = BTreeMap::new();
        for message in &self.messages {
            *reasons.entry(first_reason(&message.rejection)).or_default() += 1;
        }
        reasons
    }

    /// The messages as one file per date of their Kafka time. They stay here until [`Quarantine::clear`].
    pub(super) fn encode(
        &self,
        topic: &str,
        topic_id: &str,
        target: &Target,
    ) -> Result<Vec<(i32, EncodedFile)>> {
        let schema = with_constants(&target.file_schema, &["_topic", TOPIC_ID]);
        let mut by_date: BTreeMap<i32, Vec<&Rejected>> = BTreeMap::new();
        for message in &self.messages {
            by_date
                .entry(message.origin.kept_date())
                .or_default()
                .push(message);
        }
        by_date
            .into_iter()
            .map(|(date, messages)| {
                let mut writer = FileWriter::new(&target.file_schema, &target.settings)?;
                writer.write(&batch(&messages, topic, topic_id, &schema)?)?;
                Ok((date, writer.finish()?))
            })
            .collect()
    }

    pub(super) fn clear(&mut self) {
        self.messages.clear();
        self.bytes = 0;
    }
}

fn first_reason(rejection: &Rejection) -> &'static str {
    rejection.problems.first().map_or("", |p| p.reason.as_str())
}

fn batch(
    messages: &[&Rejected],
    topic: &str,
    topic_id: &str,
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let mut origins = OriginColumns::new(Some(topic_id), messages.len());
    let mut reasons = StringBuilder::new();
    let mut problems = ListBuilder::new(StructBuilder::from_fields(problem_fields(), 0))
        .with_field(problem_item());
    let mut raw = BinaryBuilder::new();
    for message in messages {
        origins.append(message.origin);
        reasons.append_value(first_reason(&message.rejection));
        for problem in &message.rejection.problems {
            let item = problems.values();
            for (column, text) in [
                problem.reason.as_str(),
                problem.field.as_str(),
                problem.detail.as_str(),
            ]
            .into_iter()
            .enumerate()
            {
                if let Some(builder) = item.field_builder::<StringBuilder>(column) {
                    builder.append_value(text);
                }
            }
            item.append(true);
        }
        problems.append(true);
        raw.append_option(message.raw.as_deref());
    }
    let mut columns: Vec<ArrayRef> = vec![constant(Some(topic), messages.len())];
    columns.extend(origins.finish());
    columns.extend([
        Arc::new(reasons.finish()) as ArrayRef,
        Arc::new(problems.finish()),
        Arc::new(raw.finish()),
    ]);
    Ok(RecordBatch::try_new(SchemaRef::clone(schema), columns)?)
}
