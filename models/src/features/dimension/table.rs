//! A dimension in PostgreSQL: the statements that read the table as a whole, and whether it is as its `.yml` declares it.
//!
//! The values come as texts, in one spelling whatever the server's settings, so that a cell means the same as the same text in a file.
//! Asking is `userflow_process::postgres_table`'s business.

use super::Dimension;
use crate::project::{Column, ColumnType, PostgresTable};

/// What to ask about a table, and how to judge the answer.
pub struct TableQuery {
    table: PostgresTable,
    columns: Vec<Column>,
    /// Where it is declared, for messages.
    declared: String,
}

impl Dimension {
    /// What to ask about its table, for some of its columns; none when its rows are in a file.
    pub fn query(&self, needed: impl Fn(&str) -> bool) -> Option<TableQuery> {
        let columns = self.columns.iter().filter(|column| needed(&column.name));
        Some(TableQuery {
            table: self.table.clone()?,
            columns: columns.cloned().collect(),
            declared: format!("seed {} in {}", self.name, self.yml.display()),
        })
    }
}

impl TableQuery {
    /// The table.
    pub fn table(&self) -> &PostgresTable {
        &self.table
    }

    /// The columns that are read, in the order in which they come.
    pub fn columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter()
    }

    /// The columns that the table has: name and type. No rows: there is no such table.
    pub fn describe(&self) -> String {
        format!(
            "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_attribute AS a \
             JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
             WHERE n.nspname = '{}' AND c.relname = '{}' AND c.relkind IN ('r', 'v', 'm', 'p', 'f') \
             AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
            self.table.schema(),
            self.table.name()
        )
    }

    /// Its state and, if that is wanted, its rows: one statement, so that both are of one moment. The state is how many rows it has, how many
    /// bytes they are, and a number that is another one when a cell is: a sum over all rows, so their order does not matter. It is not wanted
    /// when it is known, or has more rows or bytes than are given. It is not read beyond the rows.
    pub fn read(&self, most_rows: u64, most_bytes: u64, known: &[(u64, u64, i128)]) -> String {
        let names: Vec<String> = (0..self.columns.len()).map(|at| format!("c{at}")).collect();
        let names = names.join(", ");
        let values: Vec<String> = (self.columns.iter().enumerate())
            .map(|(at, column)| format!("{} AS c{at}", value(column)))
            .collect();
        let others: String = known
            .iter()
            .map(|(rows, bytes, hash)| {
                format!(" AND NOT (n = {rows} AND bytes = {bytes} AND hash = {hash})")
            })
            .collect();
        format!(
            "WITH found AS MATERIALIZED (SELECT {} FROM {} LIMIT {}), \
             state AS (SELECT count(*) AS n, coalesce(sum(octet_length(cells)), 0) AS bytes, \
               coalesce(sum(hashtextextended(cells, 0)), 0) AS hash \
               FROM (SELECT ROW({names})::text COLLATE \"C\" AS cells FROM found) AS looked_at), \
             judged AS (SELECT *, n <= {most_rows} AND bytes <= {most_bytes}{others} AS is_wanted FROM state) \
             SELECT n::text, bytes::text, hash::text, is_wanted, is_row, {names} \
             FROM judged LEFT JOIN (SELECT true AS is_row, * FROM found) AS rows ON is_wanted",
            values.join(", "),
            self.quoted(),
            most_rows.saturating_add(1)
        )
    }

    /// What a table with these columns lacks: the column and the fix.
    pub fn unfit(&self, found: &[(String, String)]) -> Option<String> {
        let (table, declared) = (&self.table, &self.declared);
        if found.is_empty() {
            return Some(format!(
                "PostgreSQL has no table or view {table}, which {declared} names: make it, or correct `postgres:` there"
            ));
        }
        let unfit = |column: &Column| match found.iter().find(|(name, _)| *name == column.name) {
            None => Some(format!(
                "{table} has no column {}, which {declared} declares: add it, or correct the .yml",
                column.name
            )),
            Some((name, kind)) if !holds(column.data_type, kind) => Some(format!(
                "column {name} of {table} is {kind}, and {declared} declares {}: correct the .yml, or read a view that has `{name}` as {}",
                column.data_type,
                fitting(column.data_type)
            )),
            Some(_) => None,
        };
        self.columns.iter().find_map(unfit)
    }

    fn quoted(&self) -> String {
        format!("\"{}\".\"{}\"", self.table.schema(), self.table.name())
    }
}

