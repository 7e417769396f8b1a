//! PostgreSQL: connections, the statement of a request, and what an error means.
//!
//! The connections are kept here and not in sqlx's pool, which asks the server before and after every use whether it is still there: a request
//! is one round trip. A connection that was lost meanwhile shows in its first statement, which is then sent again on a new one. Reading twice
//! does no harm.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use tokio::sync::Semaphore;
use userflow_process::exit::WrongSetup;
use userflow_process::postgres::place;

use super::breaker::Breaker;
use super::query;
use super::unavailable::Unavailable;
use super::value::Row;
use crate::config::{Pooling, PostgresArgs};
use crate::plan::{KeyValues, Plan};

/// Statements that a connection keeps prepared: one per set of features that is asked for.
const STATEMENTS: usize = 256;
/// After it failed: how long it is left alone before one request tries it again.
const PAUSE: Duration = Duration::from_millis(200);

/// What the store lacks that the models have.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lacks {
    Nothing,
    /// These views.
    Views(Vec<String>),
}

/// The online store.
pub(crate) struct Postgres {
    options: PgConnectOptions,
    persistent: bool,
    timeout: Duration,
    permits: Semaphore,
    idle: Mutex<Vec<PgConnection>>,
    breaker: Breaker,
}

impl Postgres {
    /// Connects to nothing yet.
    pub(crate) fn new(args: &PostgresArgs) -> Result<Self, WrongSetup> {
        let options = args.url.options("userflow-serving")?;
        let connections = usize::try_from(args.connections).unwrap_or(usize::MAX);
        Ok(Self {
            options: options
                .statement_cache_capacity(STATEMENTS)
                .disable_statement_logging(),
            persistent: args.pooling == Pooling::Session,
            timeout: args.timeout,
            permits: Semaphore::new(connections.min(Semaphore::MAX_PERMITS)),
            idle: Mutex::default(),
            breaker: Breaker::new(PAUSE),
        })
    }

    /// Where it is, for a message: no password.
    pub(crate) fn place(&self) -> String {
        place(&self.options)
    }

    /// What is read of some parts of a plan, for some of its rows: by part, in the order of `wanted`.
    pub(super) async fn read(
        &self,
        plan: &Plan,
        parts: &[usize],
        wanted: &[usize],
    ) -> Result<Vec<Vec<Option<Row>>>, Unavailable> {
        if !self.breaker.admits(Instant::now()) {
            return Err(Unavailable::Away);
        }
        let question = Features {
            statement: query::sql(plan, parts),
            persistent: self.persistent,
            plan,
            parts,
            wanted,
        };
        let reading = self.with_connection(&question);
        let read = tokio::time::timeout(self.timeout, reading).await;
        self.judged(read)
    }

    /// Which views of these the store has no rows for, because nobody made them.
    pub(crate) async fn lacks(&self, views: &[String]) -> Result<Lacks, Unavailable> {
        let question = Missing(views);
        let looking = self.with_connection(&question);
        let lacking: Vec<String> =
            self.judged(tokio::time::timeout(self.timeout, looking).await)?;
        Ok(match lacking.is_empty() {
            true => Lacks::Nothing,
            false => Lacks::Views(lacking),
        })
    }

    /// Tells the breaker, and says what an error means to a client.
    fn judged<T, E>(&self, read: Result<Result<T, sqlx::Error>, E>) -> Result<T, Unavailable> {
        let error = match read {
            Ok(Ok(read)) => {
                if self.breaker.succeeded() {
                    tracing::info!("PostgreSQL answers again");
                }
                return Ok(read);
            }
            Ok(Err(error)) => Some(error),
            Err(_) => None,
        };
        let code = error.as_ref().and_then(code);
        let other_type = matches!(error, Some(sqlx::Error::ColumnDecode { .. }));
        match code.as_deref() {
            // It answers; what it was asked for is not there, or not as the models say.
            Some("42P01" | "42703" | "42883" | "3F000" | "42501") => {
                self.answers(error, Unavailable::NotMade)
            }
            _ if other_type => self.answers(error, Unavailable::NotMade),
            // A value that it cannot take says nothing about the store.
            Some(code) if code.starts_with("22") => self.answers(error, Unavailable::Away),
            _ => {
                if self.breaker.failed(Instant::now()) {
                    let why = error.map_or_else(
                        || format!("no answer within {:?}", self.timeout),
                        |error| error.to_string(),
                    );
                    tracing::warn!("PostgreSQL is away: {why}");
                }
                Err(Unavailable::Away)
            }
        }
    }

