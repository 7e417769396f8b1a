//! From the places of a sample to columns: their names, their types, and what is left in `extra` for which reason.

use super::field::Field;
use super::fields::Fields;
use super::lists::Lists;
use super::names;
use super::roles::Roles;
use super::times::Form;
use super::words::Role;

/// Columns of one contract: beyond them, the fields that fewest events have stay in `extra`.
const MOST_COLUMNS: usize = 200;
/// Values of a small set.
const SMALL_SET: usize = 20;
/// Decimals beyond which a number is a measurement and no amount.
const MOST_DECIMALS: usize = 9;
/// Names that bronze, or every model, has already.
const TAKEN: [&str; 4] = ["event_date", "event_type", "event_time", "extra"];

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    /// A text, or an integer that is kept as its text.
    Id,
    Whole,
    Decimal {
        precision: usize,
        scale: usize,
    },
    Double,
    Truth,
    Time,
    Date,
    /// Objects with the fields of [`Column::items`].
    List,
}

impl Kind {
    /// The type in the contract.
    pub(crate) fn contract(&self) -> String {
        match self {
            Self::Text => "string".to_owned(),
            Self::Id => "id".to_owned(),
            Self::Time => "timestamp".to_owned(),
            other => other.sql(),
        }
    }

    /// The `data_type` in the `.yml` of a model.
    pub(crate) fn sql(&self) -> String {
        match self {
            Self::Text | Self::Id => "string".to_owned(),
            Self::Whole => "bigint".to_owned(),
            Self::Decimal { precision, scale } => format!("decimal({precision},{scale})"),
            Self::Double => "double".to_owned(),
            Self::Truth => "boolean".to_owned(),
            Self::Time => "timestamp".to_owned(),
            Self::Date => "date".to_owned(),
            Self::List => "list".to_owned(),
        }
    }
}

/// A column of the domain.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) path: Vec<String>,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) role: Option<Role>,
    /// Share of the events that have it, in percent.
    pub(crate) percent: usize,
    /// The values of a small set, most frequent first.
    pub(crate) values: Vec<String>,
    /// Whether it names what users deal with: values that come again and again, and are neither a role nor a small set.
    pub(crate) item: bool,
    /// The fields of an item, for a list.
    pub(crate) items: Vec<Column>,
}

impl Column {
    /// Whether every event must have it.
    pub(crate) fn required(&self) -> bool {
        self.role.is_some_and(|role| role != Role::Session)
    }

    /// Whether the values can be added up: exact, and neither a time, a place nor a measure.
    pub(crate) fn amount_scale(&self) -> Option<usize> {
        let measures = [
            "time",
            "timestamp",
            "ts",
            "at",
            "lat",
            "latitude",
            "lon",
            "lng",
            "longitude",
            "ratio",
            "rate",
            "score",
            "percent",
            "version",
        ];
        let words = names::words(&self.name);
        match self.kind {
            Kind::Decimal { scale, .. } if scale > 0 => {
                let measure = words.iter().any(|word| measures.contains(&word.as_str()));
                (!measure).then_some(scale)
            }
            _ => None,
        }
    }
}

/// A place that is left in `extra`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) pointer: String,
    pub(crate) why: String,
}

