""".ci/run in clones where make is a shell script: what it keeps of a build for the next clone, and that nothing depends on it."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

RUNNER = Path(__file__).resolve().parents[3] / ".ci/run"
OF_THE_REGISTRY = [
    ".fingerprint/arrow-01/lib-arrow", "build/zstd-sys-02/out/libzstd.a", "deps/libarrow-01.rlib", "deps/libserde-03.so",
]  # fmt: skip
OURS = [
    ".fingerprint/userflow-lake-04/lib", "build/userflow-jobs-05/output", "deps/libuserflow_lake-04.rlib",
    "deps/userflow_lake-04.d", "deps/it-06", "userflow-jobs",
]  # fmt: skip
# What a build leaves; before it, what it found.
MAKE = f"""#!/bin/sh
[ "$*" = test ] || exit 9
(cd target 2>/dev/null && find release -type f | sort) >found
for file in {" ".join(OF_THE_REGISTRY + OURS)}; do
    mkdir -p "$(dirname "target/release/$file")"
    [ -e "target/release/$file" ] || echo built >"target/release/$file"
done
"""
PASSES = "echo '7 passed, 0 failed'\n"


class Place:
    """A cache and clones one after another."""

    def __init__(self, root):
        self.root, self.cache, self.clones = root, root / "cache/ci-target", 0
        self.make(PASSES)
        self.program("cargo", "#!/bin/sh\necho cargo 1.2.3\n")

    def make(self, ends):
        self.program("make", MAKE + ends)

    def program(self, name, text):
        (self.root / "bin").mkdir(exist_ok=True)
        (self.root / "bin" / name).write_text(text)
        (self.root / "bin" / name).chmod(0o755)

    def clone(self, lock="version = 1"):
        self.clones += 1
        clone = self.root / f"clone{self.clones}"
        for name, text in {"Cargo.toml": "", "Cargo.lock": lock, "rust-toolchain.toml": "", "lake/Cargo.toml": ""}.items():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            (clone / name).write_text(text)
        (clone / ".ci").mkdir()
        shutil.copy(RUNNER, clone / ".ci/run")
        return clone

    def start(self, clone, cache=None):
        path = f"{self.root}/bin:{os.environ['PATH']}"
        environment = os.environ | {"PATH": path, "USERFLOW_CACHE": str(cache or self.root / "cache")}
        return subprocess.Popen([clone / ".ci/run"], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, start_new_session=True)  # fmt: skip

    def run(self, clone, cache=None):
        """Exit code, output, and the files that the build found."""
        run = self.start(clone, cache)
        output, _ = run.communicate(timeout=60)
        return run.returncode, output, [line.removeprefix("release/") for line in (clone / "found").read_text().split()]

    def kept(self):
        return [key.name for key in self.cache.iterdir()]


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_the_next_clone_finds_the_crates_of_the_registry_and_none_of_ours(place):
    first = place.clone()
    assert place.run(first) == (0, "7 passed, 0 failed\n", [])
    assert place.run(place.clone()) == (0, "7 passed, 0 failed\n", OF_THE_REGISTRY)
    # Cargo compares times.
    artifact = "target/release/deps/libarrow-01.rlib"
    assert (place.root / "clone2" / artifact).stat().st_mtime_ns == (first / artifact).stat().st_mtime_ns
    # A clone has files of its own: what it writes over them does not reach the next one.
    (place.root / "clone2" / artifact).write_text("broken")
    assert place.run(place.clone())[2] == OF_THE_REGISTRY
    assert (place.root / "clone3" / artifact).read_text() == "built\n"


def test_other_dependencies_are_another_key_and_only_the_newest_is_kept(place):
    place.run(place.clone())
    [old] = place.kept()
    assert place.run(place.clone("version = 2"))[2] == []
    [new] = place.kept()
    assert new != old
    place.program("cargo", "#!/bin/sh\necho cargo 1.2.4\n")
    assert place.run(place.clone("version = 2"))[2] == []
    assert place.kept() not in ([old], [new])


@pytest.mark.parametrize("code", [1, 2])
def test_a_failure_is_the_exit_code_and_keeps_nothing(place, code):
    place.make(f"echo '6 passed, 1 failed'; exit {code}\n")
    assert place.run(place.clone())[:2] == (2 if code == 2 else 1, "6 passed, 1 failed\n")
    assert not place.cache.exists()


def test_one_that_was_killed_while_it_saved_is_no_trouble(place):
    slow = "#!/bin/sh\n" + f"/bin/cp \"$@\"; touch {place.root}/copied; sleep 60\n"
    place.program("cp", slow)
    run = place.start(place.clone())
    while not (place.root / "copied").exists():
        assert run.poll() is None
        time.sleep(0.02)
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
    [left] = place.kept()
    assert left.startswith("new.")
    place.program("cp", "#!/bin/sh\nexec /bin/cp \"$@\"\n")
    assert place.run(place.clone())[::2] == (0, [])
    [key] = place.kept()
    assert not key.startswith("new.")
    assert place.run(place.clone())[2] == OF_THE_REGISTRY


def test_it_passes_where_nothing_can_be_kept_or_copied(place):
    (place.root / "file").touch()
    assert place.run(place.clone(), cache=place.root / "file") == (0, "7 passed, 0 failed\n", [])
    place.run(place.clone())
    place.program("cp", "#!/bin/sh\n/bin/cp \"$@\"\nexit 1\n")
    code, output, found = place.run(place.clone())
    assert (code, found, output) == (0, [], "7 passed, 0 failed\n")


def test_a_build_that_is_there_is_left_alone(place):
    place.run(place.clone())
    clone = place.clone()
    (clone / "target/release").mkdir(parents=True)
    assert place.run(clone)[2] == []


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_stopped_in_the_middle_it_waits_for_the_end_of_the_tests(place, sig):
    stops = "trap 'kill $!; sleep 0.5; echo the servers are stopped; exit 1' TERM\n"
    place.make(stops + "touch started\nsleep 60 & wait $!\n" + PASSES)
    clone = place.clone()
    run = place.start(clone)
    while not (clone / "started").exists():
        assert run.poll() is None
        time.sleep(0.02)
    run.send_signal(sig)
    output, _ = run.communicate(timeout=30)
    assert run.returncode != 0 and "the servers are stopped" in output
    assert not place.cache.exists()
