//! How much state a process may hold when nobody says so: a part of the memory that it can have, which is the machine's or its container's.

use sysinfo::{MemoryRefreshKind, RefreshKind, System};

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
