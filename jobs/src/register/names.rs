//! The names that `register` writes into SQL. Parsing them lets only plain characters pass, so nothing has to be quoted.

use std::fmt;
use std::str::FromStr;

use anyhow::Result;
use url::Url;
use userflow_lake::TableName;
use userflow_process::exit::WrongSetup;

/// A catalog of Trino.
#[derive(Clone, Debug)]
pub struct CatalogName(String);

impl FromStr for CatalogName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if text.is_empty() || text.len() > 64 || !text.bytes().all(plain) {
            return Err("write lowercase letters, digits and _, such as delta".to_owned());
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for CatalogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The lake as Trino sees it: `local:///lake`, `s3://bucket/prefix`.
#[derive(Clone, Debug)]
pub struct Location(String);

impl FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.:/".contains(&b);
        let known = ["local:///", "s3://"];
        if !known.iter().any(|scheme| text.starts_with(scheme)) || !text.bytes().all(plain) {
            return Err(
                "write local:///folder or s3://bucket/prefix, of letters, digits and _-./ only"
                    .to_owned(),
            );
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Location {
    /// Where deploy/servers/trino has a lake that is a folder; S3 is the same place for everyone.
    pub fn seen(lake: &Url) -> Result<Self> {
        let text = match lake.scheme() {
            "s3" => lake.as_str(),
            _ => "local:///lake",
        };
        let wrong = |error| WrongSetup(format!("the lake {lake} as a --location: {error}"));
        Ok(text.parse().map_err(wrong)?)
    }

    /// Where a table is.
    pub fn of(&self, table: &TableName) -> String {
        format!("{}/{}/{}", self.0, table.layer(), table.table())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_into_sql_needs_no_quotes() {
        for name in ["", "Delta", "d-1", "d'", "d;x", "d.x"] {
            assert!(name.parse::<CatalogName>().is_err(), "{name}");
        }
        for place in [
            "",
            "/lake",
            "file:///lake",
            "local:///la'ke",
            "s3://b/x y",
            "s3://b/x;",
        ] {
            assert!(place.parse::<Location>().is_err(), "{place}");
        }
        let table = TableName::parse("gold.t").unwrap();
        let place: Location = "local:///lake/".parse().unwrap();
        assert_eq!(place.of(&table), "local:///lake/gold/t");
        let seen = |lake: &str| Location::seen(&Url::parse(lake).unwrap()).map(|place| place.0);
        assert_eq!(seen("file:///data/lake/").unwrap(), "local:///lake");
        assert_eq!(seen("s3://b/p/").unwrap(), "s3://b/p");
        assert_eq!(
            userflow_process::exit::code_of(&seen("s3://b/a'b/").unwrap_err(), &[]),
            2
        );
    }
}
