//! The URL of a webhook is a secret: who has it can write to the channel.

use std::fmt;

/// The URL of an incoming webhook.
#[derive(Clone)]
pub struct Webhook(pub(super) String);

impl From<String> for Webhook {
    /// Takes any text: a message about a wrong argument would print it, so it is looked at by `Notifier::new`.
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Webhook(..)")
    }
}
