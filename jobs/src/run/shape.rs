//! The result of a model in the shape that its `.yml` promises: the declared columns in their order and types, sorted by the key.

use anyhow::{Context, Result};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, DFSchema};
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{Expr, cast};
use userflow_models::project::{ColumnType, Model};
use userflow_process::exit::WrongSetup;

/// Projects to the declared columns in their order and types, sorted by the key, so that equal content is equal files.
pub(super) fn shape(frame: DataFrame, model: &Model) -> Result<DataFrame> {
    let returned = frame.schema().clone();
    check_names(&returned, model)?;
    let mut columns = Vec::with_capacity(model.columns.len());
    for column in &model.columns {
        let (qualifier, field) = returned.qualified_field_with_unqualified_name(&column.name)?;
        let reference = Expr::Column(Column::from((qualifier, field)));
        let converted = convert(reference, field.data_type(), column.data_type).ok_or_else(|| {
            WrongSetup(format!(
                "{}: column {} is {} and {} declares {}: cast it in the SQL or correct the data_type",
                model.path.display(),
                column.name,
                field.data_type(),
                model.yml.display(),
                column.data_type
            ))
        })?;
        columns.push(converted.alias(&column.name));
    }
    let key = model
        .key()
        .into_iter()
        .map(|name| Expr::Column(Column::from_name(name)).sort(true, true));
    let shaped = frame
        .select(columns)
        .and_then(|frame| frame.sort(key.collect()));
    shaped.with_context(|| format!("shape the result of {}", model.name))
}

fn check_names(returned: &DFSchema, model: &Model) -> Result<()> {
    let declared = |name: &str| model.columns.iter().any(|column| column.name == name);
    let missing: Vec<&str> = model
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .filter(|name| returned.fields().iter().all(|field| field.name() != name))
        .collect();
    let undeclared: Vec<&str> = returned
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .filter(|name| !declared(name))
        .collect();
    if missing.is_empty() && undeclared.is_empty() {
        return Ok(());
    }
    let mut problems = Vec::new();
    if !missing.is_empty() {
        let yml = model.yml.display();
        problems.push(format!(
            "does not return {}, declared in {yml}",
            missing.join(", ")
        ));
    }
    if !undeclared.is_empty() {
        let yml = model.yml.display();
        problems.push(format!(
            "returns {}, not declared in {yml}",
            undeclared.join(", ")
        ));
    }
    Err(WrongSetup(format!("{}: {}", model.path.display(), problems.join("; "))).into())
}

/// The value in its declared type, where that loses nothing but trailing digits of a decimal; `None` where it would guess.
fn convert(value: Expr, from: &DataType, to: ColumnType) -> Option<Expr> {
    use ColumnType as To;
    let wanted = to.arrow();
    if *from == wanted {
        return Some(value);
    }
    let text = matches!(
        from,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    );
    let fits = match to {
        // Not as a view: every batch would count all the text that it and its neighbours point into, and the sort would spill it.
        To::String if text => true,
        _ if from.is_null() => true,
        To::Bigint | To::Integer => from.is_integer(),
        To::Double => from.is_numeric(),
        To::Decimal(..) => {
            from.is_integer() || matches!(from, DataType::Decimal128(..) | DataType::Decimal256(..))
        }
        To::Timestamp => matches!(from, DataType::Timestamp(..)),
        To::String | To::Boolean | To::Date => false,
    };
    fits.then(|| cast(value, wanted))
}
