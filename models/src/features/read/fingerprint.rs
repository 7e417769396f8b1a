//! The fingerprint of a view: a hash of everything that decides what its state and its rows mean, in a form that is written down here.
//!
//! Tables and checkpoints carry it, so it must not change unless the meaning does: no renaming in Rust, no further column of the contract
//! and no release changes it. The form is JSON of lists only, so that no order is left to a library. Golden values hold it (tests below).
//!
//! A view that says something new gets it said here by a further element of its own, so that views which do not say it keep their
//! fingerprints. If the form itself ever has to change, [`FORM`] is raised and the old one goes on beside it, as [`super::former`] does.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::contract::{ColumnType, Contract};
use crate::features::view::{
    Absence, Aggregation, Case, Condition, Ending, Feature, FeatureView, Join, Predicate, Run,
    Taken, Test, Ties, ValueType, Window,
};

/// The number of the form, in front of every fingerprint.
const FORM: u32 = 1;

/// `<form>:<sixteen hexadecimal digits>`.
pub(super) fn of(view: &FeatureView, contract: &Contract) -> String {
    format!("{FORM}:{}", digits(&text(view, contract)))
}

/// The first 64 bits of a text's SHA-256.
pub(super) fn digits(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    hash.iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn text(view: &FeatureView, contract: &Contract) -> String {
    // By name, so that whoever adds a field decides whether it is meaning.
    let FeatureView {
        name: _,
        domain: _,
        description: _,
        entity,
        partition_local,
        join,
        window,
        features,
        ttl: _,
        batch: _,
        redis: _,
        fingerprint: _,
        former_fingerprint: _,
    } = view;
    let form = Form { contract, features };
    let entity: Vec<Value> = entity.iter().map(|name| form.column_named(name)).collect();
    let mut parts = vec![
        json!("feature view"),
        json!(FORM),
        json!(["entity", entity]),
        json!(["partition_local", partition_local]),
        json!(["window", form.window(window)]),
        json!([
            "features",
            features
                .iter()
                .map(|feature| form.feature(feature))
                .collect::<Vec<_>>()
        ]),
    ];
    if let Some(join) = join {
        parts.push(self::join(join));
    }
    Value::Array(parts).to_string()
}

fn join(
    Join {
        dimension,
        on,
        take,
    }: &Join,
) -> Value {
    let take = take.iter().map(|taken| {
        let Taken {
            name,
            column,
            column_type,
        } = taken;
        json!([name, column, self::column_type(*column_type)])
    });
    json!(["join", dimension, on, take.collect::<Vec<_>>()])
}

/// What numbers in a view stand for.
struct Form<'a> {
    contract: &'a Contract,
    features: &'a [Feature],
}

