//! The `if` of a contract: what a message contains, in the few words of JSON Schema that the decoder evaluates exactly as a validator does.

use super::place::Place;
use super::pointer::pointer_of;
use super::tree::Tree;
use crate::error::ConfigError;

const IF: [&str; 4] = ["required", "properties", "anyOf", "not"];
const TEST: [&str; 5] = ["type", "const", "enum", "required", "properties"];

/// Something that a message does or does not satisfy. Paths are the keys from the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Each of these.
    All(Vec<Condition>),
    /// One of these at least.
    Any(Vec<Condition>),
    /// Not this.
    Not(Box<Condition>),
    /// The key is there, whatever its value.
    Present(Vec<String>),
    /// The value is of one of these JSON types.
    Type(Vec<String>, Vec<Type>),
    /// The value is one of these texts.
    Text(Vec<String>, Vec<String>),
}

/// A JSON type that a condition can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Text,
    Number,
    Boolean,
    Object,
    List,
    Null,
}

impl Condition {
    /// Reads the `if` of the message. `always` says of a path whether every message has a value there.
    pub(super) fn parse(
        tree: &Tree,
        place: &Place<'_>,
        always: &dyn Fn(&[String]) -> bool,
    ) -> Result<Self, ConfigError> {
        Self::object(tree, &[], place, always)
    }

    fn object(
        tree: &Tree,
        path: &[String],
        place: &Place<'_>,
        always: &dyn Fn(&[String]) -> bool,
    ) -> Result<Self, ConfigError> {
        known(tree, if path.is_empty() { &IF } else { &TEST }, place)?;
        let mut all = Vec::new();
        let below = |name: &str| [path, &[name.to_owned()]].concat();
        let required = match tree.get("required") {
            Some(names) => names.texts(&place.key("required"))?,
            None => Vec::new(),
        };
        all.extend(required.iter().map(|name| Self::Present(below(name))));
        if let Some(properties) = tree.get("properties") {
            let place = place.key("properties");
            for (name, test) in properties.object(&place)? {
                let place = place.key(name);
                let path = below(name);
                if !required.contains(name) && !always(&path) {
                    return Err(place.error(format!(
                        "without a value at {} a validator takes this for true: list `{name}` in the `required` beside it",
                        pointer_of(&path)
                    )));
                }
                all.push(Self::test(test, &path, &place, always)?);
            }
        }
        if let Some(branches) = tree.get("anyOf") {
            let place = place.key("anyOf");
            let branches = branches.list(&place)?.iter().enumerate();
            let branches: Result<Vec<Self>, ConfigError> = branches
                .map(|(index, branch)| Self::object(branch, path, &place.index(index), always))
                .collect();
            all.push(Self::Any(branches?));
        }
        if let Some(not) = tree.get("not") {
            let not = Self::object(not, path, &place.key("not"), always)?;
            all.push(Self::Not(Box::new(not)));
        }
        if all.is_empty() {
            return Err(
                place.error("says nothing: use required, or properties with const, enum or type")
            );
        }
        Ok(Self::All(all))
    }

    fn test(
        tree: &Tree,
        path: &[String],
        place: &Place<'_>,
        always: &dyn Fn(&[String]) -> bool,
    ) -> Result<Self, ConfigError> {
        known(tree, &TEST, place)?;
        let mut all = Vec::new();
        if let Some(types) = tree.get("type") {
            let place = place.key("type");
            let names = match types {
                Tree::Text(one) => vec![one.clone()],
                several => several.texts(&place)?,
            };
            let types: Result<Vec<Type>, ConfigError> =
                names.iter().map(|name| Type::parse(name, &place)).collect();
            all.push(Self::Type(path.to_vec(), types?));
        }
        if let Some(text) = tree.get("const") {
            let text = text.text(&place.key("const"))?.to_owned();
            all.push(Self::Text(path.to_vec(), vec![text]));
        }
        if let Some(texts) = tree.get("enum") {
            all.push(Self::Text(path.to_vec(), texts.texts(&place.key("enum"))?));
        }
        if tree.get("required").is_some() || tree.get("properties").is_some() {
            if !matches!(all.first(), Some(Self::Type(_, types)) if types == &[Type::Object]) {
                return Err(place.error("what is asked of the members of an object needs \"type\": \"object\" beside it"));
            }
            let members: Vec<(String, Tree)> = (tree.object(place)?.iter())
                .filter(|(key, _)| key == "required" || key == "properties")
                .cloned()
                .collect();
            all.push(Self::object(&Tree::Object(members), path, place, always)?);
        }
        if all.is_empty() {
            return Err(place.error("says nothing: use const, enum or type"));
        }
        Ok(Self::All(all))
    }

    /// Every path that is looked at.
    pub(crate) fn paths(&self) -> Vec<&[String]> {
        match self {
            Self::All(inner) | Self::Any(inner) => inner.iter().flat_map(Self::paths).collect(),
            Self::Not(inner) => inner.paths(),
            Self::Present(path) | Self::Type(path, _) | Self::Text(path, _) => vec![path],
        }
    }

    /// The texts that the condition asks for, for a person.
    pub(super) fn texts(&self) -> Vec<&str> {
        match self {
            Self::All(inner) | Self::Any(inner) => inner.iter().flat_map(Self::texts).collect(),
            Self::Text(_, texts) => texts.iter().map(String::as_str).collect(),
            Self::Not(_) | Self::Present(_) | Self::Type(..) => Vec::new(),
        }
    }
}

impl Type {
    fn parse(name: &str, place: &Place<'_>) -> Result<Self, ConfigError> {
        Ok(match name {
            "string" => Self::Text,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            "object" => Self::Object,
            "array" => Self::List,
            "null" => Self::Null,
            other => {
                return Err(place.error(format!(
                    "`{other}` cannot be asked for: use string, number, boolean, object, array or null"
                )));
            }
        })
    }
}

fn known(tree: &Tree, known: &[&str], place: &Place<'_>) -> Result<(), ConfigError> {
    super::keyword::known_keywords(tree.object(place)?, known, place)
}
