//! One column of a contract: its type, where its value is found in a message and what the value must satisfy.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};

use super::place::Place;
use super::tree::Tree;
use super::unit::Unit;
use super::zone::Zone;
use crate::error::ConfigError;
use crate::number;

/// One column of the decoded events.
#[derive(Debug, Clone)]
pub struct Column {
    /// The column's name in bronze.
    pub name: String,
    /// The type of its values.
    pub column_type: ColumnType,
    /// What the contract says about the field, or "".
    pub description: String,
    /// Where the value is looked for, in this order; the first one that is present and not null wins.
    pub sources: Vec<Source>,
    /// When a message without a value is refused.
    pub presence: Presence,
    /// The fields of an item, for a column of type list: columns whose places are inside the item.
    pub items: Vec<Column>,
    /// What holds in one dialect and not in another, in words.
    pub(crate) notes: Vec<String>,
    pub(crate) checks: Checks,
}

impl Column {
    /// A column that no place of a message fills.
    pub(super) fn new(
        name: &str,
        column_type: ColumnType,
        description: &str,
        items: Vec<Self>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            column_type,
            description: description.to_owned(),
            sources: Vec::new(),
            presence: Presence::Optional,
            items,
            notes: Vec::new(),
            checks: Checks::default(),
        }
    }

    /// What a value must satisfy for its message to be accepted, in words, each rule on its own.
    pub fn rules(&self) -> Vec<String> {
        let checks = &self.checks;
        let presence = match &self.presence {
            Presence::Optional => None,
            Presence::Required => Some("required".to_owned()),
            Presence::RequiredIn(path) => Some(format!("required in /{}", path.join("/"))),
        };
        let known =
            (!checks.known.is_empty()).then(|| format!("one of {}", checks.known.join(", ")));
        let low = checks.low.as_ref().map(|bound| match bound.inclusive {
            true => format!("at least {}", bound.text),
            false => format!("more than {}", bound.text),
        });
        let high = checks.high.as_ref().map(|bound| match bound.inclusive {
            true => format!("at most {}", bound.text),
            false => format!("less than {}", bound.text),
        });
        let stored = checks.values.iter();
        let stored = stored.map(|(from, to)| format!("{from} is stored as {to}"));
        [presence, known, low, high]
            .into_iter()
            .flatten()
            .chain(stored)
            .chain(self.notes.iter().cloned())
            .collect()
    }

    /// The Arrow type of the decoded column.
    pub fn arrow(&self) -> DataType {
        match self.column_type {
            ColumnType::String | ColumnType::Id => DataType::Utf8,
            ColumnType::Double => DataType::Float64,
            ColumnType::BigInt => DataType::Int64,
            ColumnType::Decimal { precision, scale } => {
                DataType::Decimal128(precision, i8::try_from(scale).expect("at most 38 decimals"))
            }
            ColumnType::Boolean => DataType::Boolean,
            ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            ColumnType::Date => DataType::Date32,
            ColumnType::List => {
                let fields = self.items.iter();
                let fields = fields.map(|item| Field::new(&item.name, item.arrow(), true));
                let item = DataType::Struct(fields.collect::<Fields>());
                DataType::List(Arc::new(Field::new("element", item, true)))
            }
        }
    }
}

/// One place of a message in which a column's value may stand.
#[derive(Debug, Clone)]
pub struct Source {
    /// The JSON pointer, as in `/context/device/type`.
    pub pointer: String,
    pub(crate) path: Vec<String>,
    /// The value at `path` is JSON of its own, an object or its text, and the column's value is at this path in it.
    pub(crate) inside: Option<Vec<String>>,
    /// The value at `path` is a list of keys and values, and the column's value is that of one key; `inside` is then the key.
    pub(crate) pair: Option<Pair>,
    pub(crate) accepts: Accepts,
    /// `format: date-time`: the text must be RFC 3339 with an offset.
    pub(crate) date_time: bool,
    /// `format: x-time`: a time as people write it.
    pub(crate) written_time: bool,
    /// What a number counts, where it is a time.
    pub(crate) unit: Unit,
    /// The contract has a property here, not only an alias: what is around it must be objects.
    pub(crate) declared: bool,
}

/// Where the value of a column stands in a list of keys and values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    /// Of the key, in an item.
    pub(crate) key: Vec<String>,
    /// What the key is.
    pub(crate) of: String,
    /// Where the value may stand in an item, in this order.
    pub(crate) values: Vec<Vec<String>>,
}

/// The JSON types that may stand at a [`Source`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Accepts {
    pub(crate) text: bool,
    pub(crate) number: bool,
    /// Numbers with a fraction as well, where integers are the rule.
    pub(crate) fraction: bool,
    pub(crate) boolean: bool,
    pub(crate) object: bool,
    pub(crate) list: bool,
    pub(crate) null: bool,
}

/// When a column must have a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// Never.
    Optional,
    /// In every message.
    Required,
    /// In every message that has the object at this path (its keys, from the root).
    RequiredIn(Vec<String>),
}

/// What a value must satisfy beyond its type.
#[derive(Debug, Clone, Default)]
pub(crate) struct Checks {
    pub(crate) low: Option<Bound>,
    pub(crate) high: Option<Bound>,
    /// Texts that are stored as another text: `view` as `page_view`.
    pub(crate) values: Vec<(String, String)>,
    /// The only texts accepted, as they come. Empty: any.
    pub(crate) known: Vec<String>,
    pub(crate) default_zone: Option<Zone>,
    /// `minLength: 1`. The decoder takes an empty text for no text wherever the column is required, with or without it.
    pub(crate) not_empty: bool,
}

