//! The entity of a view: columns whose values make a key.

use std::collections::HashSet;

use super::reader::Reader;
use crate::error::Problem;
use crate::features::view::ValueType;

/// What an index of PostgreSQL takes, 2,704 bytes a row, less the columns that userflow adds to a key.
const MOST_KEY_BYTES: usize = 2_600;

impl Reader<'_> {
    pub(super) fn entity(&self, entity: &[String]) -> Result<(), Problem> {
        if entity.is_empty() {
            return Err(self.problem(
                "entity",
                "no entity column: name one, as in `entity: [a, b]`",
            ));
        }
        let mut seen = HashSet::new();
        for name in entity {
            let index = self.column("entity", name)?;
            if ValueType::of_column(self.contract.columns()[index].column_type) != ValueType::Text {
                let message =
                    format!("`{name}` is no text or id column: an entity is named by texts");
                return Err(self.problem("entity", message));
            }
            if !seen.insert(name) {
                return Err(self.problem("entity", format!("`{name}` is named twice: keep one")));
            }
        }
        let most = self.contract.limits().max_key_bytes;
        if entity.len() * most > MOST_KEY_BYTES {
            let message = format!(
                "a key of {} columns could have {} bytes, and PostgreSQL indexes no more than {MOST_KEY_BYTES}: name fewer columns, or \
                 lower max_key_bytes in the contract's x-limits",
                entity.len(),
                entity.len() * most
            );
            return Err(self.problem("entity", message));
        }
        Ok(())
    }
}
