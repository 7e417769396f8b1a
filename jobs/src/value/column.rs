//! A column of the lake as values that can be compared.

use std::sync::Arc;

use anyhow::Result;
use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Decimal128Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};

use super::{Kind, Value};

/// What values of a column can be compared with.
pub fn kind(data_type: &DataType) -> Option<Kind> {
    Some(match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::Text,
        DataType::Boolean => Kind::Boolean,
        DataType::Timestamp(..) => Kind::Time,
        DataType::Int32 | DataType::Int64 | DataType::Date32 | DataType::Float64 => Kind::Number,
        DataType::Decimal128(_, scale) if *scale >= 0 => Kind::Number,
        _ => return None,
    })
}

/// The values of a column, in the few types that values are compared in.
pub fn values(column: &ArrayRef) -> Result<Vec<Value>> {
    let as_type = |data_type: &DataType| cast(column, data_type);
    Ok(match column.data_type() {
        DataType::Boolean => collect(column, |row| Value::Boolean(column.as_boolean().value(row))),
        DataType::Timestamp(..) => {
            let utc = as_type(&DataType::Timestamp(
                TimeUnit::Microsecond,
                Some("UTC".into()),
            ))?;
            let times = utc.as_primitive::<TimestampMicrosecondType>();
            collect(column, |row| Value::Time(times.value(row)))
        }
        DataType::Decimal128(_, scale) => {
            let (digits, scale) = (
                column.as_primitive::<Decimal128Type>(),
                u32::try_from(*scale)?,
            );
            let value = |row| Value::Decimal {
                unscaled: digits.value(row),
                scale,
            };
            collect(column, value)
        }
        DataType::Float64 => {
            let numbers = column.as_primitive::<Float64Type>();
            collect(column, |row| Value::Double(numbers.value(row)))
        }
        DataType::Int32 | DataType::Int64 | DataType::Date32 => {
            // A date counts days; there is no cast from it to 64 bits in one step.
            let narrow = match column.data_type() {
                DataType::Date32 => as_type(&DataType::Int32)?,
                _ => Arc::clone(column),
            };
            let wide = cast(&narrow, &DataType::Int64)?;
            let numbers = wide.as_primitive::<Int64Type>();
            collect(column, |row| Value::Integer(numbers.value(row)))
        }
        _ => {
            let texts = as_type(&DataType::Utf8)?;
            let texts = texts.as_string::<i32>();
            collect(column, |row| Value::Text(texts.value(row).to_owned()))
        }
    })
}

fn collect(column: &ArrayRef, value: impl Fn(usize) -> Value) -> Vec<Value> {
    let or_null = |row| match column.is_null(row) {
        true => Value::Null,
        false => value(row),
    };
    (0..column.len()).map(or_null).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{
        BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, StringViewArray,
        TimestampMillisecondArray,
    };

    #[test]
    fn every_type_of_the_lake_becomes_a_value_and_null_stays_null() {
        let decimals = Decimal128Array::from(vec![Some(-205), None]).with_precision_and_scale(5, 2);
        let times =
            TimestampMillisecondArray::from(vec![Some(1_500), None]).with_timezone("+09:00");
        let unscaled = -205;
        let columns: [(ArrayRef, Value); 7] = [
            (
                Arc::new(decimals.unwrap()),
                Value::Decimal { unscaled, scale: 2 },
            ),
            (Arc::new(times), Value::Time(1_500_000)),
            (
                Arc::new(Date32Array::from(vec![Some(20_758), None])),
                Value::Integer(20_758),
            ),
            (
                Arc::new(Int32Array::from(vec![Some(-1), None])),
                Value::Integer(-1),
            ),
            (
                Arc::new(Float64Array::from(vec![Some(0.5), None])),
                Value::Double(0.5),
            ),
            (
                Arc::new(BooleanArray::from(vec![Some(true), None])),
                Value::Boolean(true),
            ),
            (
                Arc::new(StringViewArray::from(vec![Some("é"), None])),
                Value::Text("é".to_owned()),
            ),
        ];
        for (column, first) in columns {
            assert!(kind(column.data_type()).is_some(), "{}", column.data_type());
            assert_eq!(
                values(&column).unwrap(),
                [first, Value::Null],
                "{}",
                column.data_type()
            );
        }
    }

    #[test]
    fn what_has_no_counterpart_online_is_not_compared() {
        for data_type in [
            DataType::Binary,
            DataType::Null,
            DataType::Decimal128(5, -2),
        ] {
            assert_eq!(kind(&data_type), None);
        }
    }
}
