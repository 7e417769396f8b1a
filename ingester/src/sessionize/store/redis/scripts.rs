//! The scripts that change anything in Redis, and how they are called: each checks that who writes still owns the partition.
//!
//! A call has the keys of several partitions and of userflow beside those of readers, so it does not work in Redis Cluster.

use std::collections::BTreeMap;

use redis::{Cmd, Script};

use super::shape::{Change, Shape, What};

/// Rows of one call: few enough to hold nobody up, since Redis does nothing else meanwhile.
pub(super) const ROWS_OF_CALL: usize = 200;

/// The scripts.
pub(super) struct Scripts {
    pub(super) claim: Script,
    pub(super) write: Script,
    pub(super) remove: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        let common = include_str!("common.lua");
        Self {
            claim: Script::new(include_str!("claim.lua")),
            write: Script::new(&format!("{common}{}", include_str!("write.lua"))),
            remove: Script::new(&format!("{common}{}", include_str!("remove.lua"))),
        }
    }
}

/// Who owns a partition, as Redis keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    /// Of which topic and which PostgreSQL the rows are: another one has other offsets and other epochs.
    pub(super) lineage: String,
    pub(super) epoch: i64,
}

impl Owner {
    pub(super) fn text(&self) -> String {
        format!("{}@{}", self.lineage, self.epoch)
    }
}

/// The key under which it is kept.
pub(super) fn owner_key(topic: &str, partition: i32) -> String {
    format!("userflow:owner:{topic}:{partition}")
}

/// The key of a view's rows of a partition.
pub(super) fn index_key(view: &str, partition: i32) -> String {
    format!("userflow:index:{view}:{partition}")
}

/// A call of a script that the server has already.
fn call(script: &Script, keys: &[String]) -> Cmd {
    let mut cmd = redis::cmd("EVALSHA");
    cmd.arg(script.get_hash()).arg(keys.len());
    for key in keys {
        cmd.arg(key);
    }
    cmd
}

impl Scripts {
    /// A call that takes a partition; `force`: also from an owner with a higher epoch.
    pub(super) fn claim(&self, topic: &str, partition: i32, owner: &Owner, force: bool) -> Cmd {
        let mut cmd = call(&self.claim, &[owner_key(topic, partition)]);
        let force = if force { "force" } else { "" };
        cmd.arg(&owner.lineage).arg(owner.epoch).arg(force);
        cmd
    }

    /// A call that writes these changes, all of partitions that `owners` has; and the partitions in the order in which it checks them.
    pub(super) fn write(
        &self,
        topic: &str,
        owners: &BTreeMap<i32, Owner>,
        shapes: &BTreeMap<usize, &Shape>,
        changes: &[Change],
    ) -> (Cmd, Vec<i32>) {
        let mut partitions: Vec<i32> = changes.iter().map(|change| change.partition).collect();
        partitions.sort_unstable();
        partitions.dedup();
        let mut keys: Vec<String> = (partitions.iter())
            .map(|partition| owner_key(topic, *partition))
            .collect();
        keys.extend(changes.iter().map(|change| change.key.clone()));
        let mut cmd = call(&self.write, &keys);
        cmd.arg(partitions.len());
        for partition in &partitions {
            cmd.arg(owners[partition].text());
        }
        for change in changes {
            let shape = shapes[&change.view];
            cmd.arg(&shape.name)
                .arg(change.partition)
                .arg(change.version)
                .arg(change.event_time);
            match change.ttl {
                Some(ttl) => cmd.arg(ttl),
                None => cmd.arg(""),
            };
            match &change.what {
                What::Hash { set, unset } => {
                    cmd.arg("hash").arg(set.len() * 2);
                    for (field, value) in set {
                        cmd.arg(field).arg(value);
                    }
                    several(&mut cmd, unset);
                }
                What::List(values) => {
                    cmd.arg("list");
                    several(&mut cmd, values);
                    cmd.arg(0);
                }
                What::Gone => {
                    cmd.arg(if shape.is_list { "no list" } else { "no hash" });
                    several(&mut cmd, &shape.fields);
                    several(&mut cmd, &shape.key_fields);
                }
            }
        }
        (cmd, partitions)
    }

    /// A call that removes what a view has under these keys: all of it, or what is older than `before`.
    pub(super) fn remove(
        &self,
        topic: &str,
        (partition, owner): (i32, &Owner),
        shape: &Shape,
        before: Option<i64>,
        keys: &[String],
    ) -> Cmd {
        let mut all = vec![owner_key(topic, partition)];
        all.extend_from_slice(keys);
        let mut cmd = call(&self.remove, &all);
        cmd.arg(owner.text()).arg(&shape.name).arg(partition);
        match before {
            Some(before) => cmd.arg(before),
            None => cmd.arg(""),
        };
        cmd.arg(if shape.is_list { "list" } else { "hash" });
        several(&mut cmd, &shape.fields);
        several(&mut cmd, &shape.key_fields);
        cmd
    }
}

/// A number of values, and the values.
fn several(cmd: &mut Cmd, values: &[String]) {
    cmd.arg(values.len());
    for value in values {
        cmd.arg(value);
    }
}
