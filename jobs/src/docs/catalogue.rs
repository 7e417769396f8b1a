//! What there is: every table and feature view of every domain, in one shape, from the files of the models folder. No lake, no
//! database, no markup.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use arrow::datatypes::DataType;
use userflow_models::bronze::{self, BronzeTable};
use userflow_models::contract::Contract;
use userflow_models::domain::Domain;
use userflow_models::features::{self, FeatureView, online};
use userflow_models::project::{self, Model, PARTITION_COLUMN, Ref, Seed};
use userflow_process::exit::WrongSetup as Wrong;

use super::feature;
use crate::workspace::Workspace;
use crate::{init, seeds};

/// Everything, by domain.
pub(super) struct Catalogue {
    pub(super) domains: Vec<Section>,
}

impl Catalogue {
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.domains.iter().flat_map(|domain| &domain.entries)
    }
}

/// One domain.
pub(super) struct Section {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) topic: String,
    /// In dependency order.
    pub(super) entries: Vec<Entry>,
}

/// Where the rows of an entry are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Home {
    /// A Delta table.
    Lake,
    /// A CSV file of the models folder.
    Seed,
    /// A table or SQL view of the online store.
    Online,
}

/// A table or feature view.
pub(super) struct Entry {
    /// The SQL name, which no other entry has.
    pub(super) name: String,
    /// What stands before the dot: the heading under which it is listed.
    pub(super) group: String,
    pub(super) home: Home,
    pub(super) description: String,
    /// The columns that tell rows apart; empty when nothing declares them.
    pub(super) grain: Vec<String>,
    pub(super) columns: Vec<Column>,
    /// Tests of the whole row.
    pub(super) tests: Vec<Rule>,
    /// What else there is to know: label and text.
    pub(super) facts: Vec<(&'static str, String)>,
    /// Names of the entries, or the topic, that it is computed from.
    pub(super) reads: Vec<String>,
    /// The file that defines it, and its text.
    pub(super) file: String,
    pub(super) definition: Option<String>,
    /// Of a quarantine: the table that its messages wait for.
    pub(super) waits_for: Option<String>,
}

pub(super) struct Column {
    pub(super) name: String,
    pub(super) data_type: String,
    pub(super) description: String,
    pub(super) tests: Vec<Rule>,
}

/// A test: a name of dbt's with its arguments, or a rule of a contract in words.
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) arguments: String,
}

/// Reads all of it.
pub(super) fn collect(workspace: &Workspace) -> Result<Catalogue> {
    let mut domains = Vec::new();
    for domain in init::domains(workspace, None)? {
        domains.push(section(workspace, &domain)?);
    }
    let catalogue = Catalogue { domains };
    let mut seen = BTreeMap::new();
    for entry in catalogue.entries() {
        if let Some(first) = seen.insert(&entry.name, &entry.file) {
            let (name, second) = (&entry.name, &entry.file);
            let message = format!(
                "{name} is defined by {first} and by {second}: give one of them another name"
            );
            return Err(Wrong(message).into());
        }
    }
    Ok(catalogue)
}

fn section(workspace: &Workspace, domain: &Domain) -> Result<Section> {
    let contract = &domain.contract;
    let topic = format!("{}.events", domain.name);
    let models = &workspace.models_dir;
    let mut entries = vec![
        events(&bronze::events(contract), contract, &topic),
        quarantine(&bronze::quarantine(contract), contract, &topic),
    ];
    for source in workspace.project.declared_sources() {
        if let Some(entry) = entries.iter_mut().find(|entry| entry.name == source.name) {
            let labels = source.checks.iter().map(|check| check.label.clone());
            entry.tests = labels.map(rule).collect();
        }
    }
    for seed in workspace.project.seeds() {
        if seed.domain == domain.name {
            entries.push(of_seed(seed, models));
        }
    }
    for model in workspace.project.models() {
        if model.domain == domain.name {
            entries.push(of_model(model, models)?);
        }
    }
    for view in features::load(domain)? {
        entries.push(of_view(&view, domain, models, &topic)?);
    }
    Ok(Section {
        name: domain.name.clone(),
        description: contract.description().to_owned(),
        topic,
        entries,
    })
}

/// A path as it is seen from the folder that holds the models folder, wherever that is on this machine.
fn shown(path: &Path, models: &Path) -> String {
    let below = path.strip_prefix(models).unwrap_or(path);
    Path::new("models").join(below).display().to_string()
}

fn contract_file(contract: &Contract) -> String {
    format!("models/{}/contract.json", contract.domain())
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}

fn events(table: &BronzeTable, contract: &Contract, topic: &str) -> Entry {
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
            column.description = match field.description.as_str() {
                "" => format!("in messages: {places}"),
                text => format!("{text}; in messages: {places}"),
            };
            column.tests = field.rules().into_iter().map(rule).collect();
        } else if column.name == contract.partition() {
            column.description = format!("UTC date of {}", contract.event_time());
        }
        column
    });
    Entry {
        columns: columns.collect(),
        facts: vec![
            ("Event types", contract.event_types().join(", ")),
            ("Key of the topic", contract.key().to_owned()),
            ("Event time", contract.event_time().to_owned()),
        ],
        ..of_bronze(table, contract, topic)
    }
}

