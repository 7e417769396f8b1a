//! Two tables of one date, before and after an edit: which rows differ, and in what. Counted by the query engine, so that a day of any size
//! fits; rows meet by the model's key.

use std::sync::Arc;

use anyhow::{Context, Result};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;

use super::difference::Difference;
use crate::engine::{Engine, quoted};
use crate::value::Value;
use crate::value::cell::{self, Cell};
use crate::value::column::kind;

/// Both tables, as the query names them.
const BEFORE: &str = "tried.before";
const AFTER: &str = "tried.after";
/// Tells rows of one key apart, which a model should not have.
const COPY: &str = "\"copy of the key\"";

/// What is compared.
pub(super) struct Sides<'a> {
    /// What a row is found by.
    pub(super) key: &'a [&'a str],
    /// The rows before; where they are from is `against`.
    pub(super) before: Arc<dyn TableProvider>,
    pub(super) against: &'a str,
    /// The rows of today's definition.
    pub(super) after: Arc<dyn TableProvider>,
}

impl Sides<'_> {
    /// Counts what differs, and takes the first rows of it, at most `limit`.
    pub(super) async fn compare(&self, engine: &Engine, limit: usize) -> Result<Difference> {
        let [old, new] = [self.before.schema(), self.after.schema()];
        let only = |one: &SchemaRef, other: &SchemaRef| -> Vec<String> {
            let names = one.fields().iter().map(|field| field.name());
            let names = names.filter(|name| other.field_with_name(name).is_err());
            names.cloned().collect()
        };
        let mut difference = Difference::of("rows", &self.key.join(", "), self.against);
        difference.added = only(&new, &old);
        difference.removed = only(&old, &new);
        let columns: Vec<&str> = (new.fields().iter())
            .map(|field| field.name().as_str())
            .filter(|name| old.field_with_name(name).is_ok() && !self.key.contains(name))
            .collect();
        let differs: Vec<String> = columns
            .iter()
            .map(|name| format!("({})", differs(name, &old, &new)))
            .collect();
        let lone = format!("(before.{COPY} is null or after.{COPY} is null)");
        let mut any = differs.clone();
        any.push(lone.clone());
        let any = any.join(" or ");

        let mut counts = vec!["count(*)".to_owned(), counted(&any), counted(&lone)];
        counts.extend(
            differs
                .iter()
                .map(|one| counted(&format!("not {lone} and {one}"))),
        );
        let sql = format!(
            "{} select {} {}",
            self.numbered(&old, &new),
            named(&counts),
            self.joined()
        );
        let counts = numbers(&self.rows(engine, &sql).await?)?;
        difference.compared = counts[0];
        difference.differing = counts[1];
        let by_column = [""].into_iter().chain(columns.iter().copied());
        let by_column = by_column.zip(&counts[2..]).filter(|(_, count)| **count > 0);
        difference.by_column = by_column
            .map(|(name, count)| (name.to_owned(), *count))
            .collect();
        if difference.differing == 0 {
            return Ok(difference);
        }

        let key = self.key.iter().map(|name| {
            let name = quoted(name);
            format!("coalesce(before.{name}, after.{name})")
        });
        let mut wanted: Vec<String> = key.collect();
        let ordered: Vec<String> = (0..wanted.len()).map(|at| format!("c{at}")).collect();
        wanted.extend(["before", "after"].map(|side| format!("{side}.{COPY} is not null")));
        for (name, differs) in columns.iter().zip(&differs) {
            let name = quoted(name);
            wanted.extend([
                differs.clone(),
                format!("before.{name}"),
                format!("after.{name}"),
            ]);
        }
        let order = match ordered.is_empty() {
            true => String::new(),
            false => format!("order by {}", ordered.join(", ")),
        };
        let sql = format!(
            "{} select {} {} where {any} {order} limit {limit}",
            self.numbered(&old, &new),
            named(&wanted),
            self.joined()
        );
        for row in cell::rows(&self.rows(engine, &sql).await?)? {
            self.examples(&row, &columns, &mut difference);
        }
        Ok(difference)
    }

    /// The values that differ in a row of the second query.
    fn examples(&self, row: &[Cell], columns: &[&str], difference: &mut Difference) {
        let (key, rest) = row.split_at(self.key.len());
        let key: Vec<String> = key.iter().map(Cell::text).collect();
        let key = key.join(",");
        let is = |cell: &Cell| *cell == Cell::One(Value::Boolean(true));
        let (there, rest) = rest.split_at(2);
        if !(is(&there[0]) && is(&there[1])) {
            let said = |there: &Cell| if is(there) { "a row" } else { "no row" }.to_owned();
            difference.example([key, String::new(), said(&there[0]), said(&there[1])]);
            return;
        }
        for (name, cells) in columns.iter().zip(rest.chunks_exact(3)) {
            if is(&cells[0]) {
                let [before, after] = [&cells[1], &cells[2]].map(Cell::text);
                difference.example([key.clone(), (*name).to_owned(), before, after]);
            }
        }
    }

    /// Both tables, with the rows of one key numbered.
    fn numbered(&self, old: &SchemaRef, new: &SchemaRef) -> String {
        let key: Vec<String> = self.key.iter().map(|name| quoted(name)).collect();
        let side = |name: &str, table: &str, schema: &SchemaRef| {
            let plain = schema.fields().iter();
            let plain = plain.filter(|field| !field.data_type().is_nested());
            let order: Vec<String> = plain.map(|field| quoted(field.name())).collect();
            format!(
                "{name} as (select *, row_number() over (partition by {} order by {}) as {COPY} from {table})",
                key.join(", "),
                order.join(", ")
            )
        };
        let [before, after] = [side("before", BEFORE, old), side("after", AFTER, new)];
        format!("with {before}, {after}")
    }

    fn joined(&self) -> String {
        let key = self.key.iter().map(|name| quoted(name));
        let key = key.chain([COPY.to_owned()]);
        let on: Vec<String> = key
            .map(|name| format!("(before.{name} is not distinct from after.{name})"))
            .collect();
        format!("from before full join after on {}", on.join(" and "))
    }

    async fn rows(&self, engine: &Engine, sql: &str) -> Result<Vec<RecordBatch>> {
        tracing::debug!("{sql}");
        let tables = [
            (BEFORE.to_owned(), Arc::clone(&self.before)),
            (AFTER.to_owned(), Arc::clone(&self.after)),
        ];
        let session = engine.session(engine.threads(), tables)?;
        let context = || format!("compare the rows with those of {}", self.against);
        let frame = session.sql(sql).await.with_context(context)?;
        frame.collect().await.with_context(context)
    }
}