/// A limit of a number, kept as text so that it can be compared exactly in the units of the column.
#[derive(Debug, Clone)]
pub(crate) struct Bound {
    pub(crate) text: String,
    pub(crate) inclusive: bool,
}

/// The type of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// Text, as it came.
    String,
    /// An identifier: text, or an integer kept as its decimal text.
    Id,
    /// A 64 bit float.
    Double,
    /// A 64 bit integer.
    BigInt,
    /// An exact number: digits beyond the scale are cut off.
    Decimal {
        /// Digits in all.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// true or false.
    Boolean,
    /// An instant, UTC, microseconds cut to milliseconds.
    Timestamp,
    /// A calendar date.
    Date,
    /// A list of objects with the fields of [`Column::items`].
    List,
}

impl ColumnType {
    pub(super) fn parse(text: &str, place: &Place<'_>) -> Result<Self, ConfigError> {
        Ok(match text {
            "string" => Self::String,
            "id" => Self::Id,
            "double" => Self::Double,
            "bigint" => Self::BigInt,
            "boolean" => Self::Boolean,
            "timestamp" => Self::Timestamp,
            "date" => Self::Date,
            "list" => Self::List,
            other => decimal(other).ok_or_else(|| {
                place.error(format!(
                    "unknown type `{other}`: use string, id, double, bigint, decimal(p,s) with s <= p <= 38, boolean, timestamp, date or list"
                ))
            })?,
        })
    }

    pub(crate) fn is_number(self) -> bool {
        matches!(self, Self::Double | Self::BigInt | Self::Decimal { .. })
    }

    /// Everything that the decoder can turn into this type.
    pub(super) fn accepts(self) -> Accepts {
        let (text, number) = match self {
            Self::String | Self::Date => (true, false),
            Self::Id | Self::Timestamp => (true, true),
            Self::Double | Self::BigInt | Self::Decimal { .. } => (false, true),
            Self::Boolean | Self::List => (false, false),
        };
        Accepts {
            text,
            number,
            fraction: false,
            boolean: self == Self::Boolean,
            object: false,
            list: self == Self::List,
            null: true,
        }
    }

    /// The JSON Schema types that a property with this column may have, besides `null`.
    fn schema_types(self) -> &'static [&'static str] {
        match self {
            Self::String | Self::Date => &["string"],
            Self::Id | Self::Timestamp => &["string", "integer"],
            Self::Double | Self::Decimal { .. } => &["number"],
            Self::BigInt => &["integer"],
            Self::Boolean => &["boolean"],
            Self::List => &["array"],
        }
    }

    /// Reads the `type` of a property and checks it against the type of the column.
    pub(super) fn accepts_of(
        self,
        property: &Tree,
        place: &Place<'_>,
    ) -> Result<Accepts, ConfigError> {
        let Some(types) = property.get("type") else {
            let types = self.schema_types().join("`, `");
            return Err(place.error(format!(
                "missing `type`: a column of this type needs `{types}`"
            )));
        };
        let place = place.key("type");
        let types = match types {
            Tree::Text(one) => vec![one.clone()],
            several => several.texts(&place)?,
        };
        let mut accepts = Accepts::default();
        for name in &types {
            // Only a time in numbers may have a fraction; only a text of JSON may be an object instead.
            let more = match name.as_str() {
                "number" => self == Self::Timestamp,
                "object" => self == Self::String && property.get("x-json").is_some(),
                other => other == "null",
            };
            if !more && !self.schema_types().contains(&name.as_str()) {
                let wanted = self.schema_types().join("`, `");
                return Err(place.error(format!(
                    "`{name}` does not fit the column's type: use `{wanted}` (and `null` if it is optional)"
                )));
            }
            match name.as_str() {
                "null" => accepts.null = true,
                "string" => accepts.text = true,
                "boolean" => accepts.boolean = true,
                "object" => accepts.object = true,
                "array" => accepts.list = true,
                "number" => (accepts.number, accepts.fraction) = (true, true),
                _ => accepts.number = true,
            }
        }
        if accepts
            == (Accepts {
                null: true,
                ..Accepts::default()
            })
        {
            return Err(place.error("no type but null: the column would always be empty"));
        }
        Ok(accepts)
    }
}

fn decimal(text: &str) -> Option<ColumnType> {
    let inside = text.strip_prefix("decimal(")?.strip_suffix(')')?;
    let (precision, scale) = inside.split_once(',')?;
    let precision = precision.trim().parse().ok()?;
    let scale = scale.trim().parse().ok()?;
    let valid = (1..=38).contains(&precision) && scale <= precision;
    valid.then_some(ColumnType::Decimal { precision, scale })
}

impl Bound {
    /// Reads a bound and makes sure that it can be compared with values of the column.
    pub(super) fn parse(
        value: &Tree,
        inclusive: bool,
        column_type: ColumnType,
        place: &Place<'_>,
    ) -> Result<Self, ConfigError> {
        let Tree::Number(text) = value else {
            return Err(place.error(format!("expected a number, found {value}")));
        };
        let bound = Self {
            text: text.clone(),
            inclusive,
        };
        let scale = match column_type {
            ColumnType::Decimal { scale, .. } => scale,
            _ => 0,
        };
        let exact = number::exact(text.as_bytes(), scale).filter(|exact| !exact.inexact);
        if column_type != ColumnType::Double && exact.is_none() {
            return Err(place.error(format!("`{text}` has more digits than the column keeps")));
        }
        Ok(bound)
    }
}
