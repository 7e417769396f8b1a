//! A feature whose value is that of the first case that applies.

use serde_yaml_ng::Value;

use super::reader::Reader;
use crate::error::Problem;
use crate::features::view::{Aggregation, Case, Condition, Feature};

impl Reader<'_> {
    pub(super) fn cases(
        &self,
        name: &str,
        argument: &Value,
        before: &[Feature],
    ) -> Result<Aggregation, Problem> {
        let shape = || {
            let message =
                format!("`{name}`: write `case: [{{is: A, if: {{feature: value}}}}, {{is: B}}]`");
            self.problem(name, message)
        };
        let mut cases = Vec::new();
        for case in argument.as_sequence().ok_or_else(shape)? {
            let case = case.as_mapping().ok_or_else(shape)?;
            let value = case.get("is").and_then(Value::as_str).ok_or_else(shape)?;
            let mut conditions = Vec::new();
            for (key, wanted) in case
                .get("if")
                .and_then(Value::as_mapping)
                .into_iter()
                .flatten()
            {
                let key = key.as_str().ok_or_else(shape)?;
                if key == "timed_out" {
                    conditions.push(Condition::TimedOut);
                    continue;
                }
                let index = self.earlier(name, key, before)?;
                if matches!(
                    before[index].aggregation,
                    Aggregation::Appeared(_)
                        | Aggregation::Detail(_)
                        | Aggregation::Coalesce(_)
                        | Aggregation::TopK { .. }
                ) {
                    let message = format!(
                        "`{name}`: a case cannot ask for `{key}`: ask for the features that it is made of"
                    );
                    return Err(self.problem(name, message));
                }
                let test = self.test(name, before[index].value_type, wanted)?;
                conditions.push(Condition::Feature(index, test));
            }
            if case.len() != 1 + usize::from(case.contains_key("if")) {
                return Err(shape());
            }
            cases.push(Case {
                value: value.to_owned(),
                conditions,
            });
        }
        let Some((_, before)) = cases.split_last() else {
            return Err(shape());
        };
        if let Some(case) = before.iter().find(|case| case.conditions.is_empty()) {
            let message = format!(
                "`{name}`: `{}` has no conditions, so the cases below it are never reached: make it the last one",
                case.value
            );
            return Err(self.problem(name, message));
        }
        Ok(Aggregation::Case(cases))
    }
}
