//! A token of OAUTHBEARER, read from a file that something else keeps up to date.

use std::path::Path;

use anyhow::{Context as _, Result};
use base64::alphabet;
use base64::engine::{DecodePaddingMode, Engine as _, GeneralPurpose, GeneralPurposeConfig};
use rdkafka::client::OAuthToken;

/// Reads a JSON Web Token. Whether it is good is for the brokers to say; here are only its end and its owner, which librdkafka asks for.
pub(super) fn read(file: &Path) -> Result<OAuthToken> {
    let name = file.display();
    let text =
        std::fs::read_to_string(file).with_context(|| format!("read --kafka-token-file {name}"))?;
    let token = text.trim();
    let claims = claims(token)
        .with_context(|| format!("--kafka-token-file {name} holds no JSON Web Token"))?;
    let seconds = claims["exp"]
        .as_f64()
        .with_context(|| format!("the token in {name} has no end (exp)"))?;
    Ok(OAuthToken {
        token: token.to_owned(),
        principal_name: claims["sub"].as_str().unwrap_or("userflow").to_owned(),
        lifetime_ms: (seconds * 1_000.0) as i64,
    })
}

/// The middle part of a token.
fn claims(token: &str) -> Result<serde_json::Value> {
    let part = token.split('.').nth(1).context("it has no three parts")?;
    Ok(serde_json::from_slice(&BASE64_URL.decode(part)?)?)
}

/// The alphabet of tokens (RFC 7515), with or without padding.
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tokens_end_and_owner_are_read_from_its_claims() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        // {"alg":"none"} and {"sub":"ünser","exp":1793534400.5}
        std::fs::write(
            &file,
            "eyJhbGciOiJub25lIn0.eyJzdWIiOiLDvG5zZXIiLCJleHAiOjE3OTM1MzQ0MDAuNX0.\n",
        )
        .unwrap();
        let token = read(&file).unwrap();
        assert!(token.token.ends_with("NX0."));
        assert_eq!(token.principal_name, "ünser");
        assert_eq!(token.lifetime_ms, 1_793_534_400_500);
    }

    #[test]
    fn what_is_no_token_is_told_without_its_text() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        for text in ["", "secret", "a.secret!.c", "a.eyJzdWIiOiJ4In0.c"] {
            std::fs::write(&file, text).unwrap();
            let said = format!("{:#}", read(&file).err().unwrap());
            assert!(said.contains("token") && !said.contains("secret"), "{said}");
        }
    }
}
