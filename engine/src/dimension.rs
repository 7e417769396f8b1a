//! Dimensions: rows that are found by a text, from which events get further columns before they are counted.
//!
//! The engine is given them as data. Where they come from, and when another state of them is given, is the caller's business: an event
//! gets what the dimension says when the event is read, and what was counted stays counted.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::DataType;
use hashbrown::HashMap;
use userflow_models::features::Join;

/// One state of a dimension, as a join needs it.
pub struct Dimension {
    rows: HashMap<Box<str>, u32>,
    /// What the join takes, in its order.
    columns: Vec<ArrayRef>,
}

impl Dimension {
    /// Takes the columns that a join needs from a dimension's rows. Says what is wrong with them: a column that is not there or of another
    /// type, a row without a key, a key that two rows have.
    pub fn new(join: &Join, rows: &RecordBatch) -> Result<Self, String> {
        let column = |name: &str| {
            (rows.column_by_name(name)).ok_or_else(|| format!("there is no column `{name}`"))
        };
        let key = column(&join.on)?;
        let keys = key
            .as_string_opt::<i32>()
            .ok_or_else(|| format!("column `{}` is no text", join.on))?;
        let mut places = HashMap::with_capacity(keys.len());
        for (row, key) in keys.iter().enumerate() {
            let row = u32::try_from(row).map_err(|_| "it has more than 2^32 rows".to_owned())?;
            let key = key.ok_or_else(|| format!("a row has no {}", join.on))?;
            if places.insert(Box::from(key), row).is_some() {
                return Err(format!("two rows have {} `{key}`", join.on));
            }
        }
        let columns = join.take.iter().map(|taken| {
            let values = column(&taken.column)?;
            match values.data_type() {
                // Whole numbers of events have 64 bits.
                DataType::Int32 => cast(values, &DataType::Int64).map_err(|e| e.to_string()),
                _ => Ok(values.clone()),
            }
        });
        Ok(Self {
            columns: columns.collect::<Result<_, _>>()?,
            rows: places,
        })
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The columns for some keys, with nulls where there is no row or no key; and how many keys have no row.
    pub(super) fn find<'a>(
        &self,
        keys: impl Iterator<Item = Option<&'a str>>,
    ) -> (Vec<ArrayRef>, u64) {
        let mut missed = 0;
        let places: UInt32Array = keys
            .map(|key| {
                let place = self.rows.get(key?).copied();
                missed += u64::from(place.is_none());
                place
            })
            .collect();
        let found = self.columns.iter().map(|values| {
            take(values, &places, None).expect("every place is one of a row of the dimension")
        });
        (found.collect(), missed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int32Array, StringArray};
    use arrow::datatypes::Int64Type;
    use userflow_models::contract::ColumnType;
    use userflow_models::features::Taken;

    use super::*;

    fn join() -> Join {
        Join {
            dimension: "items".into(),
            on: "item".into(),
            take: vec![Taken {
                name: "weight".into(),
                column: "grams".into(),
                column_type: ColumnType::BigInt,
            }],
        }
    }

    fn rows(keys: &[Option<&str>]) -> RecordBatch {
        let grams = (0..i32::try_from(keys.len()).expect("few")).map(|row| row * 10);
        let columns: [(&str, ArrayRef); 2] = [
            ("grams", Arc::new(Int32Array::from_iter_values(grams))),
            ("item", Arc::new(StringArray::from(keys.to_vec()))),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(n, c)| (n, c, true))).expect("rows")
    }

    #[test]
    fn a_key_without_a_row_is_null_and_a_miss_and_no_key_is_null() {
        let rows = rows(&[Some("a"), Some("b")]);
        let dimension = Dimension::new(&join(), &rows).expect("a dimension");
        assert_eq!(dimension.len(), 2);
        let keys = [Some("b"), Some("x"), None, Some("a"), Some("b")];
        let (columns, missed) = dimension.find(keys.into_iter());
        let values: Vec<Option<i64>> = columns[0].as_primitive::<Int64Type>().iter().collect();
        assert_eq!(values, [Some(10), None, None, Some(0), Some(10)]);
        assert_eq!(missed, 1);
    }

    #[test]
    fn what_cannot_be_looked_up_is_said() {
        let said = |rows: &RecordBatch, join: &Join| match Dimension::new(join, rows) {
            Ok(_) => "nothing".to_owned(),
            Err(said) => said,
        };
        let twice = rows(&[Some("a"), Some("a")]);
        assert_eq!(said(&twice, &join()), "two rows have item `a`");
        let without = rows(&[Some("a"), None]);
        assert_eq!(said(&without, &join()), "a row has no item");
        let mut other = join();
        other.on = "id".into();
        assert_eq!(said(&rows(&[]), &other), "there is no column `id`");
        other.on = "grams".into();
        assert_eq!(said(&rows(&[]), &other), "column `grams` is no text");
    }
}
