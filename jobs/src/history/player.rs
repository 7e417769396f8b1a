//! One Kafka partition's engine, told events and time in order, and the newest row of each entity that is asked for: what the online store
//! holds at that moment.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use anyhow::Result;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::row::{OwnedRow, RowConverter, SortField};
use userflow_engine::{Dimension, Engine, Events, Nobody, Plan, Settings};
use userflow_models::features::FeatureView;
use userflow_models::features::online::{self, Source};

use super::AsOf;
use crate::stream::{IDLE_TIMEOUT, MAX_AHEAD, SETTINGS};

/// Of a view: which columns of its rows are asked for, and of which entities.
pub struct Wanted {
    /// Number of the view in the plan.
    pub view: usize,
    /// The columns that are its key, and those that are answers, as the engine's rows have them.
    key: Vec<usize>,
    value: Vec<usize>,
    merged: Option<usize>,
    /// Keys as bytes; shared by the players of all partitions.
    keys: HashSet<OwnedRow>,
    key_fields: Vec<SortField>,
    value_fields: Vec<SortField>,
    key_types: Vec<DataType>,
    value_types: Vec<DataType>,
}

/// The bytes of an answer, as any converter of [`Wanted::values`] reads them.
pub type Answer = Box<[u8]>;

impl Wanted {
    /// The features of these names, and the time of the newest event and the version behind them.
    pub fn new(number: usize, view: &FeatureView, features: &[String]) -> Self {
        let stored = online::stored(view);
        let schema = online::schema(view);
        let numbers = |wanted: &dyn Fn(&online::Stored) -> bool| -> Vec<usize> {
            (0..stored.len())
                .filter(|at| wanted(&stored[*at]))
                .collect()
        };
        let named = |name: &str| {
            let at = stored.iter().position(|column| column.name == name);
            at.expect("a feature that was found in its view is a column of its rows")
        };
        let key = numbers(&|column| matches!(column.source, Source::Key(_) | Source::Start));
        let mut value: Vec<usize> = features.iter().map(|name| named(name)).collect();
        value.extend(numbers(&|column| column.source == Source::EventTime));
        value.extend(numbers(&|column| column.source == Source::Version));
        let types = |columns: &[usize]| -> Vec<DataType> {
            let types = columns.iter().map(|at| schema.field(*at).data_type());
            types.cloned().collect()
        };
        let (key_types, value_types) = (types(&key), types(&value));
        let fields = |types: &[DataType]| types.iter().cloned().map(SortField::new).collect();
        Self {
            view: number,
            key_fields: fields(&key_types),
            value_fields: fields(&value_types),
            key_types,
            value_types,
            merged: (stored.iter()).position(|column| column.source == Source::Merged),
            keys: HashSet::new(),
            key,
            value,
        }
    }

    /// A converter of keys to bytes. Every converter of the same fields gives the same bytes.
    pub fn keys(&self) -> Result<RowConverter> {
        Ok(RowConverter::new(self.key_fields.clone())?)
    }

    /// A converter of answers.
    pub fn values(&self) -> Result<RowConverter> {
        Ok(RowConverter::new(self.value_fields.clone())?)
    }

    /// The types of the key's columns.
    pub fn key_types(&self) -> &[DataType] {
        &self.key_types
    }

    /// The types of an answer's columns: the features, the time of the newest event, the version.
    pub fn value_types(&self) -> impl Iterator<Item = DataType> {
        self.value_types.iter().cloned()
    }

    /// Asks for an entity too. Says whether it is new.
    pub fn add(&mut self, key: OwnedRow) -> bool {
        self.keys.insert(key)
    }

    /// How many entities are asked for.
    pub fn entities(&self) -> usize {
        self.keys.len()
    }
}

/// What is kept of one view.
struct Kept {
    keys: RowConverter,
    values: RowConverter,
    newest: HashMap<OwnedRow, Answer>,
}

/// A partition being played.
pub struct Player {
    plan: Arc<Plan>,
    dimensions: Vec<Arc<Dimension>>,
    wanted: Arc<Vec<Wanted>>,
    kept: Vec<Kept>,
    engine: Engine,
    as_of: AsOf,
    /// Number of the event time's column.
    event_time: usize,
    /// When the last message came.
    came: Option<i64>,
    /// The watermark after it.
    watermark: Option<i64>,
}

