//! The URL of a webhook is a secret: who has it can write to the channel.

use userflow_process::secret::SecretString;

/// The URL of an incoming webhook.
#[derive(Clone, Debug)]
pub struct Webhook(pub(super) SecretString);

impl From<String> for Webhook {
    /// Takes any text: a message about a wrong argument would print it, so it is looked at by `Notifier::new`.
    fn from(url: String) -> Self {
        Self(url.into())
    }
}
