//! Messages that the contract does not accept: kept byte for byte with every reason, as rows of the quarantine table.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use arrow::array::{
    ArrayRef, BinaryBuilder, Int32Builder, Int64Builder, ListBuilder, RecordBatch, StringBuilder,
    StructBuilder, TimestampMicrosecondArray, TimestampMicrosecondBuilder,
};
use arrow::datatypes::SchemaRef;
use userflow_lake::{EncodedFile, FileWriter};
use userflow_models::bronze::{problem_fields, problem_item};
use userflow_models::decode::Rejection;

use super::buffer::Origin;
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
    pub(super) fn push(&mut self, origin: Origin, raw: Option<&[u8]>, rejection: Rejection) {
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

    /// Drops the messages of a Kafka partition below `position`: an earlier process has stored them already.
    pub(super) fn drop_below(&mut self, partition: i32, position: i64) {
        self.messages
            .retain(|m| m.origin.partition != partition || m.origin.offset >= position);
    }

    /// The messages as one file per date of their Kafka time. They stay here until [`Quarantine::clear`].
    pub(super) fn encode(
        &self,
        topic: &str,
        now_ms: i64,
        target: &Target,
    ) -> Result<Vec<(i32, EncodedFile)>> {
        let mut by_date: BTreeMap<i32, Vec<&Rejected>> = BTreeMap::new();
        for message in &self.messages {
            let days = message.origin.time_ms.unwrap_or(0).div_euclid(86_400_000);
            let date = i32::try_from(days).unwrap_or(0);
            by_date.entry(date).or_default().push(message);
        }
        by_date
            .into_iter()
            .map(|(date, messages)| {
                let mut writer = FileWriter::new(&target.file_schema, &target.settings)?;
                writer.write(&batch(&messages, topic, now_ms, &target.file_schema)?)?;
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
    now_ms: i64,
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let mut topics = StringBuilder::new();
    let mut partitions = Int32Builder::new();
    let mut offsets = Int64Builder::new();
    let mut times = TimestampMicrosecondBuilder::new().with_timezone("UTC");
    let mut reasons = StringBuilder::new();
    let mut problems = ListBuilder::new(StructBuilder::from_fields(problem_fields(), 0))
        .with_field(problem_item());
    let mut raw = BinaryBuilder::new();
    for message in messages {
        topics.append_value(topic);
        partitions.append_value(message.origin.partition);
        offsets.append_value(message.origin.offset);
        times.append_option(message.origin.time_ms.map(|ms| ms * 1_000));
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
    let ingested =
        TimestampMicrosecondArray::from(vec![now_ms * 1_000; messages.len()]).with_timezone("UTC");
    let columns: Vec<ArrayRef> = vec![
        Arc::new(topics.finish()),
        Arc::new(partitions.finish()),
        Arc::new(offsets.finish()),
        Arc::new(times.finish()),
        Arc::new(ingested),
        Arc::new(reasons.finish()),
        Arc::new(problems.finish()),
        Arc::new(raw.finish()),
    ];
    Ok(RecordBatch::try_new(SchemaRef::clone(schema), columns)?)
}