impl Player {
    /// How long windows wait for late events: in the order of event time nothing is late.
    pub fn settings(as_of: AsOf) -> Settings {
        match as_of {
            AsOf::Known => SETTINGS,
            AsOf::EventTime => Settings {
                lateness: 0,
                ..SETTINGS
            },
        }
    }

    /// A partition before its first event.
    pub fn new(
        plan: Arc<Plan>,
        dimensions: Vec<Arc<Dimension>>,
        wanted: Arc<Vec<Wanted>>,
        event_time: usize,
        as_of: AsOf,
    ) -> Result<Self> {
        let kept = wanted.iter().map(|wanted| {
            Ok(Kept {
                keys: wanted.keys()?,
                values: wanted.values()?,
                newest: HashMap::new(),
            })
        });
        Ok(Self {
            kept: kept.collect::<Result<_>>()?,
            engine: Engine::new(Arc::clone(&plan), Self::settings(as_of), 0, 0),
            plan,
            dimensions,
            wanted,
            as_of,
            event_time,
            came: None,
            watermark: None,
        })
    }

    /// Columns of a batch as views see them.
    pub fn joined(&self, batch: &RecordBatch) -> Events {
        let mut events = Events::new(batch, self.event_time);
        self.plan.join(&mut events, &self.dimensions);
        events
    }

    /// Counts an event, whose message is at `offset` and had come at `came`; its clock may not be ahead of `said`, what Kafka says of it.
    pub fn event(&mut self, events: &Events, row: usize, offset: i64, said: i64, came: i64) {
        match self.as_of {
            AsOf::Known => {
                self.silence_until(came);
                let ceiling = said.saturating_add(MAX_AHEAD);
                if offset + 1 == self.engine.next_offset() {
                    (self.engine).apply_rest(events, row, ceiling, &mut Nobody);
                } else {
                    (self.engine).apply(events, row, offset, ceiling, &mut Nobody);
                }
            }
            // Another order than Kafka's, so a count of its own stands for the offset.
            AsOf::EventTime => {
                let next = self.engine.next_offset();
                (self.engine).apply(events, row, next, i64::MAX, &mut Nobody);
            }
        }
        self.came = Some(came);
        self.watermark = self.engine.watermark();
    }

    /// Lets time pass up to a moment, before which all events were counted.
    pub fn until(&mut self, moment: i64) {
        match self.as_of {
            AsOf::Known => self.silence_until(moment),
            AsOf::EventTime => self.engine.advance(moment, &mut Nobody),
        }
    }

    /// A partition that was silent for the idle timeout lets event time pass as the wall clock does.
    fn silence_until(&mut self, moment: i64) {
        let (Some(came), Some(watermark)) = (self.came, self.watermark) else {
            return;
        };
        let silent = moment.saturating_sub(came);
        if silent >= IDLE_TIMEOUT {
            self.engine
                .advance(watermark.saturating_add(silent), &mut Nobody);
        }
    }

    /// The row of an entity as it stands, of the view that is asked for at `wanted`.
    pub fn answer(&mut self, wanted: usize, key: &OwnedRow) -> Result<Option<&Answer>> {
        let view = self.wanted[wanted].view;
        if self.engine.changed_rows_of(view) > 0 {
            let mut rows = self.plan.rows(view);
            self.engine.take(view, usize::MAX, &mut rows);
            self.keep(wanted, &rows.finish())?;
        }
        Ok(self.kept[wanted].newest.get(key))
    }

    fn keep(&mut self, at: usize, rows: &RecordBatch) -> Result<()> {
        let (wanted, kept) = (&self.wanted[at], &mut self.kept[at]);
        let of = |columns: &[usize]| -> Vec<ArrayRef> {
            columns
                .iter()
                .map(|at| Arc::clone(rows.column(*at)))
                .collect()
        };
        let keys = kept.keys.convert_columns(&of(&wanted.key))?;
        let values = kept.values.convert_columns(&of(&wanted.value))?;
        let merged = wanted.merged.map(|at| rows.column(at).as_boolean());
        for row in 0..rows.num_rows() {
            let key = keys.row(row).owned();
            if !wanted.keys.contains(&key) {
                continue;
            }
            match merged.is_some_and(|merged| merged.is_valid(row) && merged.value(row)) {
                true => kept.newest.remove(&key),
                false => kept.newest.insert(key, values.row(row).data().into()),
            };
        }
        Ok(())
    }
}
