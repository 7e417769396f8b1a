//! The tables that the ingester writes, from the contract.

use arrow::datatypes::DataType;
use userflow_models::bronze::{self, BronzeTable};
use userflow_models::contract::{Contract, INDEX};
use userflow_models::project::PARTITION_COLUMN;

use super::entry::{Column, Entry, Home, Rule, group};
use super::file;

/// The events of a domain.
pub(super) fn events(contract: &Contract, topic: &str) -> Entry {
    let table = &bronze::events(contract);
    let columns = of_schema(table).map(|mut column| {
        if let Some(field) = contract
            .columns()
            .iter()
            .find(|field| field.name == column.name)
        {
            let places = field
                .sources
                .iter()
                .map(|source| format!("`{}`", source.pointer));
            let places = places.collect::<Vec<_>>().join(", else ");
            let places = match places.as_str() {
                "" => "in no message: derived from other fields".to_owned(),
                places => format!("in messages: {places}"),
            };
            column.description = match field.description.as_str() {
                "" => places,
                text => format!("{text}; {places}"),
            };
            column.tests = field.rules().into_iter().map(Rule::in_words).collect();
        } else if column.name == contract.partition() {
            column.description = format!("UTC date of {}", contract.event_time());
        }
        column
    });
    Entry {
        columns: columns.collect(),
        facts: facts(contract),
        ..of_bronze(table, contract, topic)
    }
}

fn facts(contract: &Contract) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("Event types", contract.event_types().join(", ")),
        ("Key of the topic", contract.key().to_owned()),
        ("Event time", contract.event_time().to_owned()),
    ];
    let dialects = contract.dialects();
    if !dialects.is_empty() {
        facts.push(("Dialects", dialects.join(", ")));
    }
    let envelopes: Vec<&str> = contract.envelopes().iter().map(|one| one.name()).collect();
    if !envelopes.is_empty() {
        facts.push(("Envelopes", envelopes.join(", ")));
    }
    let place = "an event is its place in Kafka (topic, partition, offset), so an event that is sent again is another row and counts again";
    match (contract.event_id(), contract.without_event_id().as_slice()) {
        (Some(id), []) => facts.push(("Repeats", format!("told by {id}"))),
        (Some(id), without) => facts.push((
            "Repeats",
            format!(
                "told by {id}; in the dialect {} there is none: {place}",
                without.join(" and ")
            ),
        )),
        (None, _) => facts.push(("Repeats", format!("cannot be told: without an id {place}"))),
    }
    facts
}

/// The messages that were refused.
pub(super) fn quarantine(contract: &Contract, topic: &str) -> Entry {
    let table = &bronze::quarantine(contract);
    let mut entry = of_bronze(table, contract, topic);
    entry.waits_for = Some(bronze::events(contract).name);
    for column in entry
        .columns
        .iter_mut()
        .filter(|column| column.name == PARTITION_COLUMN)
    {
        column.description = format!("UTC date of {}", bronze::KAFKA_TIME);
    }
    entry
}

fn of_bronze(table: &BronzeTable, contract: &Contract, topic: &str) -> Entry {
    Entry {
        name: table.name.clone(),
        group: group(&table.name),
        home: Home::Lake,
        description: table.description.clone(),
        grain: (bronze::IDENTITY.into_iter())
            .chain(table.schema.field_with_name(INDEX).is_ok().then_some(INDEX))
            .map(str::to_owned)
            .collect(),
        columns: of_schema(table).collect(),
        tests: Vec::new(),
        facts: Vec::new(),
        reads: vec![topic.to_owned()],
        file: file::contract(contract),
        definition: None,
        waits_for: None,
    }
}

fn of_schema(table: &BronzeTable) -> impl Iterator<Item = Column> {
    table.schema.fields().iter().map(|field| Column {
        name: field.name().clone(),
        data_type: type_name(field.data_type()),
        description: bronze::meaning(field.name()).to_owned(),
        tests: Vec::new(),
    })
}

/// An Arrow type in the words of the `.yml` files.
fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 => "string".into(),
        DataType::Int64 => "bigint".into(),
        DataType::Int32 => "integer".into(),
        DataType::Float64 => "double".into(),
        DataType::Boolean => "boolean".into(),
        DataType::Date32 => "date".into(),
        DataType::Timestamp(..) => "timestamp".into(),
        DataType::Binary => "binary".into(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        DataType::List(item) => format!("list of {}", type_name(item.data_type())),
        DataType::Struct(fields) => {
            let field = |field: &arrow::datatypes::FieldRef| {
                format!("{} {}", field.name(), type_name(field.data_type()))
            };
            format!(
                "({})",
                fields.iter().map(field).collect::<Vec<_>>().join(", ")
            )
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use userflow_models::project;

    #[test]
    fn types_are_those_of_the_yml_files() {
        for name in [
            "string",
            "bigint",
            "integer",
            "double",
            "boolean",
            "date",
            "timestamp",
            "decimal(3,2)",
        ] {
            let parsed: project::ColumnType = name.parse().unwrap();
            assert_eq!(type_name(&parsed.arrow()), name);
        }
        let problems = DataType::List(bronze::problem_item().into());
        assert_eq!(
            type_name(&problems),
            "list of (reason string, field string, detail string)"
        );
    }
}
