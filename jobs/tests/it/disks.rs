//! Queries that spill where there is no room, no right to write, or no open file left: a clean error that says what to do, nothing
//! published, nothing left behind.

use std::path::Path;
use std::process::Command;

use crate::world::World;

const RUN: [&str; 8] = [
    "run",
    "silver.visits",
    "--date",
    "2026-11-01",
    "--memory-limit",
    "4MB",
    "--threads",
    "2",
];

/// A day that does not fit into the memory of [`RUN`], and a first, small version of it that is published.
fn world() -> World {
    let world = World::new();
    world.events(&[("first", "ann", 1, "2026-11-01T08:00:00Z")]);
    world.ok(&RUN);
    let ids: Vec<String> = (0..200_000).map(|visit| format!("{visit:032}")).collect();
    let events: Vec<_> = ids
        .iter()
        .map(|id| (id.as_str(), id.as_str(), 1, "2026-11-01T08:00:00Z"))
        .collect();
    world.events(&events);
    world
}

/// The same command behind what a shell does first.
fn behind(prelude: &str, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("{prelude}; exec \"$0\" \"$@\"")])
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear();
    for (name, value) in command.get_envs() {
        shell.env(name, value.unwrap());
    }
    shell
}

fn entries(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Runs it, and finds the old version published, no file of a new one, and an empty spill folder.
fn fails(world: &World, prelude: &str, spill: &Path) -> (i32, String) {
    let published = world.content("silver.visits");
    let stored = entries(&world.lake_dir().join("silver/visits/event_date=2026-11-01"));
    let folder = spill.to_string_lossy();
    let command = world.command(&[&RUN[..], &["--spill-dir", &folder]].concat());
    let output = behind(prelude, &command).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(world.content("silver.visits"), published);
    let now = entries(&world.lake_dir().join("silver/visits/event_date=2026-11-01"));
    assert_eq!(now, stored, "{said}");
    if spill.is_dir() {
        assert_eq!(entries(spill), [""; 0], "{said}");
    }
    (output.status.code().unwrap(), said)
}

#[test]
fn a_spill_folder_without_room_files_or_rights_is_a_clean_error() {
    let world = world();
    let spill = world.models().join("../spill");
    std::fs::create_dir(&spill).unwrap();
    // A file may have 64 KB: what a full disk does, without a disk to fill.
    let (code, said) = fails(&world, "trap '' XFSZ; ulimit -f 128", &spill);
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("is full: make room in it")
            && said.contains("--spill-dir")
            && said.contains("spill"),
        "{said}"
    );
    let (code, said) = fails(&world, "ulimit -n 28", &spill);
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("too many files are open: raise the limit (ulimit -n)"),
        "{said}"
    );
    let file = world.models().join("../file");
    std::fs::write(&file, "not a folder").unwrap();
    for folder in [file.clone(), file.join("below")] {
        let (code, said) = fails(&world, ":", &folder);
        assert_eq!(code, 2, "{said}");
        assert!(
            said.contains("cannot be written to: name one that can with --spill-dir"),
            "{said}"
        );
    }
    // With room again, the same command goes through.
    let folder = spill.to_string_lossy();
    let report = world.ok(&[&RUN[..], &["--spill-dir", &folder]].concat());
    assert_eq!(report["rows_written"], 200_001);
    assert_eq!(entries(&spill), [""; 0]);
}