/// Whether a column that both have differs. What cannot be compared as it is, is compared as text.
fn differs(name: &str, old: &SchemaRef, new: &SchemaRef) -> String {
    let type_in = |schema: &SchemaRef| {
        let field = schema.field_with_name(name);
        field.expect("both have the column").data_type().clone()
    };
    let [old, new] = [type_in(old), type_in(new)];
    let name = quoted(name);
    match kind(&old).is_some() && kind(&old) == kind(&new) {
        true => format!("before.{name} is distinct from after.{name}"),
        false => {
            format!("cast(before.{name} as varchar) is distinct from cast(after.{name} as varchar)")
        }
    }
}

fn counted(condition: &str) -> String {
    format!("count(*) filter (where {condition})")
}

fn named(columns: &[String]) -> String {
    let columns = columns.iter().enumerate();
    let columns: Vec<String> = columns.map(|(at, sql)| format!("{sql} as c{at}")).collect();
    columns.join(", ")
}

/// The counts of the only row.
fn numbers(batches: &[RecordBatch]) -> Result<Vec<u64>> {
    let rows = cell::rows(batches)?;
    let row = rows.first().context("a query for counts returned no row")?;
    let number = |cell: &Cell| match cell {
        Cell::One(Value::Integer(count)) => Ok(u64::try_from(*count)?),
        other => anyhow::bail!("a count is no whole number: {other:?}"),
    };
    row.iter().map(number).collect()
}
