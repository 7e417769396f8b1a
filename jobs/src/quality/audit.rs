//! Counts what fails: runs the queries of a table's checks over given rows.
//!
//! The rows are a table of their own: the files of a candidate, a partition of a version, or in a dry run the query itself. Queries
//! run in the engine's bounded memory and spill like all others.

use std::sync::Arc;

use anyhow::{Context, Result};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Int64Type, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::prelude::{SessionContext, ident};
use userflow_models::project::quality::default_threshold;
use userflow_models::project::{Check, Ref, Rule, Severity, Window};

use super::others::{others, stored};
use super::refusals::{self, refused};
use super::sample;
use super::sql::{self, Queries, ROWS, Scan};
use super::subject::Subject;
use super::verdict::{Status, Verdict};
use crate::workspace::Workspace;
use crate::{quarantine, seeds};

/// The verdict on rows as a whole: those that fail no check of severity error.
const WHOLE: &str = "rows";
/// The verdict on messages that were refused before they became rows.
const QUARANTINED: &str = "quarantined";

/// Judges rows, all of one window.
pub async fn audit(
    workspace: &Workspace,
    subject: &Subject<'_>,
    rows: Arc<dyn TableProvider>,
    window: Window,
    parallelism: usize,
) -> Result<Vec<Verdict>> {
    let columns = sortable(&rows.schema());
    let mut tables = vec![(ROWS.to_owned(), rows)];
    for other in others(subject.checks) {
        tables.push((seeds::table_name(other), stored(workspace, other).await?));
    }
    if let Some(quarantine) = refused(subject)? {
        tables.extend(refusals::stored(workspace, quarantine, subject.name, window).await?);
    }
    let session = workspace.engine.session(parallelism, tables)?;
    let audit = Audit {
        workspace,
        subject,
        session,
        columns,
        window,
    };
    let context = || format!("judge the rows of {} for {window}", subject.name);
    audit.run().await.with_context(context)
}

struct Audit<'a> {
    workspace: &'a Workspace,
    subject: &'a Subject<'a>,
    session: SessionContext,
    columns: Vec<String>,
    window: Window,
}

