//! How much state a process may hold. When nobody says so it is a part of the memory that it can have, which is the machine's or its
//! container's.

use anyhow::Result;
use sysinfo::{MemoryRefreshKind, RefreshKind, System};
use userflow_process::exit::WrongSetup;

use super::partitions::Partitions;

/// The process has about three times as much memory as its state; a quarter leaves room for the rest.
const SHARE: u64 = 4;

/// Bytes of state: what was asked for, or a quarter of the memory there is.
pub(super) fn or_default(asked: Option<usize>) -> usize {
    asked.unwrap_or_else(|| {
        let memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
        let system = System::new_with_specifics(memory);
        let container = system.cgroup_limits().map(|limits| limits.total_memory);
        of(system.total_memory(), container)
    })
}

/// `container` is the container's limit, if it has one.
fn of(machine: u64, container: Option<u64>) -> usize {
    let memory = container.map_or(machine, |limit| limit.min(machine));
    usize::try_from(memory / SHARE).expect("memory can be addressed")
}

/// State that has outgrown its bound does not get smaller by waiting, and the machine would end the process without a word. `share` is the
/// part of the limit that is for these partitions.
pub(super) fn require_room(partitions: &Partitions, limit: usize, share: usize) -> Result<()> {
    let held = partitions.bytes();
    if held <= share {
        return Ok(());
    }
    let entities = partitions.entities();
    Err(WrongSetup(format!(
        "the state of partitions {:?} has {} MB ({entities} entities), more than this worker's share of --state-limit ({} MB): give it more memory and raise \
         the limit, start more members of the group, which share the partitions, or keep less in the feature views",
        partitions.numbers(),
        held >> 20,
        limit >> 20,
    ))
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_a_quarter_of_what_the_process_can_have() {
        assert_eq!(of(8 << 30, None), 2 << 30);
        assert_eq!(of(8 << 30, Some(1 << 30)), 256 << 20);
        assert_eq!(of(8 << 30, Some(64 << 30)), 2 << 30);
        assert_eq!(or_default(Some(5)), 5);
        let here = or_default(None);
        assert!(here > 0, "this machine has memory");
    }
}
