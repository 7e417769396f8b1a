//! What is known about the messages of a portion before one of them is decoded: which have a row in bronze, and which the ingester has
//! passed.

use anyhow::Result;
use futures::StreamExt;
use userflow_lake::Snapshot;

use super::messages::{IngesterOffsets, Messages, PLACES};
use super::tally::{Example, Tally, Today};
use crate::quarantine::{Landed, Place, Portion, Rows, Selection, Topics, Wanted, landed};
use crate::workspace::Workspace;

/// What a version of bronze says about a portion.
pub(super) struct Known {
    topics: Topics,
    pub(super) offsets: IngesterOffsets,
    pub(super) landed: Landed,
    /// What waits for the next commit, or is in the last one.
    pub(super) passed: Landed,
}

impl Known {
    /// What is known about the messages of a portion before one is decoded. Counts those that are not to be, and returns how many are.
    pub(super) async fn look(
        workspace: &Workspace,
        selection: &Selection,
        (quarantine, portion): (&Snapshot, &Portion),
        bronze: &Snapshot,
        counted: &mut Tally,
    ) -> Result<(Self, u64)> {
        let mut known = Self {
            topics: Topics::default(),
            offsets: IngesterOffsets::read(bronze).await?,
            landed: Landed::default(),
            passed: Landed::default(),
        };
        let mut rows: Vec<(String, Place, bool)> = Vec::new();
        let mut batches = selection
            .read(workspace, quarantine, portion, &PLACES)
            .await?;
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(|error| selection.failed(error))?;
            let messages = Messages::of(&batch)?;
            for row in 0..batch.num_rows() {
                let reason = messages.reason(row);
                match known.place(&messages, row) {
                    Some(place) => {
                        let passed = known.offsets.has_passed(&messages, row, &place);
                        rows.push((reason.to_owned(), place, passed));
                    }
                    None => counted.count(reason, Today::WithoutPlace, || {
                        Example::new(None, None, None)
                    }),
                }
            }
        }
        let wanted: Wanted = rows.iter().map(|(_, place, _)| *place).collect();
        let topics = &mut known.topics;
        known.landed = landed(workspace, bronze, &wanted, Rows::All, topics).await?;
        let mut to_decode = 0;
        for (reason, place, passed) in rows {
            let today = match (known.landed.has(&place), passed) {
                (true, _) => Today::LandedBefore,
                (false, false) => Today::BeingIngested,
                (false, true) => {
                    to_decode += 1;
                    continue;
                }
            };
            counted.count(&reason, today, || Example::new(Some(place), None, None));
        }
        Ok((known, to_decode))
    }

    /// Where a message stood in Kafka.
    pub(super) fn place(&mut self, messages: &Messages, row: usize) -> Option<Place> {
        messages.places.at(row, &mut self.topics)
    }
}
