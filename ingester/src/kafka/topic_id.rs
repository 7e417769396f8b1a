//! The topic's id (KIP-516), which tells a re-created topic from the one before it.
#![expect(
    unsafe_code,
    reason = "rdkafka 0.39 has no DescribeTopics; this calls librdkafka's directly"
)]

use std::ffi::{CStr, CString};
use std::ptr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rdkafka::bindings as sys;
use rdkafka::bindings::rd_kafka_resp_err_t as Code;
use rdkafka::client::{Client, ClientContext};

/// What stands for the id of a topic whose broker does not tell it.
pub(super) use userflow_models::bronze::NO_TOPIC_ID as UNKNOWN;

/// The id of a topic as text; nothing if there is no such topic.
///
/// Only a broker that says that it cannot tell (Kafka before 2.8) gives [`UNKNOWN`]. An error is an error: positions are
/// kept under the id, so taking a timeout for "no id" would read the whole topic a second time.
pub(super) fn of<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    timeout: Duration,
) -> Result<Option<String>> {
    let name = CString::new(topic).context("topic names have no NUL byte")?;
    let mut names = [name.as_ptr()];
    let millis = i32::try_from(timeout.as_millis()).context("nobody waits for 24 days")?;
    // SAFETY: `names` holds one valid C string that outlives the call, which copies it; every object that librdkafka
    // hands out is destroyed exactly once below, after its last use; the id's text is copied before its owner goes.
    unsafe {
        let client = client.native_ptr();
        let topics = sys::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        let queue = sys::rd_kafka_queue_new(client);
        sys::rd_kafka_DescribeTopics(client, topics, ptr::null(), queue);
        let event = sys::rd_kafka_queue_poll(queue, millis);
        let mut found = None;
        let mut code = Code::RD_KAFKA_RESP_ERR__TIMED_OUT;
        if !event.is_null() {
            code = sys::rd_kafka_event_error(event);
            let result = sys::rd_kafka_event_DescribeTopics_result(event);
            if code == Code::RD_KAFKA_RESP_ERR_NO_ERROR && !result.is_null() {
                let mut count = 0;
                let list = sys::rd_kafka_DescribeTopics_result_topics(result, &mut count);
                if count == 1 && !list.is_null() {
                    // A topic's own error (not authorised, no leader yet) comes inside a successful answer.
                    code = sys::rd_kafka_error_code(sys::rd_kafka_TopicDescription_error(*list));
                    found = id_of(*list);
                }
            }
            sys::rd_kafka_event_destroy(event);
        }
        sys::rd_kafka_queue_destroy(queue);
        sys::rd_kafka_TopicCollection_destroy(topics);
        match (code, found) {
            (Code::RD_KAFKA_RESP_ERR_NO_ERROR, Some(id)) => Ok(Some(id)),
            (
                Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
                | Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID,
                _,
            ) => Ok(None),
            (
                Code::RD_KAFKA_RESP_ERR_NO_ERROR
                | Code::RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE
                | Code::RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION,
                _,
            ) => Ok(Some(UNKNOWN.to_owned())),
            (code, _) => {
                let said = CStr::from_ptr(sys::rd_kafka_err2str(code)).to_string_lossy();
                bail!(
                    "ask for the id of topic {topic}: {said} (a development broker has none: --no-topic-id)"
                )
            }
        }
    }
}

/// # Safety
/// `description` is null or a valid topic description.
unsafe fn id_of(description: *const sys::rd_kafka_TopicDescription_t) -> Option<String> {
    if description.is_null() {
        return None;
    }
    // SAFETY: the description is valid (the caller's promise), and so are the id and its text as long as it is.
    unsafe {
        let id = sys::rd_kafka_TopicDescription_topic_id(description);
        if id.is_null() {
            return None;
        }
        let text = sys::rd_kafka_Uuid_base64str(id);
        if text.is_null() {
            return None;
        }
        let text = CStr::from_ptr(text).to_string_lossy().into_owned();
        // All zeros is how Kafka writes "no id".
        (!text.is_empty() && !text.bytes().all(|b| b == b'A')).then_some(text)
    }
}