/// The columns in the order of the sample, those with a role first; and the places without one.
pub(crate) fn columns(fields: &Fields, lists: &Lists, roles: &Roles) -> (Vec<Column>, Vec<Kept>) {
    let played = |field: &Field| {
        let guesses = [
            (Some(&roles.event_id), Role::EventId),
            (Some(&roles.session), Role::Session),
        ];
        let mut all = vec![
            (&roles.event_type, Role::EventType),
            (&roles.event_time, Role::EventTime),
            (&roles.user, Role::User),
        ];
        for (guess, role) in guesses {
            all.extend(guess.and_then(Option::as_ref).map(|guess| (guess, role)));
        }
        let found = all.iter().find(|(guess, _)| guess.path == field.path);
        found.map(|(_, role)| *role)
    };
    let mut found: Vec<(&Field, Kind, Option<Role>)> = Vec::new();
    let mut kept = Vec::new();
    for field in fields.all() {
        let role = played(field);
        let plain = fields.in_list(field) && field.forms.contains_key(&Form::Plain);
        match kind(field, role) {
            // Inside a list there is nothing that says the zone.
            Ok(Kind::Time) if plain => found.push((field, Kind::Text, role)),
            Ok(kind) => found.push((field, kind, role)),
            Err(_) if lists.at(&field.path).is_some_and(has_columns) && !fields.in_list(field) => {
                found.push((field, Kind::List, role));
            }
            Err(Some(why)) if !fields.is_object(field) => kept.push(Kept {
                pointer: field.pointer(),
                why: why.to_owned(),
            }),
            Err(_) => {}
        }
    }
    found.sort_by_key(|(.., role)| role.is_none());
    if found.len() > MOST_COLUMNS {
        let mut by_share: Vec<usize> = (0..found.len()).collect();
        by_share.sort_by_key(|index| {
            let (field, _, role) = &found[*index];
            (role.is_none(), usize::MAX - field.filled())
        });
        let rare: Vec<usize> = by_share.split_off(MOST_COLUMNS);
        let mut index = 0;
        found.retain(|(field, ..)| {
            let keep = !rare.contains(&index);
            index += 1;
            if !keep {
                kept.push(Kept {
                    pointer: field.pointer(),
                    why: format!(
                        "there are more than {MOST_COLUMNS} fields, and few events have it"
                    ),
                });
            }
            keep
        });
    }
    let mut names = named(&found).into_iter();
    let columns = found.into_iter().map(|(field, kind, role)| {
        let values = match kind {
            Kind::Text if role.is_none() => small_set(field, fields.events),
            _ => Vec::new(),
        };
        Column {
            path: field.path.clone(),
            name: names.next().expect("every column has a name"),
            percent: (100 * field.filled()).div_ceil(fields.events),
            item: role.is_none() && values.is_empty() && is_item(field, &kind, fields.events),
            items: match (&kind, lists.at(&field.path)) {
                (Kind::List, Some(inside)) => items(inside),
                _ => Vec::new(),
            },
            values,
            kind,
            role,
        }
    });
    (columns.collect(), kept)
}

/// Whether the items of a list have fields that a column can have.
fn has_columns(items: &Fields) -> bool {
    items.all().any(|field| kind(field, None).is_ok())
}

/// The fields of the items of a list. What has no type stays in `extra`, with the list around it.
fn items(fields: &Fields) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for field in fields.all().take(MOST_COLUMNS) {
        let Ok(kind) = kind(field, None) else {
            continue;
        };
        let taken: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        columns.push(Column {
            path: field.path.clone(),
            name: names::column_name(&field.path, &taken, false),
            // Inside a list there is nothing that says the zone.
            kind: match kind {
                Kind::Time if field.forms.contains_key(&Form::Plain) => Kind::Text,
                other => other,
            },
            role: None,
            percent: (100 * field.filled()).div_ceil(fields.events),
            values: Vec::new(),
            item: false,
            items: Vec::new(),
        });
    }
    columns
}

/// Names of the columns, in their order. Fields of the event itself choose before those inside objects.
fn named(found: &[(&Field, Kind, Option<Role>)]) -> Vec<String> {
    let mut taken: Vec<String> = TAKEN.map(str::to_owned).into();
    let mut names = vec![String::new(); found.len()];
    let shared = |field: &Field| {
        let same = found
            .iter()
            .filter(|(other, ..)| other.key() == field.key());
        same.count() > 1
    };
    let mut order: Vec<usize> = (0..found.len()).collect();
    order.sort_by_key(|index| {
        let (field, _, role) = &found[*index];
        (role.is_none(), field.path.len() > 1)
    });
    for index in order {
        let (field, _, role) = &found[index];
        names[index] = match role {
            Some(Role::EventType) => "event_type".to_owned(),
            Some(Role::EventTime) => "event_time".to_owned(),
            _ => names::column_name(&field.path, &taken, shared(field)),
        };
        taken.push(names[index].clone());
    }
    names
}

