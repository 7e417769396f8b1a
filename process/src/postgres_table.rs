//! A table of PostgreSQL that is small enough to be read as a whole: in one state, within limits, and only when that state is not known.
//!
//! Not here: which table, what its columns mean (`userflow_models::features::TableQuery`), when it is read.

use std::str::FromStr;

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection, Error, PgConnection, Row, raw_sql};

/// Longest that the server may work on one statement of a reading.
const STATEMENT_TIMEOUT: &str = "SET LOCAL statement_timeout = '30s'";
/// Each statement sees the newest state. With one state for all of them, a table that is emptied and filled in between would be seen empty:
/// TRUNCATE and some ALTER TABLE are for older states as well.
const BEGIN: &str = "BEGIN TRANSACTION ISOLATION LEVEL READ COMMITTED READ ONLY";

/// The statements.
pub struct Statements {
    /// The table's columns: name and type.
    pub describe: String,
    /// Its state (rows, bytes, and a number that is another one when a cell is), whether it is wanted, whether there is a row, and the row; of a
    /// state that is not wanted or has no row, once. All in one statement, so that state and rows belong together. Everything is text, but for
    /// the two booleans.
    pub read: String,
    /// Columns of a row.
    pub width: usize,
}

/// Most of a table that is taken.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Rows.
    pub rows: u64,
    /// Bytes of their cells as text.
    pub bytes: u64,
}

impl Limits {
    /// Says that so much is too much, with the settings that say otherwise.
    pub fn refuse(&self, rows: u64, bytes: u64) -> Option<String> {
        if rows > self.rows {
            let most = self.rows;
            return Some(format!(
                "it has more than {most} rows: take a view of those that are needed, or raise --dimension-rows"
            ));
        }
        (bytes > self.bytes).then(|| {
            let most = self.bytes;
            format!(
                "it has {bytes} bytes, and {most} are the most: take a view of what is needed, or raise --dimension-bytes"
            )
        })
    }
}

/// What tells two states of a table apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Rows.
    pub rows: u64,
    /// Bytes of their cells as text.
    pub bytes: u64,
    /// A number that is another one when a cell is.
    pub hash: i128,
}

/// What a reading found.
pub enum Found {
    /// Columns that are not those wanted, and what is wrong with them.
    Unfit(String),
    /// A state that is not wanted: it is known or too much.
    NotWanted(State),
    /// A state, and its cells by column.
    Read(State, Vec<Vec<Option<String>>>),
}

/// The columns of a table, name and type, by the statement that describes it.
pub async fn columns(
    connection: &mut PgConnection,
    describe: &str,
) -> Result<Vec<(String, String)>, Error> {
    let rows = raw_sql(AssertSqlSafe(describe))
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect()
}

/// Reads a table. `unfit` says what is wrong with columns of these names and types.
pub async fn read(
    connection: &mut PgConnection,
    statements: &Statements,
    unfit: impl FnOnce(&[(String, String)]) -> Option<String>,
) -> Result<Found, Error> {
    let mut transaction = connection.begin_with(BEGIN).await?;
    raw_sql(STATEMENT_TIMEOUT)
        .execute(&mut *transaction)
        .await?;
    let columns = columns(&mut transaction, &statements.describe).await?;
    if let Some(why) = unfit(&columns) {
        return Ok(Found::Unfit(why));
    }
    let rows = raw_sql(AssertSqlSafe(statements.read.as_str()))
        .fetch_all(&mut *transaction)
        .await?;
    transaction.rollback().await?;
    let first = rows.first().ok_or(Error::RowNotFound)?;
    let state = State {
        rows: number(first, 0)?,
        bytes: number(first, 1)?,
        hash: number(first, 2)?,
    };
    let (is_wanted, has_rows): (bool, Option<bool>) = (first.try_get(3)?, first.try_get(4)?);
    if !is_wanted {
        return Ok(Found::NotWanted(state));
    }
    let rows = if has_rows.is_some() { &rows[..] } else { &[] };
    let column = |column: usize| rows.iter().map(|row| row.try_get(5 + column)).collect();
    let cells = (0..statements.width).map(column);
    Ok(Found::Read(state, cells.collect::<Result<_, Error>>()?))
}

fn number<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    row: &PgRow,
    column: usize,
) -> Result<T, Error> {
    let text: String = row.try_get(column)?;
    text.parse().map_err(|e| Error::Decode(Box::new(e)))
}
