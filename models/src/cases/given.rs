//! Rows of dimensions that a case gives: `dimensions: {name: [{column: value, ...}]}`.

use serde_yaml_ng::{Mapping, Value};

use super::case::Given;
use crate::features::{Dimension, typed};

const SHAPE: &str = "`dimensions` is written {name: [{column: value, ...}, ...]}";

/// Reads them. What is not given of a row is null.
pub(super) fn given(written: &Mapping, declared: &[Dimension]) -> Result<Vec<Given>, String> {
    written
        .iter()
        .map(|(name, rows)| {
            let (name, rows) = (name.as_str(), rows.as_sequence());
            let (name, rows) = name.zip(rows).ok_or(SHAPE)?;
            let dimension = declared.iter().find(|known| known.name == name);
            let dimension = dimension.ok_or_else(|| unknown(name, declared))?;
            one(dimension, rows)
        })
        .collect()
}

fn one(dimension: &Dimension, rows: &[Value]) -> Result<Given, String> {
    let name = &dimension.name;
    let columns: Vec<_> = dimension.columns.iter().collect();
    let mut cells: Vec<Vec<Option<String>>> = vec![Vec::new(); columns.len()];
    for row in rows {
        let row = row.as_mapping().ok_or(SHAPE)?;
        let is_known = |key: &&Value| {
            columns
                .iter()
                .any(|column| key.as_str() == Some(&column.name))
        };
        if let Some(other) = row.keys().find(|key| !is_known(key)) {
            let known: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            let other = text(other).unwrap_or_default().unwrap_or_default();
            return Err(format!(
                "`dimensions`: {name} has no column `{other}`: it has {}",
                known.join(", ")
            ));
        }
        for (column, cells) in columns.iter().zip(&mut cells) {
            let value = row.get(column.name.as_str());
            cells.push(value.map_or(Ok(None), text)?);
        }
    }
    let texts = cells
        .iter()
        .map(|cells| cells.iter().map(Option::as_deref).collect());
    let rows = typed(&columns, texts.collect());
    Ok(Given {
        dimension: name.clone(),
        rows: rows.map_err(|wrong| format!("`dimensions`: {name}: {}", wrong.message))?,
    })
}

fn text(value: &Value) -> Result<Option<String>, String> {
    Ok(match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => return Err(SHAPE.to_owned()),
    })
}

fn unknown(name: &str, declared: &[Dimension]) -> String {
    let known: Vec<&str> = declared.iter().map(|known| known.name.as_str()).collect();
    let known = match known.is_empty() {
        true => "none".to_owned(),
        false => known.join(", "),
    };
    format!("`dimensions`: there is no dimension `{name}`: the domain's seeds are {known}")
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::Int32Type;

    use super::*;
    use crate::project::{Column, ColumnType};

    fn read(text: &str) -> Result<Vec<Given>, String> {
        let column = |name: &str, data_type| Column {
            name: name.to_owned(),
            data_type,
            description: String::new(),
            tests: Vec::new(),
        };
        let items = Dimension {
            name: "items".to_owned(),
            file: "items.csv".into(),
            table: None,
            yml: "items.yml".into(),
            columns: vec![
                column("item", ColumnType::String),
                column("grams", ColumnType::Integer),
            ],
        };
        given(&serde_yaml_ng::from_str(text).expect("YAML"), &[items])
    }

    #[test]
    fn rows_have_the_declared_types_and_what_is_not_given_is_null() {
        let given = read("items: [{item: a, grams: 7}, {item: 2}]").expect("rows");
        let rows = &given[0].rows;
        let items: Vec<_> = rows.column(0).as_string::<i32>().iter().collect();
        assert_eq!(items, [Some("a"), Some("2")]);
        let grams: Vec<_> = rows.column(1).as_primitive::<Int32Type>().iter().collect();
        assert_eq!(grams, [Some(7), None]);
        assert_eq!(read("items: []").expect("rows")[0].rows.num_rows(), 0);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, said) in [
            (
                "item: []",
                "there is no dimension `item`: the domain's seeds are items",
            ),
            ("items: {item: a}", "is written {name:"),
            ("items: [a]", "is written {name:"),
            ("items: [{item: [a]}]", "is written {name:"),
            (
                "items: [{gram: 1}]",
                "items has no column `gram`: it has item, grams",
            ),
            (
                "items: [{grams: many}]",
                "items: `many` in column grams is no integer",
            ),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(said), "{error}");
        }
    }
}
