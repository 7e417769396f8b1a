//! What a step sends, once it is read.

/// A message that is sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The step as it is written, without its fields: `10:00:05 scroll`.
    pub title: String,
    /// Its fields as they are written.
    pub fields: String,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The time that the step says; of a list that of its newest event; none: now.
    pub time: Option<i64>,
    /// When Kafka received it; none: at its time, but not before the message before it.
    pub arrives: Option<i64>,
    /// The Kafka partition that it is in.
    pub partition: i32,
}