/// A column as text, null where a file would have nothing.
fn value(column: &Column) -> String {
    let name = format!("\"{}\"", column.name);
    match column.data_type {
        ColumnType::Date => format!("to_char({name}, 'YYYY-MM-DD')"),
        ColumnType::Timestamp => {
            format!("to_char({name} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
        }
        _ => format!("nullif({name}::text, '')"),
    }
}

/// Whether every value of a type of PostgreSQL has one spelling that the declared type reads. Whole numbers that are too large are found when
/// they are read.
fn holds(declared: ColumnType, found: &str) -> bool {
    let plain = found.split('(').next().unwrap_or_default().trim_end();
    let is_whole = matches!(plain, "smallint" | "integer" | "bigint");
    match declared {
        ColumnType::String => {
            // How these are written depends on settings of the server.
            let depends = matches!(
                plain.split(' ').next().unwrap_or_default(),
                "timestamp" | "time" | "date" | "interval" | "bytea" | "money" | "real" | "double"
            );
            !depends && !found.ends_with("[]")
        }
        ColumnType::Bigint | ColumnType::Integer => is_whole,
        ColumnType::Double => is_whole || matches!(plain, "real" | "double precision" | "numeric"),
        ColumnType::Decimal(_, scale) => is_whole || (plain == "numeric" && within(found, scale)),
        ColumnType::Boolean => plain == "boolean",
        ColumnType::Date => plain == "date",
        ColumnType::Timestamp => {
            found.starts_with("timestamp") && found.ends_with("with time zone")
        }
    }
}

/// Whether a `numeric` has no more decimals than are declared. One without a scale may have any.
fn within(found: &str, scale: i8) -> bool {
    let inside = found
        .split_once(',')
        .map(|(_, end)| end.trim_end_matches(')'));
    match (found.contains('('), inside) {
        (true, Some(decimals)) => decimals
            .trim()
            .parse()
            .is_ok_and(|found: i8| found <= scale),
        (true, None) => true,
        (false, _) => false,
    }
}

fn fitting(declared: ColumnType) -> String {
    match declared {
        ColumnType::String => "text".to_owned(),
        ColumnType::Bigint => "bigint".to_owned(),
        ColumnType::Integer => "integer".to_owned(),
        ColumnType::Double => "double precision".to_owned(),
        ColumnType::Boolean => "boolean".to_owned(),
        ColumnType::Date => "date".to_owned(),
        ColumnType::Timestamp => "timestamptz".to_owned(),
        ColumnType::Decimal(precision, scale) => format!("numeric({precision},{scale})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dimension(kind: ColumnType) -> Dimension {
        Dimension {
            name: "items".to_owned(),
            file: "seeds/items.csv".into(),
            table: Some("shop.items".parse().expect("a table")),
            yml: "seeds/_seeds.yml".into(),
            columns: vec![Column {
                name: "x".to_owned(),
                data_type: kind,
                description: String::new(),
                tests: Vec::new(),
            }],
        }
    }

    #[test]
    fn a_table_that_is_not_as_declared_is_said_with_column_and_fix() {
        let query = dimension(ColumnType::Decimal(14, 2))
            .query(|_| true)
            .expect("a table");
        let said = |found: &[(&str, &str)]| {
            let found = found
                .iter()
                .map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned()));
            query.unfit(&found.collect::<Vec<_>>()).unwrap_or_default()
        };
        assert_eq!(
            said(&[]),
            "PostgreSQL has no table or view shop.items, which seed items in seeds/_seeds.yml names: make it, or correct `postgres:` there"
        );
        assert!(
            said(&[("y", "text")]).starts_with("shop.items has no column x, which seed items in")
        );
        assert_eq!(
            said(&[("x", "text")]),
            "column x of shop.items is text, and seed items in seeds/_seeds.yml declares decimal(14,2): correct the .yml, or read a view that \
             has `x` as numeric(14,2)"
        );
        assert_eq!(said(&[("y", "text"), ("x", "numeric(14,2)")]), "");
    }

    #[test]
    fn a_type_is_taken_when_no_value_of_it_changes() {
        use ColumnType as T;
        let cases = [
            (
                T::String,
                "text varchar character_varying(20) character(3) uuid integer numeric(3,1) mood",
                "date timestamp_with_time_zone real text[] bytea",
            ),
            (
                T::Bigint,
                "smallint integer bigint",
                "numeric(10,0) text real",
            ),
            (T::Integer, "smallint integer bigint", "numeric text"),
            (T::Double, "real double_precision numeric integer", "text"),
            (
                T::Decimal(14, 2),
                "numeric(14,2) numeric(5,0) numeric(9) bigint",
                "numeric numeric(14,3) real money text",
            ),
            (T::Boolean, "boolean", "text integer"),
            (T::Date, "date", "timestamp_with_time_zone text"),
            (
                T::Timestamp,
                "timestamp_with_time_zone timestamp(3)_with_time_zone",
                "timestamp_without_time_zone date",
            ),
        ];
        for (declared, good, bad) in cases {
            for (kinds, expected) in [(good, true), (bad, false)] {
                for kind in kinds.split(' ').map(|kind| kind.replace('_', " ")) {
                    assert_eq!(holds(declared, &kind), expected, "{kind} as {declared}");
                }
            }
        }
    }

    #[test]
    fn a_name_that_is_not_plain_is_no_table() {
        for text in [
            "items",
            "shop.",
            ".items",
            "a.b.c",
            "shop.Items",
            "shop.it\"ems",
            "shop.it ems",
            &format!("s.{}", "x".repeat(64)),
        ] {
            let said = text.parse::<PostgresTable>().expect_err(text);
            assert!(said.contains("write schema.table"), "{said}");
        }
    }
}