impl Audit<'_> {
    async fn run(&self) -> Result<Vec<Verdict>> {
        let checks = self.subject.checks;
        let scan = Scan::new(checks);
        let counts = self.numbers(&scan.counts()).await?;
        let rows = counts[0];
        let mut verdicts = Vec::new();
        if scan.errors().next().is_some() {
            // What one of the checks lets fail, all of them together let fail.
            let thresholds = scan.errors().map(|(_, check)| check.threshold);
            let threshold = thresholds.fold(default_threshold(self.subject.layer), f64::min);
            let limits = (Severity::Error, threshold);
            let mut whole = self.verdict(WHOLE, limits, (rows, counts[1]));
            let query = scan.sample_of_errors(&self.columns);
            self.add_sample(&mut whole, &query).await?;
            verdicts.push(whole);
        }
        let mut counted = scan.counted().zip(counts[2..].chunks_exact(2));
        let mut next = counted.next();
        for (at, check) in checks.iter().enumerate() {
            if let Some((place, counts)) = next
                && place == at
            {
                let mut verdict = self.of(check, (counts[0], counts[1]));
                if let Some(query) = scan.sample(at, &self.columns) {
                    self.add_sample(&mut verdict, &query).await?;
                }
                verdicts.push(verdict);
                next = counted.next();
            } else {
                verdicts.extend(self.alone(check, rows).await?);
            }
        }
        if let Some(refused) = &self.subject.quarantine {
            verdicts.push(self.quarantined(refused, rows).await?);
        }
        Ok(verdicts)
    }

    /// A check that has queries of its own.
    async fn alone(&self, check: &Check, rows: u64) -> Result<Option<Verdict>> {
        if let Rule::Counts {
            query,
            sample,
            refused,
            ..
        } = &check.rule
        {
            let refused = refused.is_some();
            let counts = self.numbers(&sql::counts(query, refused)).await?;
            let counts = (counts[0], counts[1]);
            let mut verdict = Verdict::of_records(check, self.subject.name, self.window, counts);
            if let Some(sample) = sample
                && verdict.failed > 0
            {
                let query = sql::examples(sample, refused);
                verdict.sample = sample::rows(&self.first(&query).await?)?;
            }
            return Ok(Some(verdict));
        }
        if let Some(Queries { counts, sample }) = self.queries(check) {
            let counts = self.numbers(&counts).await?;
            let mut verdict = self.of(check, (counts[0], counts[1]));
            self.add_sample(&mut verdict, &sample).await?;
            return Ok(Some(verdict));
        }
        Ok(match &check.rule {
            Rule::RowCountBetween { min, max } => {
                let fits = min.is_none_or(|min| rows >= min) && max.is_none_or(|max| rows <= max);
                let mut verdict = self.of(check, (1, u64::from(!fits)));
                if !fits {
                    verdict.sample = vec![serde_json::json!({"rows": rows}).to_string()];
                }
                Some(verdict)
            }
            Rule::Freshness { column, within } => {
                let query = sql::freshness(check, column, *within, self.window);
                let batches = self.collect(&query).await?;
                let counts = batches.iter().map(|batch| batch.project(&[0, 1]));
                let counts = numbers(&counts.collect::<Result<Vec<_>, _>>()?)?;
                let mut verdict = self.of(check, (counts[0], counts[1]));
                if verdict.status != Status::Pass {
                    let newest = batches.iter().map(|batch| batch.project(&[2]));
                    verdict.sample = sample::rows(&newest.collect::<Result<Vec<_>, _>>()?)?;
                }
                Some(verdict)
            }
            _ => None,
        })
    }

    fn queries(&self, check: &Check) -> Option<Queries> {
        match margin_of(check) {
            Some(events) => {
                let margin = self.subject.margin;
                Some(sql::within_margin(check, events, self.window, margin))
            }
            None => sql::queries(check, &self.columns),
        }
    }

    /// The share of the date's messages that the contract accepted. A message that was landed from quarantine since is accepted.
    async fn quarantined(&self, table: &str, rows: u64) -> Result<Verdict> {
        let events = self.subject.name;
        let refused = quarantine::refused(self.workspace, table, events, self.window).await?;
        let declared = (self.subject.checks.iter())
            .find(|check| matches!(check.rule, Rule::Quarantined { .. }))
            .map(|check| (check.severity, check.threshold));
        let limits = declared.unwrap_or((Severity::Error, default_threshold(self.subject.layer)));
        Ok(self.verdict(QUARANTINED, limits, (rows + refused, refused)))
    }

    fn of(&self, check: &Check, (total, failed): (u64, u64)) -> Verdict {
        Verdict::of(check, self.subject.name, self.window, total, failed)
    }

    fn verdict(&self, test: &str, limits: (Severity, f64), counts: (u64, u64)) -> Verdict {
        Verdict::new(
            test.to_owned(),
            limits,
            self.subject.name,
            self.window,
            counts,
        )
    }

    /// Looks for rows to show, when there are any.
    async fn add_sample(&self, verdict: &mut Verdict, query: &str) -> Result<()> {
        if verdict.failed > 0 {
            verdict.sample = sample::rows(&self.collect(query).await?)?;
        }
        Ok(())
    }

    async fn numbers(&self, query: &str) -> Result<Vec<u64>> {
        numbers(&self.collect(query).await?)
    }

    /// The first rows of a query by its columns from left to right, so that the same rows are shown every time.
    async fn first(&self, query: &str) -> Result<Vec<RecordBatch>> {
        tracing::debug!(table = self.subject.name, "{query}");
        let frame = self.session.sql(query).await?;
        let columns = sortable(frame.schema().inner());
        let order = columns.iter();
        let order = order.map(|name| ident(name).sort(true, false)).collect();
        let frame = frame.sort(order)?.limit(0, Some(sql::SAMPLE))?;
        Ok(frame.collect().await?)
    }

    async fn collect(&self, query: &str) -> Result<Vec<RecordBatch>> {
        tracing::debug!(table = self.subject.name, "{query}");
        Ok(self.session.sql(query).await?.collect().await?)
    }
}

/// The events, the group and the time of a check of the margin.
fn margin_of(check: &Check) -> Option<(&Ref, &[String], &str)> {
    match &check.rule {
        Rule::WithinMargin {
            of,
            group_by,
            order_by,
        } => Some((of, group_by, order_by)),
        _ => None,
    }
}

/// The whole numbers of the only row.
fn numbers(batches: &[RecordBatch]) -> Result<Vec<u64>> {
    let row = batches.iter().find(|batch| batch.num_rows() > 0);
    let row = row.context("a query for counts returned no row")?;
    let number = |column: &ArrayRef| {
        let counts = column.as_primitive_opt::<Int64Type>();
        let count = counts.filter(|counts| counts.is_valid(0));
        let count = count.with_context(|| format!("a count is no whole number: {column:?}"))?;
        Ok(u64::try_from(count.value(0))?)
    };
    row.columns().iter().map(number).collect()
}

/// The columns that rows can be sorted by and shown with.
fn sortable(schema: &SchemaRef) -> Vec<String> {
    let fields = schema.fields().iter().filter(|field| {
        !field.data_type().is_nested()
            && !matches!(
                field.data_type(),
                DataType::Binary | DataType::LargeBinary | DataType::BinaryView
            )
    });
    fields.map(|field| field.name().clone()).collect()
}
