//! Secrets: a type that never prints, and where one comes from.

use std::path::Path;

use anyhow::Result;
pub use secrecy::{ExposeSecret, SecretString};

use crate::exit::WrongSetup;

/// Reads a secret from a file or, without one, from a variable; never from the command line, which every user of a machine can read.
pub fn read(variable: &str, file: Option<&Path>) -> Result<Option<SecretString>> {
    if let Some(file) = file {
        let text = std::fs::read_to_string(file)
            .map_err(|e| WrongSetup(format!("read the password file {}: {e}", file.display())))?;
        return Ok(Some(text.trim_end_matches(['\r', '\n']).into()));
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "a flag of clap would take the secret from the command line too"
    )]
    let value = std::env::var(variable).ok();
    Ok(value.filter(|value| !value.is_empty()).map(Into::into))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_file_ends_without_its_line_end() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), " with space \r\n").unwrap();
        let secret = read("USERFLOW_NO_SUCH_VARIABLE", Some(file.path())).unwrap();
        let secret = secret.unwrap();
        assert_eq!(secret.expose_secret(), " with space ");
        assert!(!format!("{secret:?}").contains("with space"));
        let missing = read("X", Some(Path::new("/no/such/file"))).unwrap_err();
        assert!(missing.is::<WrongSetup>());
    }
}
