//! `arg_min(value, order)` and `arg_max(value, order)`: the value of the row that comes first, or last, by an order.
//!
//! As in DuckDB: several keys are one tuple, `arg_min(value, (time, id))`; a row whose value or order is null does not count, a null
//! inside the tuple sorts last. Unlike there, a tie does not depend on the order of the rows: the smallest value of those tied is
//! taken. Value and order may have any type, and any bytes: both are kept in Arrow's row format, whose bytes compare as the values do.

mod accumulators;
mod best;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, GroupsAccumulator, Signature, Volatility,
};

use accumulators::OfAll;
use best::Best;

/// The function: the first by the order, or the last.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ArgMin {
    signature: Signature,
    last: bool,
}

impl ArgMin {
    /// `arg_min`.
    pub fn first() -> Self {
        Self {
            signature: Signature::user_defined(Volatility::Immutable),
            last: false,
        }
    }

    /// `arg_max`.
    pub fn last() -> Self {
        Self {
            last: true,
            ..Self::first()
        }
    }

    fn best(&self, args: &AccumulatorArgs<'_>) -> Result<Best> {
        let value = args.return_field.data_type();
        Best::new(value, args.expr_fields[1].data_type(), self.last)
    }
}

impl AggregateUDFImpl for ArgMin {
    fn name(&self) -> &str {
        if self.last { "arg_max" } else { "arg_min" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let name = self.name();
        let [value, order] = types else {
            return plan_err!(
                "{name} takes a value and an order, and several keys as one tuple: {name}(value, (first, second))"
            );
        };
        let types = vec![plain(value), plain(order)];
        let fields: Vec<SortField> = types.iter().cloned().map(SortField::new).collect();
        if !RowConverter::supports_fields(&fields) {
            return plan_err!("{name} cannot compare {value} by {order}");
        }
        Ok(types)
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types[0].clone())
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        // Both as bytes of the row format: nothing is decoded between two phases, and a part of a batch that is spilled holds its own
        // bytes only, where a part of a column of views counts the text of all.
        let field = |name| {
            let name = format_state_name(args.name, name);
            Arc::new(Field::new(name, DataType::LargeBinary, true))
        };
        Ok(vec![field("value"), field("order")])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(OfAll::new(self.best(&args)?)))
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(self.best(&args)?))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn supports_null_handling_clause(&self) -> bool {
        false
    }
}

/// The type of what is kept: the row format knows values, not how they were packed.
fn plain(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, values) => plain(values),
        DataType::RunEndEncoded(_, values) => plain(values.data_type()),
        other => other.clone(),
    }
}
