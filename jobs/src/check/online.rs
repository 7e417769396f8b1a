//! The online side: rows of a feature view as its readers see them.

use std::collections::HashMap;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row};
use userflow_models::features::online::SCHEMA;
use userflow_models::features::{FeatureView, ValueType};
use userflow_models::project::Window;

use super::batch::{Key, Pair};
use crate::postgres::explained;
use crate::value::Value;

/// One row.
#[derive(Clone, Debug)]
pub(super) struct Live {
    /// The compared features.
    pub(super) values: Vec<Value>,
    /// False while the entity's window can still get events.
    pub(super) is_final: bool,
}

/// A view's table or SQL view.
pub(super) struct OnlineTable<'a> {
    view: &'a FeatureView,
    pairs: &'a [Pair<'a>],
}

impl<'a> OnlineTable<'a> {
    /// The view's rows, of which these features are compared.
    pub(super) fn new(view: &'a FeatureView, pairs: &'a [Pair<'a>]) -> Self {
        Self { view, pairs }
    }

    /// The compared feature that says when a row began: the first time. None: the rows of a day cannot be found here.
    pub(super) fn start(&self) -> Option<&str> {
        (self.pairs.iter())
            .find(|pair| pair.feature.value_type == ValueType::Timestamp)
            .map(|pair| pair.feature.name.as_str())
    }

    /// The rows of these keys. Of keys with several columns also rows of other combinations may come: then every column is
    /// looked up by an index, and a merged view groups only what is asked for.
    pub(super) async fn of_keys(
        &self,
        connection: &mut PgConnection,
        keys: impl Iterator<Item = &Key> + Clone,
    ) -> Result<HashMap<Key, Live>> {
        let wanted: Vec<String> = (self.view.entity.iter().enumerate())
            .map(|(index, name)| format!("\"{name}\" = ANY(${})", index + 1))
            .collect();
        let features: Vec<String> = (self.pairs.iter())
            .map(|pair| format!("\"{}\"", pair.feature.name))
            .collect();
        let sql = format!(
            "SELECT {}, {}, {} FROM {SCHEMA}.{} WHERE {}",
            self.keys(),
            self.is_final(),
            features.join(", "),
            self.view.name,
            wanted.join(" AND ")
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        for index in 0..self.view.entity.len() {
            let column: Vec<String> = keys.clone().map(|key| key[index].clone()).collect();
            query = query.bind(column);
        }
        let rows = query.fetch_all(connection).await.map_err(explained);
        let rows = rows.with_context(|| format!("read {SCHEMA}.{}", self.view.name))?;
        rows.iter().map(|row| self.live(row)).collect()
    }

    /// Every row that began in the window: its key, and whether it is final.
    pub(super) async fn of_day(
        &self,
        connection: &mut PgConnection,
        start: &str,
        window: Window,
        mut seen: impl FnMut(Key, bool),
    ) -> Result<()> {
        let sql = format!(
            "SELECT {}, {} FROM {SCHEMA}.{} WHERE \"{start}\" >= $1 AND \"{start}\" < $2",
            self.keys(),
            self.is_final(),
            self.view.name
        );
        let query = sqlx::query(AssertSqlSafe(sql))
            .persistent(false)
            .bind(window.start())
            .bind(window.end());
        let mut rows = query.fetch(connection);
        while let Some(row) = rows.try_next().await.map_err(explained)? {
            seen(self.key(&row)?, row.try_get(self.view.entity.len())?);
        }
        Ok(())
    }

    fn keys(&self) -> String {
        let keys: Vec<String> = self
            .view
            .entity
            .iter()
            .map(|name| format!("\"{name}\""))
            .collect();
        keys.join(", ")
    }

    /// Only sessions end; other windows show what they hold.
    fn is_final(&self) -> &'static str {
        match self.view.is_session() {
            true => "is_final",
            false => "true",
        }
    }

    fn key(&self, row: &PgRow) -> Result<Key> {
        let columns = 0..self.view.entity.len();
        Ok(columns
            .map(|index| row.try_get(index))
            .collect::<Result<_, _>>()?)
    }

    fn live(&self, row: &PgRow) -> Result<(Key, Live)> {
        let is_final = self.view.entity.len();
        let values = (self.pairs.iter().enumerate())
            .map(|(index, pair)| value(row, is_final + 1 + index, pair.feature.value_type));
        let live = Live {
            values: values.collect::<Result<_>>()?,
            is_final: row.try_get(is_final)?,
        };
        Ok((self.key(row)?, live))
    }
}

fn value(row: &PgRow, index: usize, value_type: ValueType) -> Result<Value> {
    let value = match value_type {
        ValueType::BigInt => row.try_get::<Option<i64>, _>(index)?.map(Value::Integer),
        ValueType::Decimal { .. } | ValueType::Double => {
            row.try_get::<Option<f64>, _>(index)?.map(Value::Double)
        }
        ValueType::Text => row.try_get::<Option<String>, _>(index)?.map(Value::Text),
        ValueType::Boolean => row.try_get::<Option<bool>, _>(index)?.map(Value::Boolean),
        ValueType::Timestamp => {
            let time = row.try_get::<Option<DateTime<Utc>>, _>(index)?;
            time.map(|time| Value::Time(time.timestamp_micros()))
        }
        // Never compared: see Kind::of_feature.
        ValueType::TextArray => None,
    };
    Ok(value.unwrap_or(Value::Null))
}
