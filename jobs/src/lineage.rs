//! Lineage: with every window it replaces, a commit says which version of each input it was computed from and by which definition.
//!
//! Kept as Delta `txn` actions of the table itself, in the same commit as the rows: it cannot disagree with them, it
//! survives checkpoints, and it needs no other store. [`crate::plan`] compares it with the inputs' logs.

use std::collections::{BTreeMap, HashMap};

use userflow_models::project::{Model, Project, Ref, Window};

const APP: &str = "userflow-jobs";
/// Takes the place of an input's name. No table has this name, because a table's name has a dot.
const DEFINITION: &str = "definition";

/// What a window was computed from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Computed {
    /// The SQL, columns, settings and seeds, as one number.
    pub definition: Option<i64>,
    /// The version of each input, by its SQL name.
    pub inputs: BTreeMap<String, i64>,
}

impl Computed {
    /// As `txn` actions of the table, for the commit.
    pub fn txns(&self, window: Window) -> Vec<(String, i64)> {
        let inputs = self
            .inputs
            .iter()
            .map(|(input, version)| (app_id(window, input), *version));
        let definition = self
            .definition
            .map(|definition| (app_id(window, DEFINITION), definition));
        inputs.chain(definition).collect()
    }
}

/// The lineage of every window of a table, from its `txn` actions.
pub fn read(txns: &HashMap<String, i64>) -> BTreeMap<Window, Computed> {
    let mut windows: BTreeMap<Window, Computed> = BTreeMap::new();
    for (app_id, value) in txns {
        let mut parts = app_id.splitn(3, '/');
        let (Some(APP), Some(date), Some(input)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let Ok(window) = date.parse() else {
            continue;
        };
        let computed = windows.entry(window).or_default();
        if input == DEFINITION {
            computed.definition = Some(*value);
        } else {
            computed.inputs.insert(input.to_owned(), *value);
        }
    }
    windows
}

/// The number that stands for everything that a run of the model depends on besides its tables. `judged_late_by` is how many seconds
/// after the model's own as-of time open questions were judged, when that was asked for.
pub fn definition(project: &Project, model: &Model, judged_late_by: Option<i64>) -> i64 {
    let seeds = project
        .seeds()
        .iter()
        .filter(|seed| model.refs.contains(&Ref::Seed(seed.name.clone())));
    let parts = seeds
        .map(|seed| seed.fingerprint)
        .chain(judged_late_by.map(i64::cast_unsigned));
    // Order matters and zero must not vanish: rotate, then multiply by an odd constant (FNV's).
    let mix = |all: u64, part: u64| (all.rotate_left(5) ^ part).wrapping_mul(0x0000_0100_0000_01b3);
    parts.fold(model.fingerprint, mix).cast_signed()
}

fn app_id(window: Window, input: &str) -> String {
    format!("{APP}/{window}/{input}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lineage_is_read_back_as_it_was_written() {
        let day: Window = "2026-11-01".parse().unwrap();
        let computed = Computed {
            definition: Some(-7),
            inputs: [("silver.a".to_owned(), 3), ("bronze.b".to_owned(), 0)].into(),
        };
        let mut txns: HashMap<String, i64> = computed.txns(day).into_iter().collect();
        txns.insert("userflow-bronze/topic/id/0".into(), 12);
        txns.insert("userflow-jobs/never/silver.a".into(), 1);
        assert_eq!(read(&txns), BTreeMap::from([(day, computed)]));
    }
}
