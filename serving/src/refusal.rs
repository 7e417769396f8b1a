//! What a client is told instead of features: the status, Feast's class for it, and the fix. A fault of the client is never a 500.
//!
//! Not here: how it is written on the wire (`http/errors`).

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The HTTP status.
    pub(crate) status: u16,
    /// A class of `feast.errors`, which Feast's client raises.
    pub(crate) class: &'static str,
    /// What is wrong, and what to do about it.
    pub(crate) message: String,
    /// When to come again, in seconds.
    pub(crate) retry_after: Option<u64>,
}

impl Refusal {
    fn new(status: u16, class: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            class,
            message: message.into(),
            retry_after: None,
        }
    }

    /// 400: what was sent cannot be read, or contradicts itself.
    pub(crate) fn bad(class: &'static str, message: impl Into<String>) -> Self {
        Self::new(400, class, message)
    }

    /// 404: there is nothing of this name.
    pub(crate) fn not_found(class: &'static str, message: impl Into<String>) -> Self {
        Self::new(404, class, message)
    }

    /// 422: it can be read, and is not what can be answered.
    pub(crate) fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(422, "FeastError", message)
    }

    /// 422: a join key is missing.
    pub(crate) fn missing_key(message: impl Into<String>) -> Self {
        Self::new(422, "RequestDataNotFoundInEntityRowsException", message)
    }

    /// 401: no token, or none that is known.
    pub(crate) fn unknown_reader() -> Self {
        let message = "a read token is needed: send `Authorization: Bearer TOKEN`";
        Self::new(401, "FeastPermissionError", message)
    }

    /// 403: not for this reader.
    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(403, "FeastPermissionError", message)
    }

    /// 413: the body is too large.
    pub(crate) fn too_large(most: usize) -> Self {
        let message =
            format!("the body is larger than {most} bytes: ask for fewer entities at a time");
        Self::new(413, "FeastError", message)
    }

    /// 408: the client was too slow.
    pub(crate) fn too_slow() -> Self {
        Self::new(408, "FeastError", "the request did not arrive in time")
    }

    /// 429: more than the token allows.
    pub(crate) fn too_many(rate: u32) -> Self {
        let message = format!("more than the {rate} requests a second of this token");
        Self {
            retry_after: Some(1),
            ..Self::new(429, "FeastError", message)
        }
    }

    /// 503: not now.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self {
            retry_after: Some(1),
            ..Self::new(503, "FeastError", message)
        }
    }
}
