//! Dimensions in tables of PostgreSQL: the server says at each look whether a cell has changed, and only then the rows are read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use userflow_models::features::{TableQuery, Wrong, typed};
use userflow_process::exit::WrongSetup;
use userflow_process::postgres_table::{Found, State};

use super::super::delivery::STORE_TIMEOUT;
use super::super::store::{StoreError, Tables};
use super::current::{Dimensions, Source};

/// The dimensions that are in tables.
pub(in super::super) struct InPostgres {
    dimensions: Arc<Dimensions>,
    tables: Tables,
    seen: Vec<Seen>,
}

/// What was seen of a table.
struct Seen {
    /// Its place among the dimensions.
    number: usize,
    /// The state that the current rows are.
    taken: Option<State>,
    /// The state that was refused last, and why.
    refused: Option<(State, String)>,
}

impl InPostgres {
    /// Reads them for the first time. A server that is away for a while is waited for.
    pub(in super::super) async fn load(
        dimensions: &Arc<Dimensions>,
        tables: Tables,
    ) -> Result<Self> {
        let mut seen = Vec::new();
        for (number, source) in dimensions.sources.iter().enumerate() {
            let Some(query) = &source.query else { continue };
            let mut table = Seen {
                number,
                taken: None,
                refused: None,
            };
            let (started, mut pause) = (Instant::now(), Duration::from_millis(50));
            let looked = loop {
                match table.look(dimensions, &tables, query).await {
                    Err(e) if e.passes() && started.elapsed() < STORE_TIMEOUT => {
                        tracing::warn!("{}: {e}; it is read again in {pause:?}", query.table());
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(Duration::from_secs(2));
                    }
                    looked => break looked,
                }
            };
            let looked = looked.map_err(anyhow::Error::from);
            let looked = looked.with_context(|| format!("read {}", query.table()))?;
            looked.map_err(WrongSetup)?;
            dimensions.is_current(number);
            seen.push(table);
        }
        Ok(Self {
            dimensions: Arc::clone(dimensions),
            tables,
            seen,
        })
    }

    /// Looks at them again and again, without end.
    pub(in super::super) async fn watch(mut self, every: Duration) {
        let dimensions = &self.dimensions;
        loop {
            tokio::time::sleep(every).await;
            for table in &mut self.seen {
                let number = table.number;
                let Some(query) = &dimensions.sources[number].query else {
                    continue;
                };
                match table.look(dimensions, &self.tables, query).await {
                    Ok(Ok(false)) => dimensions.is_current(number),
                    Ok(Ok(true)) => dimensions.note(number, &Ok(())),
                    Ok(Err(problem)) => dimensions.note(number, &Err(problem)),
                    Err(e) => dimensions.note(number, &Err(format!("{}: {e}", query.table()))),
                }
            }
        }
    }
}

impl Seen {
    /// Looks at the table and takes its rows if they are others than the current ones: says whether they were, or why they are refused.
    async fn look(
        &mut self,
        dimensions: &Dimensions,
        tables: &Tables,
        query: &TableQuery,
    ) -> Result<Result<bool, String>, StoreError> {
        let refused = self.refused.as_ref();
        let known: Vec<State> = (self.taken.into_iter())
            .chain(refused.map(|(state, _)| *state))
            .collect();
        let (state, judged) = match tables.read(query, dimensions.limits, &known).await? {
            Found::Unfit(why) => return Ok(Err(format!("{}: {why}", query.table()))),
            Found::NotWanted(state) if self.taken == Some(state) => return Ok(Ok(false)),
            Found::NotWanted(state) => {
                let before = refused.filter(|(refused, _)| *refused == state);
                let why = match before {
                    Some((_, why)) => why.clone(),
                    None => {
                        let why = dimensions.limits.refuse(state.rows, state.bytes);
                        let why =
                            why.expect("a state that is not known is not wanted for its size");
                        format!("{}: {why}", query.table())
                    }
                };
                (state, Err(why))
            }
            Found::Read(state, cells) => (state, take(dimensions, self.number, query, &cells)),
        };
        match &judged {
            Ok(()) => (self.taken, self.refused) = (Some(state), None),
            Err(why) => self.refused = Some((state, why.clone())),
        }
        Ok(judged.map(|()| true))
    }
}

fn take(
    dimensions: &Dimensions,
    number: usize,
    query: &TableQuery,
    cells: &[Vec<Option<String>>],
) -> Result<(), String> {
    let columns: Vec<_> = query.columns().collect();
    let texts = cells
        .iter()
        .map(|cells| cells.iter().map(Option::as_deref).collect());
    let rows = typed(&columns, texts.collect()).map_err(|Wrong { row, message }| {
        let source: &Source = &dimensions.sources[number];
        let key = &source.joins[0].1.on;
        let at = columns.iter().position(|column| column.name == *key);
        let key_of = |row: usize| cells[at?][row].as_deref();
        let row = row.and_then(key_of);
        let row = row.map(|text| format!("the row of {key} `{text}`: "));
        format!("{}: {}{message}", query.table(), row.unwrap_or_default())
    })?;
    dimensions.exchange(number, &rows)
}
