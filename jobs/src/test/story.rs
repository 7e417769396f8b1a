//! What was sent in a case so far, so that a failure can show the events that led to it.

use std::collections::BTreeMap;

use userflow_models::cases::Sent;

/// A message of a case.
struct Told {
    text: String,
    /// The text cells of its row by column; none: it was refused.
    cells: Option<BTreeMap<String, String>>,
}

/// The messages of a case, in order, and the time that passed between them.
#[derive(Default)]
pub(super) struct Story(Vec<Told>);

impl Story {
    /// A message; `cells` are those of its row, `notes` what became of it.
    pub(super) fn message(
        &mut self,
        sent: &Sent,
        cells: Option<BTreeMap<String, String>>,
        notes: &[String],
    ) {
        let mut text = sent.title.clone();
        if !sent.fields.is_empty() {
            text = format!("{text}: {}", sent.fields);
        }
        for note in notes {
            text = format!("{text}   ({note})");
        }
        self.0.push(Told { text, cells });
    }

    /// Time that passed: it is of every entity.
    pub(super) fn time(&mut self, text: String) {
        let cells = Some(BTreeMap::new());
        self.0.push(Told { text, cells });
    }

    /// The events of a row, by the cells of its key that are columns of the contract; all of them, refused ones too, without such.
    pub(super) fn of(&self, key: &[(String, String)], columns: &[String]) -> Vec<String> {
        let known = |(name, _): &&(String, String)| columns.contains(name);
        let key: Vec<&(String, String)> = key.iter().filter(known).collect();
        let fits = |told: &&Told| match &told.cells {
            None => key.is_empty(),
            Some(cells) => key
                .iter()
                .all(|(name, text)| cells.is_empty() || cells.get(name) == Some(text)),
        };
        self.0
            .iter()
            .filter(fits)
            .map(|told| told.text.clone())
            .collect()
    }
}
