//! Texts as columns of the declared types: the same for a field of a file and for a cell of a table. An empty text is null.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{Field, Schema};

use crate::project::Column;

/// A text that is no value of its column's type.
#[derive(Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The number of its row, from 0; none when the column as a whole is wrong.
    pub row: Option<usize>,
    /// What is wrong.
    pub message: String,
}

/// Gives columns their types. `cells` are theirs, in their order, as many for each.
pub fn typed(columns: &[&Column], cells: Vec<Vec<Option<&str>>>) -> Result<RecordBatch, Wrong> {
    let (mut fields, mut arrays): (Vec<Field>, Vec<ArrayRef>) = (Vec::new(), Vec::new());
    for (column, cells) in columns.iter().zip(cells) {
        let texts: StringArray = cells
            .into_iter()
            .map(|text| text.filter(|text| !text.is_empty()))
            .collect();
        let data_type = column.data_type.arrow();
        let typed = cast(&texts, &data_type).map_err(|e| Wrong {
            row: None,
            message: format!("column {}: {e}", column.name),
        })?;
        let lost = (0..texts.len()).find(|row| texts.is_valid(*row) && typed.is_null(*row));
        if let Some(row) = lost {
            let (text, name, kind) = (texts.value(row), &column.name, column.data_type);
            return Err(Wrong {
                row: Some(row),
                message: format!("`{text}` in column {name} is no {kind}"),
            });
        }
        fields.push(Field::new(&column.name, data_type, true));
        arrays.push(typed);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(|e| Wrong {
        row: None,
        message: e.to_string(),
    })
}
