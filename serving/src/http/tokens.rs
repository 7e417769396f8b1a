//! Who may read: tokens from a file that has only their hashes, each with a rate and the feature services that it is for.
//!
//! ```yaml
//! tokens:
//!   - name: recommender                # in logs instead of the token
//!     sha256: [9f86d0…, 60303a…]       # one, or two while one takes the place of the other
//!     rate: 500                        # requests a second; left out: no limit
//!     services: [webtoon_reader]       # left out: everything
//! ```
//!
//! A token is found by its hash, so how long that takes says nothing about the tokens that there are.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use userflow_models::services::FeatureRef;
use userflow_process::exit::WrongSetup;

use crate::plan::Catalogue;
use crate::refusal::Refusal;

/// Who may read.
pub(crate) enum Access {
    /// Whoever can connect.
    Everybody,
    /// Readers, by the hash of their token.
    Readers(HashMap<[u8; 32], usize>, Vec<Reader>),
}

/// What a token is for.
pub(crate) struct Reader {
    rate: Option<Rate>,
    services: Option<Allowed>,
}

struct Allowed {
    names: HashSet<String>,
    features: HashSet<FeatureRef>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tokens: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    sha256: Vec<String>,
    rate: Option<u32>,
    services: Option<Vec<String>>,
}

impl Access {
    /// Reads the file of tokens.
    pub(crate) fn load(file: Option<&Path>, catalogue: &Catalogue) -> Result<Self, WrongSetup> {
        let Some(file) = file else {
            return Ok(Self::Everybody);
        };
        let wrong = |why: String| WrongSetup(format!("--tokens {}: {why}", file.display()));
        let text =
            std::fs::read_to_string(file).map_err(|e| wrong(format!("cannot be read: {e}")))?;
        Self::parse(&text, catalogue).map_err(wrong)
    }

    fn parse(text: &str, catalogue: &Catalogue) -> Result<Self, String> {
        let written: File = serde_yaml_ng::from_str(text).map_err(|e| e.to_string())?;
        let (mut hashes, mut readers) = (HashMap::new(), Vec::new());
        for token in written.tokens {
            let name = &token.name;
            if token.sha256.is_empty() || token.sha256.len() > 2 {
                return Err(format!(
                    "`{name}`: sha256 is a list of one hash, or of two while one token takes the place of another"
                ));
            }
            for hash in &token.sha256 {
                let bytes = bytes_of(hash).ok_or_else(|| {
                    format!("`{name}`: a hash is 64 hexadecimal digits: printf %s \"$TOKEN\" | sha256sum")
                })?;
                if hashes.insert(bytes, readers.len()).is_some() {
                    return Err(format!("`{name}`: one of its hashes stands twice"));
                }
            }
            let services = token.services.map(|names| allowed(name, names, catalogue));
            if token.rate == Some(0) {
                return Err(format!(
                    "`{name}`: a rate of 0 lets nothing through: leave the token out"
                ));
            }
            readers.push(Reader {
                rate: token.rate.map(Rate::new),
                services: services.transpose()?,
            });
        }
        Ok(Self::Readers(hashes, readers))
    }

    /// Who asks, if that one may ask now.
    pub(super) fn admit(&self, headers: &HeaderMap) -> Result<Option<&Reader>, Refusal> {
        let Self::Readers(hashes, readers) = self else {
            return Ok(None);
        };
        let value = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let token = value.and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        let hash = token.map(|token| <[u8; 32]>::from(Sha256::digest(token)));
        let reader = hash
            .and_then(|hash| hashes.get(&hash))
            .map(|place| &readers[*place]);
        let reader = reader.ok_or_else(Refusal::unknown_reader)?;
        match &reader.rate {
            Some(rate) if !rate.take(Instant::now()) => Err(Refusal::too_many(rate.most)),
            _ => Ok(Some(reader)),
        }
    }
}

fn allowed(reader: &str, names: Vec<String>, catalogue: &Catalogue) -> Result<Allowed, String> {
    let mut features = HashSet::new();
    for name in &names {
        let service = catalogue.services.get(name);
        let service =
            service.ok_or_else(|| format!("`{reader}`: there is no feature service `{name}`"))?;
        features.extend(service.features.iter().cloned());
    }
    Ok(Allowed {
        names: names.into_iter().collect(),
        features,
    })
}

