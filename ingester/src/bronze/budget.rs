//! How a worker's share of `--memory-limit` is divided between what Kafka's client fetches ahead and what waits for a commit.
//!
//! Bytes are counted, never messages: a message may be empty or a hundred megabytes. Not counted, and said in the help of the flag: the
//! program itself, its threads and connections, the log of the tables, what allocators keep, and a message that is larger than the parts below,
//! which is held a few times while it becomes a row. Nor what a batch of Kafka becomes when its client decompresses it.

/// Of a share, the part for messages that Kafka's client has fetched and nobody has read.
const KAFKA_PART: usize = 4;
/// Bounds of the bytes fetched ahead: a client with less waits for the broker, and more makes nothing faster.
const LEAST_FETCHED: usize = 1 << 20;
const MOST_FETCHED: usize = 16 << 20;
/// Of the part for rows, what may be filled before a commit; the rest is for the commit's own work.
const FULL: (usize, usize) = (3, 4);
/// Of the part for rows, a batch that is decoded and not yet encoded; its builders may double it for a moment.
const BATCH_PART: usize = 16;
const LEAST_BATCH: usize = 256 << 10;
const MOST_BATCH: usize = 8 << 20;

/// The parts of one worker's share, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Budget {
    /// Payload that Kafka's client fetches ahead. What it needs for each message beside its payload is as much again.
    pub(super) fetched: usize,
    /// A batch of rows before it is encoded.
    pub(super) batch: usize,
    /// Everything that waits for a commit; beyond it is time to commit.
    pub(super) full: usize,
}

impl Budget {
    /// Divides a share.
    pub(super) fn of(share: usize) -> Self {
        let fetched = (share / KAFKA_PART / 2).clamp(LEAST_FETCHED, MOST_FETCHED);
        let rows = share.saturating_sub(2 * fetched);
        let (some, of) = FULL;
        Self {
            fetched,
            batch: (rows / BATCH_PART).clamp(LEAST_BATCH, MOST_BATCH),
            full: (rows / of * some).max(LEAST_BATCH),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_fit_into_the_share() {
        for share in [8 << 20, 32 << 20, 64 << 20, 128 << 20, 4 << 30] {
            let budget = Budget::of(share);
            // The batch is counted in what is full; its builders can take as much again.
            assert!(
                2 * budget.fetched + budget.full + 2 * budget.batch <= share,
                "{share}: {budget:?}"
            );
            assert!(budget.full >= share / 3, "{share}: {budget:?}");
        }
        assert!(Budget::of(1).full > 0);
    }
}
