//! The markup: what stands in `templates/`, compiled in.

use anyhow::Result;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};
use serde::Serialize;

const TEMPLATES: [(&str, &str); 6] = [
    ("layout.html", include_str!("../templates/layout.html")),
    ("index.html", include_str!("../templates/index.html")),
    ("table.html", include_str!("../templates/table.html")),
    ("lineage.svg", include_str!("../templates/lineage.svg")),
    ("spark.svg", include_str!("../templates/spark.svg")),
    ("bars.svg", include_str!("../templates/bars.svg")),
];
/// The style sheet of every page.
pub(super) const STYLE: &str = include_str!("../templates/style.css");
/// The search on the first page.
pub(super) const SEARCH: &str = include_str!("../templates/search.js");

/// The template engine: escapes everything, and fails on a name that a template has wrong.
pub(super) struct Templates(Environment<'static>);

impl Templates {
    /// Reads them.
    pub(super) fn new() -> Result<Self> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.add_filter("count", |list: &Value| {
            let none = || Error::new(ErrorKind::InvalidOperation, "count is of lists");
            list.len().ok_or_else(none)
        });
        for (name, template) in TEMPLATES {
            environment.add_template(name, template)?;
        }
        Ok(Self(environment))
    }

    /// A template with these values.
    pub(super) fn text(&self, template: &str, context: impl Serialize) -> Result<String> {
        Ok(self.0.get_template(template)?.render(context)?)
    }

    /// The same as a value that other templates put in as it is.
    pub(super) fn markup(&self, template: &str, context: impl Serialize) -> Result<Value> {
        self.text(template, context).map(Value::from_safe_string)
    }
}