    /// It answers, with an error.
    fn answers<T>(&self, error: Option<sqlx::Error>, why: Unavailable) -> Result<T, Unavailable> {
        self.breaker.succeeded();
        let said = error.map_or_else(String::new, |error| error.to_string());
        tracing::warn!("PostgreSQL cannot answer: {said}");
        Err(why)
    }

    /// Asks on a connection that is free, or on a new one. One that was lost is thrown away, and the question asked again.
    async fn with_connection<Q: Question>(&self, question: &Q) -> Result<Q::Answer, sqlx::Error> {
        let _permit = self.permits.acquire().await.expect("it is never closed");
        let kept = self.idle().pop();
        if let Some(mut connection) = kept {
            match question.ask(&mut connection).await {
                Ok(answer) => {
                    self.idle().push(connection);
                    return Ok(answer);
                }
                // The others of the same age have most likely been lost with it.
                Err(error) if is_of_the_connection(&error) => self.idle().clear(),
                Err(error) => return Err(error),
            }
        }
        let mut connection = PgConnection::connect_with(&self.options).await?;
        let answer = question.ask(&mut connection).await?;
        self.idle().push(connection);
        Ok(answer)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<PgConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is asked on a connection, on another one if the first was lost.
trait Question: Sync {
    type Answer: Send;

    fn ask(
        &self,
        connection: &mut PgConnection,
    ) -> impl Future<Output = Result<Self::Answer, sqlx::Error>> + Send;
}

/// The rows of some parts of a plan.
struct Features<'q> {
    statement: String,
    persistent: bool,
    plan: &'q Plan,
    parts: &'q [usize],
    wanted: &'q [usize],
}

impl Question for Features<'_> {
    type Answer = Vec<Vec<Option<Row>>>;

    async fn ask(&self, connection: &mut PgConnection) -> Result<Self::Answer, sqlx::Error> {
        let statement = AssertSqlSafe(self.statement.clone());
        let mut query = sqlx::query(statement).persistent(self.persistent);
        for (_, values) in &self.plan.keys {
            query = match values {
                KeyValues::Text(texts) => query.bind(chosen(texts, self.wanted)),
                KeyValues::Time(times) => query.bind(chosen(times, self.wanted)),
            };
        }
        let mut read: Self::Answer = (self.parts.iter())
            .map(|_| Vec::with_capacity(self.wanted.len()))
            .collect();
        for row in query.fetch_all(connection).await? {
            let rows = query::rows(self.plan, self.parts, &row)?;
            for (part, found) in read.iter_mut().zip(rows) {
                part.push(found);
            }
        }
        Ok(read)
    }
}

/// Which of these views are not there.
struct Missing<'q>(&'q [String]);

impl Question for Missing<'_> {
    type Answer = Vec<String>;

    async fn ask(&self, connection: &mut PgConnection) -> Result<Self::Answer, sqlx::Error> {
        let sql = "SELECT w.name FROM unnest($1::text[]) AS w(name) WHERE to_regclass('online.' || quote_ident(w.name)) IS NULL \
                   ORDER BY w.name";
        let query = sqlx::query_scalar(sql).persistent(false).bind(self.0);
        query.fetch_all(connection).await
    }
}

fn chosen<T: Clone>(values: &[T], wanted: &[usize]) -> Vec<T> {
    wanted.iter().map(|row| values[*row].clone()).collect()
}

fn code(error: &sqlx::Error) -> Option<String> {
    let error = error.as_database_error()?;
    error.code().map(|code| code.into_owned())
}

/// Whether a new connection may do better: the old one was closed, is of a server that stops, or has statements of a table that was made again.
fn is_of_the_connection(error: &sqlx::Error) -> bool {
    match code(error) {
        Some(code) => {
            code.starts_with("57P") || code.starts_with("08") || code == "0A000" || code == "26000"
        }
        None => matches!(
            error,
            sqlx::Error::Io(_)
                | sqlx::Error::Protocol(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::WorkerCrashed
        ),
    }
}
