//! Which files a query needs: filters on the partition column are evaluated on the files' partition values, whatever their form, so
//! they need not be evaluated on rows again.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray, Date32Array, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::Session;
use datafusion::common::cast::as_boolean_array;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr_rewriter::unnormalize_col;
use datafusion::logical_expr::{Expr, Volatility};
use userflow_lake::{DataFile, PARTITION};

/// Whether a filter can be decided from the partition value alone.
pub(super) fn on_partition_only(filter: &Expr) -> bool {
    let mut decidable = true;
    let walked = filter.apply(|node| {
        decidable &= match node {
            Expr::Column(column) => column.name == PARTITION,
            Expr::ScalarFunction(call) => call.func.signature().volatility == Volatility::Immutable,
            Expr::Literal(..)
            | Expr::BinaryExpr(_)
            | Expr::Between(_)
            | Expr::InList(_)
            | Expr::Cast(_)
            | Expr::TryCast(_)
            | Expr::Not(_)
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsTrue(_)
            | Expr::IsFalse(_)
            | Expr::Negative(_)
            | Expr::Alias(_) => true,
            _ => false,
        };
        Ok(if decidable {
            TreeNodeRecursion::Continue
        } else {
            TreeNodeRecursion::Stop
        })
    });
    walked.is_ok() && decidable && !filter.column_refs().is_empty()
}

/// The files that may hold rows for which all filters are true.
pub(super) fn files<'a>(
    state: &dyn Session,
    files: &'a [DataFile],
    filters: &[Expr],
) -> Result<Vec<&'a DataFile>> {
    let schema = Arc::new(Schema::new(vec![Field::new(
        PARTITION,
        DataType::Date32,
        true,
    )]));
    let values: ArrayRef = Arc::new(
        files
            .iter()
            .map(|file| file.partition)
            .collect::<Date32Array>(),
    );
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![values])?;
    let names = DFSchema::try_from(schema)?;
    let mut keep = vec![true; files.len()];
    for filter in filters.iter().filter(|filter| on_partition_only(filter)) {
        let bare = unnormalize_col(filter.clone());
        let decided = state
            .create_physical_expr(bare, &names)?
            .evaluate(&batch)?
            .into_array(files.len())?;
        let decided: &BooleanArray = as_boolean_array(&decided)?;
        for (keep, decided) in keep.iter_mut().zip(decided) {
            // A condition that is null keeps no row, as in SQL.
            *keep &= decided.unwrap_or(false);
        }
    }
    Ok(files
        .iter()
        .zip(keep)
        .filter_map(|(file, keep)| keep.then_some(file))
        .collect())
}
