//! What identifies a line of a file that `load` landed. A file is what it holds: the same bytes under another name, or compressed in
//! another way, are the same content, and a content is landed once.

use sha2::{Digest, Sha256};

/// How the id of a content begins. No id of a Kafka topic has a colon.
const SCHEME: &str = "sha256:";

/// The id of a content whose bytes, uncompressed, have been hashed: `sha256:` and what `sha256sum` prints.
pub fn content_id(hash: Sha256) -> String {
    let mut id = SCHEME.to_owned();
    for byte in hash.finalize() {
        id.push_str(&format!("{byte:02x}"));
    }
    id
}

/// The `_topic_id` of the lines of a content that was read under a name.
pub fn content_topic_id(content: &str, file: &str) -> String {
    format!("{content} {file}")
}

/// The id of the content, if this `_topic_id` is that of a line of a file.
pub fn content_of(topic_id: &str) -> Option<&str> {
    topic_id.strip_prefix(SCHEME)?;
    topic_id.split(' ').next()
}

/// The application id under which both tables keep how far a content was landed: its version is the next line, from 1. It is no
/// position of a topic, so nothing that looks for those finds it.
pub fn content_position(content: &str) -> String {
    format!("userflow-load/{content}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_is_found_in_the_id_of_its_lines() {
        let mut hash = Sha256::new();
        hash.update(b"hello\n");
        let id = content_id(hash);
        // `echo hello | sha256sum`
        let known = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        assert_eq!(id, format!("sha256:{known}"));
        let topic_id = content_topic_id(&id, "in/a day.jsonl.gz");
        assert_eq!(topic_id, format!("sha256:{known} in/a day.jsonl.gz"));
        assert_eq!(content_of(&topic_id), Some(&*id));
        for kafka in ["7VaFoxpGSAOzvgQiNXNR/Q", "-", ""] {
            assert_eq!(content_of(kafka), None);
        }
        assert_eq!(content_position(&id), format!("userflow-load/{id}"));
    }
}
