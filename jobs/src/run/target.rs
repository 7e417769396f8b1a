//! The table that a run replaces a partition of: whether it fits, and what happens to files that it does not get.

use anyhow::Result;
use datafusion::arrow::datatypes::DataType;
use serde_json::{Map, json};
use userflow_lake::{NewFile, Snapshot};
use userflow_models::project::{Model, PARTITION_COLUMN, Window};
use userflow_process::exit::WrongSetup;

/// The stored table must have the declared columns before anything is computed for it.
pub(super) fn check_columns(model: &Model, target: &Snapshot) -> Result<()> {
    let (stored, declared) = (target.schema(), model.schema());
    for field in declared.fields() {
        match stored.field_with_name(field.name()) {
            Ok(found) if same(found.data_type(), field.data_type()) => {}
            Ok(found) => {
                let (column, is, wanted) = (field.name(), found.data_type(), field.data_type());
                return Err(WrongSetup(format!(
                    "table {}: column {column} is stored as {is} and {} declares {wanted}: rename the column, or remove the \
                     table's folder, run `userflow-jobs init` and backfill",
                    model.name,
                    model.yml.display()
                ))
                .into());
            }
            Err(_) => {
                let message = "is declared and not stored yet: run `userflow-jobs init`";
                return Err(WrongSetup(format!(
                    "table {}: column {} {message}",
                    model.name,
                    field.name()
                ))
                .into());
            }
        }
    }
    Ok(())
}

fn same(stored: &DataType, declared: &DataType) -> bool {
    stored == declared
        || (*declared == DataType::Utf8
            && matches!(stored, DataType::Utf8View | DataType::LargeUtf8))
}

/// Removes a candidate. What cannot be removed is an orphan that `maintain` removes later.
pub(super) async fn discard(target: &Snapshot, files: &[NewFile]) {
    if let Err(error) = target.table().discard(files).await {
        tracing::warn!("the files that were not published stay behind until `maintain`: {error}");
    }
}

/// What the table's history shows, in the words that other writers use for an overwrite of partitions.
pub(super) fn describe(window: Window) -> Map<String, serde_json::Value> {
    let predicate = format!("{PARTITION_COLUMN} = '{window}'");
    Map::from_iter([(
        "operationParameters".to_owned(),
        json!({"mode": "Overwrite", "partitionBy": format!("[\"{PARTITION_COLUMN}\"]"), "predicate": predicate}),
    )])
}
