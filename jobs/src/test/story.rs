//! What was sent in a case so far, so that a failure can show the events that led to it.

use std::collections::BTreeMap;

use userflow_models::cases::Sent;

/// The text cells of a row, by column.
pub(super) type Row = BTreeMap<String, String>;

/// A message of a case, or time that passed.
struct Told {
    text: String,
    of: Whose,
}

/// Whose rows it led to.
enum Whose {
    /// Every entity's: time passes for all.
    All,
    /// Those of its events.
    Rows(Vec<Row>),
    /// Nobody's: it was refused.
    Nobody,
}

/// The messages of a case, in order, and the time that passed between them.
#[derive(Default)]
pub(super) struct Story(Vec<Told>);

impl Story {
    /// A message; `rows` are those of its events, `notes` what became of it.
    pub(super) fn message(&mut self, sent: &Sent, rows: Option<Vec<Row>>, notes: &[String]) {
        let mut text = sent.title.clone();
        if !sent.fields.is_empty() {
            text = format!("{text}: {}", sent.fields);
        }
        for note in notes {
            text = format!("{text}   ({note})");
        }
        let of = rows.map_or(Whose::Nobody, Whose::Rows);
        self.0.push(Told { text, of });
    }

    /// Time that passed: it is of every entity.
    pub(super) fn time(&mut self, text: String) {
        let of = Whose::All;
        self.0.push(Told { text, of });
    }

    /// The events of a row, by the cells of its key that are columns of the contract; all of them, refused ones too, without such.
    pub(super) fn of(&self, key: &[(String, String)], columns: &[String]) -> Vec<String> {
        let known = |(name, _): &&(String, String)| columns.contains(name);
        let key: Vec<&(String, String)> = key.iter().filter(known).collect();
        let is = |row: &Row| key.iter().all(|(name, text)| row.get(name) == Some(text));
        let fits = |told: &&Told| match &told.of {
            Whose::All => true,
            Whose::Rows(rows) => rows.iter().any(is),
            Whose::Nobody => key.is_empty(),
        };
        self.0
            .iter()
            .filter(fits)
            .map(|told| told.text.clone())
            .collect()
    }
}
