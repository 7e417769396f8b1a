//! The rows of views as PostgreSQL has them, page by page in the order of their keys: what Redis should have.
//!
//! A page is one statement, so one moment; what changes afterwards comes through the inbox and is written after the page. Of a view it needs
//! what every reader has: its name, its columns, `updated_at`.

use std::time::Duration;

use arrow::datatypes::DataType;
use chrono::{DateTime, Utc};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::{AssertSqlSafe, Row};
use userflow_models::features::online::Stored;

use super::shape::{Change, Shape};
use super::text::Value;

/// Rows of a page.
pub(super) const PAGE: i64 = 2_000;
/// How long an answer may take.
const ATTEMPT: Duration = Duration::from_secs(30);

/// PostgreSQL, read.
pub(super) struct ReadBack {
    pool: PgPool,
}

/// A part of a view's rows.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) changes: Vec<Change>,
    /// The key of its last row, by which the next page is found; none: there are no more.
    pub(super) last: Option<Vec<String>>,
}

impl ReadBack {
    /// Connects when it is needed: one connection.
    pub(super) fn new(options: PgConnectOptions) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .min_connections(0)
            .idle_timeout(Duration::from_secs(60))
            .connect_lazy_with(options);
        Self { pool }
    }

    /// Whether a partition was claimed in this epoch and by nobody since.
    pub(super) async fn owns(
        &self,
        topic: &str,
        partition: i32,
        epoch: i64,
    ) -> Result<bool, sqlx::Error> {
        let sql = "SELECT EXISTS (SELECT FROM online._owners WHERE topic = $1 AND partition = $2 AND epoch = $3)";
        let asking = sqlx::query_scalar(sql)
            .persistent(false)
            .bind(topic)
            .bind(partition)
            .bind(epoch)
            .fetch_one(&self.pool);
        in_time(asking).await
    }

    /// The rows of some partitions after a key.
    pub(super) async fn page(
        &self,
        shape: &Shape,
        partitions: &[i32],
        after: Option<&[String]>,
    ) -> Result<Page, sqlx::Error> {
        let sql = statement(shape, after.is_some());
        let mut query = sqlx::query(AssertSqlSafe(sql))
            .persistent(false)
            .bind(partitions);
        for value in after.unwrap_or_default() {
            query = query.bind(value);
        }
        let rows = in_time(query.fetch_all(&self.pool)).await?;
        let last = match rows.last() {
            Some(row) if i64::try_from(rows.len()).is_ok_and(|rows| rows >= PAGE) => {
                let cursor =
                    (0..shape.keys.len()).map(|key| row.try_get(format!("k{key}").as_str()));
                Some(cursor.collect::<Result<_, _>>()?)
            }
            _ => None,
        };
        let changes = rows.iter().map(|row| change(shape, row));
        Ok(Page {
            changes: changes.collect::<Result<_, _>>()?,
            last,
        })
    }
}

/// An answer that does not take too long.
async fn in_time<T>(
    asking: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    match tokio::time::timeout(ATTEMPT, asking).await {
        Ok(answer) => answer,
        Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
    }
}

/// Its columns: `c<column>` of what a change is made of, `k<key>` of the key as text, and how long the row still lives.
fn statement(shape: &Shape, goes_on: bool) -> String {
    let name = |column: usize| quoted(&shape.columns[column].name);
    let keys: Vec<String> = shape.keys.iter().map(|key| name(*key)).collect();
    let mut shown: Vec<String> = (shape.needed().into_iter())
        .map(|column| {
            format!(
                "{}::{} AS c{column}",
                name(column),
                sql_type(&shape.columns[column])
            )
        })
        .collect();
    for (number, key) in keys.iter().enumerate() {
        shown.push(format!("{key}::text AS k{number}"));
    }
    let mut wanted = vec!["\"_partition\" = ANY($1)".to_owned()];
    if let Some(ttl) = shape.ttl {
        let age = "(extract(epoch FROM clock_timestamp() - updated_at) * 1000)::bigint";
        shown.push(format!("{ttl} - {age} AS left_ms"));
        wanted.push(format!("{age} < {ttl}"));
    }
    if goes_on {
        let cursor: Vec<String> = (shape.keys.iter().enumerate())
            .map(|(number, key)| {
                format!("${}::text::{}", number + 2, sql_type(&shape.columns[*key]))
            })
            .collect();
        wanted.push(format!("({}) > ({})", keys.join(", "), cursor.join(", ")));
    }
    format!(
        "SELECT {} FROM online.{} WHERE {} ORDER BY {} LIMIT {PAGE}",
        shown.join(", "),
        quoted(&shape.name),
        wanted.join(" AND "),
        keys.join(", ")
    )
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

fn sql_type(column: &Stored) -> &'static str {
    match &column.data_type {
        DataType::Int64 => "bigint",
        DataType::Int32 => "int",
        DataType::Float64 | DataType::Decimal128(..) => "float8",
        DataType::Utf8 => "text",
        DataType::Boolean => "boolean",
        DataType::Timestamp(..) => "timestamptz",
        DataType::List(_) => "text[]",
        other => unreachable!("no row of a view that stands in Redis has a column of type {other}"),
    }
}

fn change(shape: &Shape, row: &PgRow) -> Result<Change, sqlx::Error> {
    let mut values: Vec<Value> = vec![Value::Nothing; shape.columns.len()];
    for column in shape.needed() {
        values[column] = value(row, column, &shape.columns[column].data_type)?;
    }
    let mut change = shape.change(|column| values[column].clone());
    if change.ttl.is_some() {
        let left: i64 = row.try_get("left_ms")?;
        change.ttl = Some(left.max(1));
    }
    Ok(change)
}

fn value(row: &PgRow, column: usize, data_type: &DataType) -> Result<Value, sqlx::Error> {
    let name = format!("c{column}");
    let name = name.as_str();
    let value = match data_type {
        DataType::Int64 => row.try_get::<Option<i64>, _>(name)?.map(Value::Whole),
        DataType::Int32 => {
            let number = row.try_get::<Option<i32>, _>(name)?;
            number.map(|number| Value::Whole(number.into()))
        }
        DataType::Float64 | DataType::Decimal128(..) => {
            row.try_get::<Option<f64>, _>(name)?.map(Value::Double)
        }
        DataType::Boolean => row.try_get::<Option<bool>, _>(name)?.map(Value::Truth),
        DataType::Timestamp(..) => {
            let time = row.try_get::<Option<DateTime<Utc>>, _>(name)?;
            time.map(|time| Value::Time(time.timestamp_micros()))
        }
        DataType::List(_) => row
            .try_get::<Option<Vec<String>>, _>(name)?
            .map(Value::List),
        _ => row.try_get::<Option<String>, _>(name)?.map(Value::Text),
    };
    Ok(value.unwrap_or(Value::Nothing))
}