impl Reader {
    /// Whether it may ask for this service.
    pub(super) fn may_use(&self, service: &str) -> bool {
        (self.services.as_ref()).is_none_or(|allowed| allowed.names.contains(service))
    }

    /// Whether it may see this feature: one of its services has it.
    pub(super) fn may_see(&self, feature: &FeatureRef) -> bool {
        (self.services.as_ref()).is_none_or(|allowed| allowed.features.contains(feature))
    }
}

/// Requests of a token: so many a second, and as many at once after a pause.
struct Rate {
    most: u32,
    left: Mutex<(f64, Option<Instant>)>,
}

impl Rate {
    fn new(most: u32) -> Self {
        Self {
            most,
            left: Mutex::new((f64::from(most), None)),
        }
    }

    fn take(&self, now: Instant) -> bool {
        let mut state = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, last) = &mut *state;
        let since = last.map_or(0.0, |last| {
            now.saturating_duration_since(last).as_secs_f64()
        });
        *last = Some(now);
        *left = (*left + since * f64::from(self.most)).min(f64::from(self.most));
        let enough = *left >= 1.0;
        if enough {
            *left -= 1.0;
        }
        enough
    }
}

fn bytes_of(hex: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(hex.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).ok()?;
        *byte = u8::from_str_radix(digits, 16)
            .ok()
            .filter(|_| !digits.contains('+'))?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use userflow_models::services::Readable;

    use super::*;

    fn hash(token: &str) -> String {
        Sha256::digest(token)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect()
    }

    fn access(text: &str) -> Result<Access, String> {
        Access::parse(text, &Catalogue::new(Readable::default()))
    }

    fn asks(access: &Access, value: &str) -> Result<(), u16> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value.parse().unwrap());
        access
            .admit(&headers)
            .map(drop)
            .map_err(|refusal| refusal.status)
    }

    #[test]
    fn both_tokens_of_a_rotation_are_known_and_no_other() {
        let text = format!(
            "tokens: [{{name: a, sha256: [{}, {}]}}]",
            hash("old"),
            hash("new")
        );
        let access = access(&text).unwrap();
        assert_eq!(asks(&access, "Bearer old"), Ok(()));
        assert_eq!(asks(&access, "bearer new"), Ok(()));
        assert_eq!(asks(&access, "Bearer other"), Err(401));
        assert_eq!(asks(&access, "Basic old"), Err(401));
        assert_eq!(asks(&access, &format!("Bearer {}", hash("old"))), Err(401));
        assert_eq!(
            access
                .admit(&HeaderMap::new())
                .map(drop)
                .unwrap_err()
                .status,
            401
        );
    }

    #[test]
    fn a_rate_is_a_second_of_requests_and_no_more() {
        let (rate, now) = (Rate::new(3), Instant::now());
        assert!((0..3).all(|_| rate.take(now)));
        assert!(!rate.take(now));
        assert!(!rate.take(now + Duration::from_millis(300)));
        assert!(rate.take(now + Duration::from_millis(400)));
        assert!(!rate.take(now + Duration::from_millis(401)));
        let later = now + Duration::from_secs(60);
        assert!((0..3).all(|_| rate.take(later)) && !rate.take(later));
    }

    #[test]
    fn a_file_that_is_wrong_is_said_to_be() {
        let three = [hash("a"), hash("b"), hash("c")].join(", ");
        for (text, said) in [
            (
                "tokens: [{name: a, sha256: [abc]}]".to_owned(),
                "64 hexadecimal digits",
            ),
            (
                format!("tokens: [{{name: a, sha256: [{three}]}}]"),
                "one hash, or of two",
            ),
            (
                "tokens: [{name: a, sha256: []}]".to_owned(),
                "one hash, or of two",
            ),
            (
                "tokens: [{name: a, token: secret}]".to_owned(),
                "unknown field",
            ),
            (
                format!(
                    "tokens: [{{name: a, sha256: [{}], services: [x]}}]",
                    hash("a")
                ),
                "no feature service `x`",
            ),
            (
                format!("tokens: [{{name: a, sha256: [{}], rate: 0}}]", hash("a")),
                "a rate of 0",
            ),
            (
                format!("tokens: [{{name: a, sha256: [{0}, {0}]}}]", hash("a")),
                "stands twice",
            ),
        ] {
            let error = access(&text).err().unwrap();
            assert!(error.contains(said), "{error}");
        }
    }
}