impl Form<'_> {
    fn column(&self, index: usize) -> Value {
        let column = &self.contract.columns()[index];
        json!([column.name, column_type(column.column_type)])
    }

    fn column_named(&self, name: &str) -> Value {
        let columns = self.contract.columns();
        let index = columns.iter().position(|column| column.name == name);
        self.column(index.expect("the view was checked against the contract"))
    }

    fn feature_name(&self, index: usize) -> &str {
        &self.features[index].name
    }

    fn window(&self, window: &Window) -> Value {
        match window {
            Window::Session { gap, keep, ends } => {
                let ends = ends.as_ref().map(|Ending { on, state, values }| {
                    json!([self.predicate(on), self.feature_name(*state), values])
                });
                json!(["session", gap, keep, ends])
            }
            Window::Sessions { gap, keep, start } => json!(["sessions", gap, keep, start]),
            Window::Sliding { size, every } => json!(["sliding", size, every]),
            Window::Exact { size, most } => json!(["exact", size, most]),
            Window::Last { events } => json!(["last", events]),
            Window::Lifetime => json!(["lifetime"]),
        }
    }

    fn feature(&self, feature: &Feature) -> Value {
        let Feature {
            name,
            aggregation,
            when,
            hidden,
            default,
            round,
            value_type,
        } = feature;
        json!([
            name,
            self.aggregation(aggregation),
            when.as_ref().map(|when| self.predicate(when)),
            hidden,
            default,
            round,
            self::value_type(*value_type),
        ])
    }

    fn aggregation(&self, aggregation: &Aggregation) -> Value {
        match aggregation {
            Aggregation::Count => json!(["count"]),
            Aggregation::Seen => json!(["seen"]),
            Aggregation::Sum { column, scale } => json!(["sum", self.column(*column), scale]),
            Aggregation::Avg { column, scale } => json!(["avg", self.column(*column), scale]),
            Aggregation::Min(column) => json!(["min", self.column(*column)]),
            Aggregation::Max(column) => json!(["max", self.column(*column)]),
            Aggregation::First(column) => json!(["first", self.column(*column)]),
            Aggregation::Last(column) => json!(["last", self.column(*column)]),
            Aggregation::LastN { column, n } => json!(["last_n", self.column(*column), n]),
            Aggregation::DistinctCount { columns, exact } => {
                let columns: Vec<Value> = columns.iter().map(|at| self.column(*at)).collect();
                json!(["distinct_count", columns, exact])
            }
            Aggregation::TopK { column, k, ties } => match ties {
                Ties::Smaller => json!(["top_k", self.column(*column), k]),
                Ties::Latest => json!(["top_k", self.column(*column), k, "latest"]),
            },
            Aggregation::Ratio(part, whole) => {
                json!(["ratio", self.feature_name(*part), self.feature_name(*whole)])
            }
            Aggregation::Elapsed(from, to) => {
                json!(["elapsed", self.feature_name(*from), self.feature_name(*to)])
            }
            Aggregation::Streak { until } => json!(["streak", self.predicate(until)]),
            Aggregation::Case(cases) => {
                let cases: Vec<Value> = cases.iter().map(|case| self.case(case)).collect();
                json!(["case", cases])
            }
            Aggregation::Absence(Absence {
                without,
                within,
                detail,
            }) => {
                let detail = detail.map(|column| self.column(column));
                json!(["absence", self.predicate(without), within, detail])
            }
            Aggregation::Run(Run {
                same,
                times,
                then,
                then_times,
                within,
                among,
                until,
            }) => json!([
                "run",
                self.column(*same),
                times,
                self.predicate(then),
                then_times,
                within,
                among.map(|column| self.column(column)),
                until.as_ref().map(|until| self.predicate(until)),
            ]),
            Aggregation::Appeared(pattern) => json!(["appeared", self.feature_name(*pattern)]),
            Aggregation::Detail(pattern) => json!(["detail", self.feature_name(*pattern)]),
            Aggregation::Coalesce(features) => {
                let names: Vec<&str> = features.iter().map(|at| self.feature_name(*at)).collect();
                json!(["coalesce", names])
            }
        }
    }

    fn case(&self, case: &Case) -> Value {
        let Case { value, conditions } = case;
        let conditions = conditions.iter().map(|condition| match condition {
            Condition::Feature(feature, test) => {
                json!(["feature", self.feature_name(*feature), self::test(test)])
            }
            Condition::TimedOut => json!(["timed_out"]),
        });
        json!([value, conditions.collect::<Vec<_>>()])
    }

    fn predicate(&self, Predicate(tests): &Predicate) -> Value {
        let tests = tests.iter();
        let tests = tests.map(|(column, test)| json!([self.column(*column), self::test(test)]));
        Value::Array(tests.collect())
    }
}

fn test(test: &Test) -> Value {
    match test {
        Test::OneOf(texts) => json!(["one_of", texts]),
        Test::Is(truth) => json!(["is", truth]),
        Test::Within { from, to, open } => json!(["within", from, to, open.0, open.1]),
    }
}

fn value_type(value_type: ValueType) -> Value {
    match value_type {
        ValueType::BigInt => json!(["bigint"]),
        ValueType::Decimal { scale } => json!(["decimal", scale]),
        ValueType::Double => json!(["double"]),
        ValueType::Text => json!(["text"]),
        ValueType::Boolean => json!(["boolean"]),
        ValueType::Timestamp => json!(["timestamp"]),
        ValueType::TextArray => json!(["text_array"]),
    }
}

fn column_type(column_type: ColumnType) -> Value {
    match column_type {
        ColumnType::String => json!(["string"]),
        ColumnType::Id => json!(["id"]),
        ColumnType::Double => json!(["double"]),
        ColumnType::BigInt => json!(["bigint"]),
        ColumnType::Decimal { precision, scale } => json!(["decimal", precision, scale]),
        ColumnType::Boolean => json!(["boolean"]),
        ColumnType::Timestamp => json!(["timestamp"]),
        ColumnType::Date => json!(["date"]),
        ColumnType::List => json!(["list"]),
    }
}