fn quarantine(table: &BronzeTable, contract: &Contract, topic: &str) -> Entry {
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
        grain: bronze::IDENTITY.map(str::to_owned).into(),
        columns: of_schema(table).collect(),
        tests: Vec::new(),
        facts: Vec::new(),
        reads: vec![topic.to_owned()],
        file: contract_file(contract),
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

fn of_seed(seed: &Seed, models: &Path) -> Entry {
    let name = seeds::sql_name(&seed.name);
    Entry {
        group: group(&name),
        name,
        home: Home::Seed,
        description: seed.description.clone(),
        grain: grain(&seed.columns, &seed.tests),
        columns: declared(&seed.columns),
        tests: seed.tests.iter().map(test).collect(),
        facts: Vec::new(),
        reads: Vec::new(),
        file: shown(&seed.path, models),
        definition: None,
        waits_for: None,
    }
}

fn of_model(model: &Model, models: &Path) -> Result<Entry> {
    let mut facts = Vec::new();
    if !model.config.margin.is_zero() {
        let margin = feature::span(i64::try_from(model.config.margin.as_micros())?);
        facts.push(("Reads around its window", format!("{margin} on both sides")));
    }
    if model.config.lookback_days > 0 {
        facts.push((
            "Reads before its window",
            format!("{} days", model.config.lookback_days),
        ));
    }
    let name_of = |read: &Ref| match read {
        Ref::Seed(seed) => seeds::sql_name(seed),
        Ref::Model(name) | Ref::Source(name) => name.clone(),
    };
    Ok(Entry {
        name: model.name.clone(),
        group: model.layer.clone(),
        home: Home::Lake,
        description: model.description.clone(),
        grain: grain(&model.columns, &model.tests),
        columns: declared(&model.columns),
        tests: model.tests.iter().map(test).collect(),
        facts,
        reads: model.refs.iter().map(name_of).collect(),
        file: shown(&model.path, models),
        definition: Some(read(&model.path)?),
        waits_for: None,
    })
}

fn of_view(view: &FeatureView, domain: &Domain, models: &Path, topic: &str) -> Result<Entry> {
    let path = domain
        .dir
        .join("features")
        .join(format!("{}.yml", view.name));
    let name = format!("{}.{}", online::SCHEMA, view.name);
    let mut facts = vec![("Window", feature::window(view, &domain.contract))];
    if let Some(ttl) = view.ttl {
        facts.push(("Kept for", feature::span(i64::try_from(ttl.as_micros())?)));
    }
    if let Some(batch) = &view.batch {
        facts.push(("Compared daily with", batch.table.clone()));
    }
    if !view.partition_local {
        facts.push(("Merged when read from", online::table(view)));
    }
    let column = |(name, data_type, description): (String, &str, String)| Column {
        name,
        data_type: data_type.to_owned(),
        description,
        tests: Vec::new(),
    };
    Ok(Entry {
        group: group(&name),
        name,
        home: Home::Online,
        description: view.description.clone(),
        grain: view.entity.clone(),
        columns: feature::columns(view, &domain.contract)
            .into_iter()
            .map(column)
            .collect(),
        tests: Vec::new(),
        facts,
        reads: vec![topic.to_owned()],
        file: shown(&path, models),
        definition: Some(read(&path)?),
        waits_for: None,
    })
}

fn group(name: &str) -> String {
    name.split('.').next().unwrap_or_default().to_owned()
}

fn declared(columns: &[project::Column]) -> Vec<Column> {
    let column = |column: &project::Column| Column {
        name: column.name.clone(),
        data_type: column.data_type.to_string(),
        description: column.description.clone(),
        tests: column.tests.iter().map(test).collect(),
    };
    columns.iter().map(column).collect()
}

/// The columns of a declared uniqueness test, of one column or of several.
fn grain(columns: &[project::Column], tests: &[project::Test]) -> Vec<String> {
    let several = tests
        .iter()
        .find_map(|test| test.arguments.get("combination_of_columns")?.as_array());
    if let Some(names) = several {
        let texts = names.iter().filter_map(|name| name.as_str());
        return texts.map(str::to_owned).collect();
    }
    let unique = |column: &&project::Column| column.tests.iter().any(|test| test.name == "unique");
    columns
        .iter()
        .find(unique)
        .map(|column| column.name.clone())
        .into_iter()
        .collect()
}

/// A test as it is shown: the one place that knows how a `.yml` writes tests.
fn test(test: &project::Test) -> Rule {
    Rule {
        name: test.name.clone(),
        arguments: match test
            .arguments
            .as_object()
            .map(|entries| (entries.len(), entries.values().next()))
        {
            Some((1, Some(only))) => arguments(only),
            _ => arguments(&test.arguments),
        },
    }
}

fn rule(words: String) -> Rule {
    Rule {
        name: words,
        arguments: String::new(),
    }
}

/// Arguments in one line, without the quotes and braces of JSON.
fn arguments(value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(arguments).collect::<Vec<_>>().join(", "),
        Value::Object(entries) => {
            let entry = |(name, value): (&String, &Value)| format!("{name}: {}", arguments(value));
            entries.iter().map(entry).collect::<Vec<_>>().join("; ")
        }
        other => other.to_string(),
    }
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
    use serde_json::json;

    #[test]
    fn arguments_are_one_readable_line() {
        assert_eq!(arguments(&json!(null)), "");
        assert_eq!(
            arguments(&json!({"values": ["a", 1, true]})),
            "values: a, 1, true"
        );
        assert_eq!(
            arguments(&json!({"min": 0, "severity": "warn"})),
            "min: 0; severity: warn"
        );
    }

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