/// Whether the values of a place are names of things.
fn is_item(field: &Field, kind: &Kind, events: usize) -> bool {
    const NO_THING: [&str; 12] = [
        "address",
        "agent",
        "city",
        "country",
        "email",
        "ip",
        "ipaddress",
        "locale",
        "referrer",
        "title",
        "url",
        "version",
    ];
    let words = names::words(field.key());
    let other = words.iter().any(|word| NO_THING.contains(&word.as_str()));
    let by_role = [Role::User, Role::Session, Role::EventId];
    let somebody = by_role.iter().any(|role| role.by_name(field) >= 0.5);
    let again = field.distinct() >= 5 && field.distinct_share() <= 0.9;
    let short = field.longest <= 64 && field.forms.is_empty();
    matches!(kind, Kind::Text | Kind::Id)
        && !other
        && !somebody
        && again
        && short
        && field.filled() * 5 >= events
}

/// The type of a place; or why it has none, nothing for one that no value was seen at.
fn kind(field: &Field, role: Option<Role>) -> Result<Kind, Option<&'static str>> {
    match role {
        Some(Role::EventTime) => return Ok(Kind::Time),
        Some(Role::EventType) => return Ok(Kind::Text),
        Some(_) => return Ok(Kind::Id),
        None => {}
    }
    let Field {
        bools,
        integers,
        floats,
        texts,
        ..
    } = *field;
    if field.lists > 0 {
        return Err(Some("a list"));
    }
    if field.objects > 0 {
        return Err(Some(match field.scalars() {
            0 => "an object with too many different keys",
            _ => "an object in some events and a value in others",
        }));
    }
    let word = names::words(field.key());
    let last = word.last().map_or("", String::as_str);
    let identifies =
        ["id", "uuid", "guid", "sku"].contains(&last) || last.ends_with("id") && last.len() > 4;
    Ok(match (bools > 0, integers > 0, floats > 0, texts > 0) {
        (false, false, false, false) => return Err(Some("always null in the sample")),
        (true, false, false, false) => Kind::Truth,
        (false, true, false, true) => Kind::Id,
        (false, _, false, _) if identifies => Kind::Id,
        (false, true, false, false) if field.whole_digits > 18 => Kind::Decimal {
            precision: 38,
            scale: 0,
        },
        (false, true, false, false) => Kind::Whole,
        (false, _, true, false) => number(field),
        (false, false, false, true) => text(field),
        _ => return Err(Some("values of several types")),
    })
}

fn number(field: &Field) -> Kind {
    let scale = field.decimals.max(2);
    if field.decimals > MOST_DECIMALS || field.whole_digits > 20 {
        return Kind::Double;
    }
    // Room for numbers a thousand times as large.
    let precision = if field.whole_digits + 3 + scale <= 18 {
        18
    } else {
        38
    };
    Kind::Decimal { precision, scale }
}

fn text(field: &Field) -> Kind {
    const ENOUGH: usize = 5;
    let dates = field.forms.get(&Form::Date) == Some(&field.texts);
    let digits = field.forms.contains_key(&Form::Digits);
    match field.texts {
        texts if texts < ENOUGH => Kind::Text,
        _ if dates => Kind::Date,
        _ if field.is_time() && !digits => Kind::Time,
        _ => Kind::Text,
    }
}

/// Whether values should not be copied into files that many people read.
pub(super) fn is_personal(field: &Field) -> bool {
    const PERSONAL: [&str; 9] = [
        "address",
        "agent",
        "email",
        "ip",
        "ipaddress",
        "key",
        "phone",
        "secret",
        "token",
    ];
    let words = names::words(field.key());
    words.iter().any(|word| PERSONAL.contains(&word.as_str()))
}

/// The values of a place with few, most frequent first.
fn small_set(field: &Field, events: usize) -> Vec<String> {
    const FEW: usize = 20;
    let texts = field.scalars() == field.texts && field.forms.is_empty();
    let small = events >= FEW && field.distinct_share() <= 0.2 && field.longest <= 60;
    match &field.listed {
        Some(listed)
            if texts && small && (2..=SMALL_SET).contains(&listed.len()) && !is_personal(field) =>
        {
            let mut values: Vec<(&String, &usize)> = listed.iter().collect();
            values.sort_by_key(|(_, count)| usize::MAX - **count);
            values.into_iter().map(|(value, _)| value.clone()).collect()
        }
        _ => Vec::new(),
    }
}
