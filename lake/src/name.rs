//! `layer.table`: the name of a table in SQL and its folder in the lake. Parsed here once; elsewhere it is a type.

use std::fmt;

use crate::LakeError;

/// A table's name, for example `gold.some_daily`. Its folder is `<lake>/gold/some_daily`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    layer: String,
    table: String,
}

impl TableName {
    /// Parses `layer.table`. Both parts are lowercase letters, digits and `_`, because they become folder names.
    pub fn parse(text: &str) -> Result<Self, LakeError> {
        match text.split_once('.') {
            Some((layer, table)) if is_plain(layer) && is_plain(table) => Ok(Self {
                layer: layer.into(),
                table: table.into(),
            }),
            _ => Err(LakeError::Invalid(format!(
                "{text:?} is no table name: write layer.table with lowercase letters, digits and _, \
                 such as gold.my_table"
            ))),
        }
    }

    /// The part before the dot: `bronze`, `silver`, `gold`.
    pub fn layer(&self) -> &str {
        &self.layer
    }

    /// The part after the dot.
    pub fn table(&self) -> &str {
        &self.table
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.layer, self.table)
    }
}

fn is_plain(part: &str) -> bool {
    !part.is_empty()
        && part.len() <= 64
        && part
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_two_plain_parts() {
        let name = TableName::parse("gold.user_daily").unwrap();
        assert_eq!((name.layer(), name.table()), ("gold", "user_daily"));
        assert_eq!(name.to_string(), "gold.user_daily");
        for bad in [
            "gold",
            "gold.",
            ".x",
            "gold.a.b",
            "Gold.x",
            "gold.a/b",
            "gold.../x",
            "",
        ] {
            assert!(TableName::parse(bad).is_err(), "{bad}");
        }
    }
}
