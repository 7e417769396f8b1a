//! From a test as it is written to a [`Check`]: names and arguments are dbt's (and dbt_utils'), `config` is dbt's, `meta` in it ours.

mod arguments;
mod reference;
mod rule;
mod settings;

use super::{Check, Rule};
use crate::project::column::Test;
use crate::project::names::{Names, close};
use arguments::Arguments;
use rule::{KNOWN, RuleReader};
use settings::Settings;

/// Where a test stands.
pub(crate) struct Place<'a> {
    /// The layer of the table.
    pub(crate) layer: &'a str,
    /// What a `ref` or `source` may name.
    pub(crate) names: &'a Names,
    /// The declared columns of the table; `None` when they are declared elsewhere.
    pub(crate) columns: Option<Vec<&'a str>>,
    /// The column under which it stands.
    pub(crate) column: Option<&'a str>,
}

impl Place<'_> {
    /// Reads one test.
    pub(crate) fn read(&self, test: &Test) -> Result<Check, String> {
        let name = test.name.as_str();
        let Some((_, known)) = KNOWN.iter().find(|(known, _)| *known == name) else {
            let near = close(name, KNOWN.iter().map(|(name, _)| *name)).join(", ");
            return Err(format!("unknown test `{name}`; close to it: {near}"));
        };
        let mut arguments = Arguments::new(name, known, &test.arguments)?;
        let settings = Settings::read(name, self.layer, arguments.take("config"))?;
        let reader = RuleReader {
            names: self.names,
            column: self.column,
        };
        let rule = reader.rule(&mut arguments)?;
        arguments.end()?;
        if matches!(rule, Rule::Counts { .. }) && settings.condition.is_some() {
            return Err(format!(
                "test {name}: where belongs into its query, which counts by itself"
            ));
        }
        if let Some(declared) = &self.columns {
            let mut names = rule.columns().into_iter();
            if let Some(column) = names.find(|column| !declared.contains(column)) {
                let near = close(column, declared.iter().copied()).join(", ");
                return Err(format!(
                    "test {name}: unknown column `{column}`; close to it: {near}"
                ));
            }
        }
        let subject = rule.subject();
        let scope = settings
            .condition
            .as_ref()
            .map_or_else(String::new, |condition| format!(" where {condition}"));
        let label = match subject.as_str() {
            // A test with a name is called by it.
            named if matches!(rule, Rule::Counts { .. }) => named.to_owned(),
            "" => format!("{name}{scope}"),
            subject => format!("{name}({subject}){scope}"),
        };
        Ok(Check {
            label,
            rule,
            condition: settings.condition,
            severity: settings.severity,
            threshold: settings.threshold,
            line: test.line,
        })
    }
}
