"""tests/run itself, in a tree of its own where cargo is a shell script and the servers are pretended.

What counts: its sums are right, nothing that goes wrong can end in success, and nothing it started outlives it.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

RUNNER = Path(__file__).resolve().parents[2] / "run"

GOOD_CARGO = """
echo '     Running unittests src/lib.rs (target/release/deps/userflow_lake-0123abcd)' >&2
echo 'test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.25s'
echo '     Running unittests src/main.rs (target/release/deps/userflow_lake-4567abcd)' >&2
echo 'test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s'
echo '     Running tests/it/main.rs (target/release/deps/it-89abcdef)' >&2
echo 'test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.50s'
echo '   Doc-tests userflow_lake' >&2
echo 'test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.50s'
"""
GOOD_TEST = "def test_truth(): assert True\n"
BUILD = 'mkdir -p target/release; for name in ingester jobs; do echo "$*" >target/release/userflow-$name; done; exit 0'


class Tree:
    def __init__(self, root):
        self.root = root
        self.script("tests/run", RUNNER.read_text(), interpreter="")
        servers = {
            "kafka": "USERFLOW_BROKERS=127.0.0.1:1",
            "postgres": "USERFLOW_POSTGRES_URL=postgres://x",
            "redis": "USERFLOW_REDIS_URL=redis://x",
        }
        for server, variable in servers.items():
            self.script(f"deploy/servers/{server}", f'echo "$1" >>"$0.calls"; [ "$1" != start ] || echo {variable}')
        self.script("deploy/servers/trino", "echo no Java here >&2; exit 1")
        self.script("deploy/setup", 'echo "$@" >"$0.calls"')
        self.script(".userflow/venv/bin/python", f'exec {sys.executable} "$@"')
        self.file("Cargo.toml", "")
        self.cargo(GOOD_CARGO)

    def file(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def script(self, name, text, interpreter="#!/bin/sh\n"):
        self.file(name, interpreter + text).chmod(0o755)

    def cargo(self, test, build=BUILD, programs="exit 0"):
        self.script("bin/cargo", f'case "$*" in build*) {build};; *--no-run) {programs};; esac\n{test}')

    def start(self, *words, stdout=subprocess.PIPE):
        environment = {**os.environ, "PATH": f"{self.root}/bin:{os.environ['PATH']}", "USERFLOW_LAKE": "/the/users/own"}
        return subprocess.Popen([self.root / "tests/run", *words], env=environment, stdin=subprocess.DEVNULL,
                                stdout=stdout, stderr=subprocess.STDOUT, text=True)

    def run(self, *words):
        run = self.start(*words)
        output, _ = run.communicate(timeout=60)
        return run.returncode, output

    def installed(self):
        return (self.root / "deploy/setup.calls").read_text().split()

    def calls(self, server):
        return (self.root / f"deploy/servers/{server}.calls").read_text().split()


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


def last_line(output):
    return output.splitlines()[-1]


def test_sums_all_suites(tree):
    tree.file("tests/python/airflow/test_d.py", GOOD_TEST)
    tree.file("tests/python/test_a.py", GOOD_TEST + "def test_more(): pass\n")
    tree.file("tests/python/e2e/test_b.py", GOOD_TEST)
    code, output = tree.run()
    assert (code, last_line(output)) == (0, "10 passed, 0 failed, 1 skipped"), output
    assert re.search(r"^rust userflow_lake +4 passed +0 failed +0\.8 s", output, re.M)
    assert re.search(r"^rust userflow_lake it +2 passed", output, re.M)
    assert re.search(r"^trino +left out: no Java here$", output, re.M)
    assert tree.calls("kafka") == tree.calls("postgres") == tree.calls("redis") == ["stop", "start", "stop"]


def test_the_figures_of_fault_tests_are_repeated_at_the_end(tree):
    tree.file("tests/python/test_a.py", "def test_faults(capsys):\n    with capsys.disabled():\n"
              "        print('\\nrow 99, something: 3 rounds')\n")
    code, output = tree.run("python")
    assert code == 0 and output.splitlines()[-3] == "row 99, something: 3 rounds", output


def test_a_failure_is_counted_and_its_log_shown(tree):
    tree.file("tests/python/test_a.py", GOOD_TEST + "def test_lie(): assert 1 == 2, 'the reason'\n")
    code, output = tree.run("python")
    assert (code, last_line(output)) == (1, "1 passed, 1 failed"), output
    assert "the reason" in output


def test_a_rust_failure_is_counted(tree):
    tree.cargo(GOOD_CARGO.replace("ok. 2 passed; 0 failed", "FAILED. 1 passed; 1 failed") + "exit 101")
    code, output = tree.run("rust")
    assert (code, last_line(output)) == (1, "5 passed, 1 failed, 1 skipped"), output


@pytest.mark.parametrize("end", ["exit 101", "kill -9 $$"])
def test_a_test_program_that_dies_is_a_failure(tree, end):
    tree.cargo(GOOD_CARGO + end)
    code, output = tree.run("rust")
    assert (code, last_line(output)) == (1, "6 passed, 1 failed, 1 skipped"), output


@pytest.mark.parametrize("text", ["", "import nothing_of_this_name\n", "raise SystemExit(0)\n"])
def test_a_suite_that_runs_no_test_is_a_failure(tree, text):
    tree.file("tests/python/test_a.py", text)
    code, output = tree.run("python")
    assert (code, last_line(output)) == (1, "0 passed, 1 failed"), output


def test_trino_runs_where_there_is_a_java_for_it(tree):
    tree.file("tests/python/airflow/test_d.py", GOOD_TEST)
    tree.file("tests/python/test_a.py", GOOD_TEST)
    tree.file("tests/python/e2e/test_b.py", GOOD_TEST)
    tree.file("tests/python/trino/test_c.py", GOOD_TEST)
    tree.script("deploy/servers/trino", '[ "$1" = java ]')
    code, output = tree.run()
    assert (code, last_line(output)) == (0, "10 passed, 0 failed, 1 skipped"), output


def test_trino_asked_for_is_not_left_out(tree):
    code, output = tree.run("trino")
    assert (code, last_line(output)) == (1, "0 passed, 1 failed"), output


def test_what_does_not_build_is_a_failure(tree):
    tree.cargo(GOOD_CARGO, build="exit 101")
    code, output = tree.run()
    assert (code, last_line(output)) == (1, "0 passed, 1 failed"), output


def test_the_binaries_with_fail_points_are_kept_apart_from_the_product(tree):
    tree.file("tests/python/test_a.py", GOOD_TEST)
    tree.run("python")
    assert not (tree.root / "target/failpoints").exists()
    tree.run("rust")
    for binary in ("userflow-ingester", "userflow-jobs"):
        assert "failpoints" in (tree.root / "target/failpoints" / binary).read_text()
        assert "failpoints" not in (tree.root / "target/release" / binary).read_text()


def test_test_programs_that_do_not_build_are_a_failure_beside_the_other_suites(tree):
    tree.cargo(GOOD_CARGO, programs="echo no such type; exit 101")
    tree.file("tests/python/test_a.py", GOOD_TEST)
    code, output = tree.run("rust", "python")
    assert (code, last_line(output)) == (1, "1 passed, 1 failed"), output
    assert "no such type" in output and re.search(r"^rust .* its test programs do not build$", output, re.M)


WAITS_FOR = """
import os, time
def test_waits():
    open("{mine}", "w").close()
    deadline = time.monotonic() + 20
    while not os.path.exists("{other}"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
"""


def test_suites_run_at_the_same_time_and_are_told_in_their_order(tree):
    tree.file("tests/python/test_a.py", WAITS_FOR.format(mine="python-is-here", other="e2e-is-here"))
    tree.file("tests/python/e2e/test_b.py", WAITS_FOR.format(mine="e2e-is-here", other="python-is-here"))
    code, output = tree.run("python", "e2e")
    assert (code, last_line(output)) == (0, "2 passed, 0 failed"), output
    assert [line.split()[0] for line in output.splitlines()[-3:-1]] == ["e2e", "python"]


def test_one_after_another_where_that_is_asked_for(tree):
    tree.file("tests/python/test_a.py", "import os\ndef test_after(): assert os.path.exists('e2e-has-ended')\n")
    tree.file("tests/python/e2e/test_b.py", """
import time
def test_takes_its_time():
    time.sleep(0.5)
    open("e2e-has-ended", "w").close()
""")
    for words in (["--at-once", "1"], ["--verbose"]):
        code, output = tree.run("python", "e2e", *words)
        assert (code, last_line(output)) == (0, "2 passed, 0 failed"), output
        (tree.root / "e2e-has-ended").unlink()


def test_suites_that_need_no_rust_test_program_do_not_wait_for_them(tree):
    wait = "for i in $(seq 400); do [ ! -e e2e-has-ended ] || exit 0; sleep 0.05; done; exit 1"
    tree.cargo(GOOD_CARGO, programs=wait)
    tree.file("tests/python/e2e/test_b.py", "def test_ends(): open('e2e-has-ended', 'w').close()\n")
    code, output = tree.run("rust", "e2e")
    assert (code, last_line(output)) == (0, "7 passed, 0 failed, 1 skipped"), output


def test_the_end_of_a_suite_is_no_end_of_anothers_processes(tree):
    """The first suite leaves a process, which is killed when it ends; the second still has its own then."""
    tree.file("tests/python/test_a.py", WAITS_FOR.format(mine="unused", other="child") + """
def test_leaves_a_process():
    import subprocess
    subprocess.Popen(["sleep", "3600.25"], start_new_session=True)
""")
    tree.file("tests/python/e2e/test_b.py", """
import os, subprocess, time
def test_keeps_a_process():
    child = subprocess.Popen(["sleep", "3600.5"], start_new_session=True)
    open("child", "w").close()
    deadline = time.monotonic() + 20
    while not any("python: left running" in line for line in open("output")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.2)
    assert child.poll() is None
    child.kill()
    child.wait()
""")
    with (tree.root / "output").open("w") as output:
        run = tree.start("python", "e2e", stdout=output)
        code = run.wait(60)
    output = (tree.root / "output").read_text()
    assert (code, last_line(output)) == (0, "3 passed, 0 failed"), output
    assert "python: left running, killed: sleep 3600.25" in output and "3600.5" not in output


def test_what_the_suites_need_is_installed_and_no_more(tree):
    tree.script("deploy/servers/trino", "exit 0")
    tree.run("rust")
    assert tree.installed() == ["databases", "kafka", "python", "redis"]
    tree.run("trino")
    assert "trino" in tree.installed()
    tree.run("rust", "--no-build")
    assert "trino" in tree.installed()


def test_what_cannot_be_installed_is_a_failure(tree):
    tree.script("deploy/setup", "echo no such package; exit 1")
    code, output = tree.run("rust")
    assert (code, last_line(output)) == (1, "0 passed, 1 failed"), output
    assert "no such package" in output


def test_the_callers_settings_stay_outside(tree):
    tree.file("tests/python/e2e/test_b.py", """
import os
def test_environment():
    assert "USERFLOW_LAKE" not in os.environ
    assert os.environ["USERFLOW_TEST_BROKERS"] == "127.0.0.1:1"
    assert os.environ["USERFLOW_TEST_POSTGRES_URL"] == "postgres://x"
    assert os.environ["USERFLOW_TEST_BIN"].endswith("/target/release")
""")
    code, output = tree.run("e2e")
    assert code == 0, output


def test_words_after_the_dashes_reach_the_suite(tree):
    tree.file("tests/python/test_a.py", GOOD_TEST + "def test_lie(): assert False\n")
    code, output = tree.run("python", "--verbose", "--", "-k", "truth")
    assert (code, last_line(output)) == (0, "1 passed, 0 failed"), output
    assert "1 passed, 1 deselected" in output


def test_a_server_that_cannot_be_stopped_keeps_no_other_running(tree):
    tree.file("tests/python/e2e/test_b.py", GOOD_TEST)
    stubborn = 'echo "$1" >>"$0.calls"; if [ "$1" = start ]; then touch "$0.started"; elif [ -e "$0.started" ]; then exit 1; fi'
    tree.script("deploy/servers/kafka", stubborn)
    code, output = tree.run("e2e")
    assert tree.calls("kafka") == tree.calls("postgres") == tree.calls("redis") == ["stop", "start", "stop"]
    assert (code, last_line(output)) == (1, "1 passed, 1 failed"), output
    assert "kafka stop" in output and "ended with 1" in output


def test_what_a_test_leaves_running_is_ended_and_named(tree):
    tree.file("tests/python/test_a.py", """
import subprocess
def test_leaves_a_process():
    child = subprocess.Popen(["sleep", "3600.125"], start_new_session=True)
    open("child", "w").write(str(child.pid))
""")
    code, output = tree.run("python")
    assert code == 0, output
    assert "left running, killed: sleep 3600.125" in output
    assert has_ended(int((tree.root / "child").read_text()))


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_stopped_in_the_middle_it_stops_everything(tree, sig):
    tree.file("tests/python/test_a.py", GOOD_TEST)
    folders = ["e2e", "airflow"]
    for folder in folders:
        tree.file(f"tests/python/{folder}/test_{folder}.py", f"""
import os, time
def test_waits():
    open("{folder}-child", "w").write(str(os.getpid()))
    time.sleep(3600)
""")
    children = [tree.root / f"{folder}-child" for folder in folders]
    run = tree.start("--at-once", "2", "e2e", "airflow", "python")
    try:
        while not all(child.exists() and child.read_text() for child in children):
            assert run.poll() is None, run.stdout.read()
            time.sleep(0.02)
        run.send_signal(sig)
        output, _ = run.communicate(timeout=30)
    finally:
        run.kill()
    assert run.returncode == 1
    # A suite that waits for its turn does not get it any more.
    assert last_line(output) == "0 passed, 1 failed" and "python ..." not in output, output
    assert tree.calls("kafka") == tree.calls("postgres") == tree.calls("redis") == ["stop", "start", "stop"]
    assert all(has_ended(int(child.read_text())) for child in children)


def test_two_runs_in_one_tree_do_not_mix(tree):
    tree.file("tests/python/test_a.py", """
import time
def test_waits():
    open("started", "w").close()
    time.sleep(3600)
""")
    first = tree.start("python")
    try:
        while not (tree.root / "started").exists():
            assert first.poll() is None, first.stdout.read()
            time.sleep(0.02)
        code, output = tree.run("python")
        assert code == 1
        assert "another run is using" in output
    finally:
        first.terminate()
        first.communicate(timeout=30)


def has_ended(pid):
    """Gone, or dead and only not reaped yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_the_fake_is_on_the_path(tree):
    """Without this, a broken fixture would run the real cargo for an hour."""
    assert shutil.which("cargo", path=f"{tree.root}/bin") == f"{tree.root}/bin/cargo"
