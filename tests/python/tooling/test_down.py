"""deploy/down in a tree of its own where the servers are pretended: whatever one of them does, none is left in silence."""

import importlib.util
import signal
import subprocess
from pathlib import Path

import pytest

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
SERVERS = ["airflow", "prometheus", "trino", "s3", "redis", "postgres", "kafka"]


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "deploy/servers").mkdir(parents=True)
    (tmp_path / ".userflow").mkdir()
    (tmp_path / ".userflow/env").write_text("export USERFLOW_BROKERS=127.0.0.1:1\n")
    (tmp_path / "deploy/down").write_text((DEPLOY / "down").read_text())
    for server in SERVERS:
        pretend(tmp_path, server, 0)
    return tmp_path


def pretend(tree, server, code):
    script = tree / "deploy/servers" / server
    script.write_text(f'#!/bin/sh\necho "{server} $*" >>"$(dirname "$0")/calls"\nexit {code}\n')
    script.chmod(0o755)


def down(tree):
    done = subprocess.run(["bash", tree / "deploy/down"], capture_output=True, text=True, timeout=30)
    calls = (tree / "deploy/servers/calls").read_text().splitlines()
    (tree / "deploy/servers/calls").unlink()
    return done.returncode, done.stderr, calls


def test_all_are_stopped_and_the_addresses_forgotten(tree):
    code, _, calls = down(tree)
    assert (code, calls) == (0, [f"{server} stop --dir .userflow/up/{server}" for server in SERVERS])
    assert not (tree / ".userflow/env").exists()


@pytest.mark.parametrize("stubborn", [["airflow"], ["trino", "redis"], ["kafka"], SERVERS])
def test_one_that_cannot_be_stopped_is_named_after_all_others_are_stopped(tree, stubborn):
    for server in stubborn:
        pretend(tree, server, 1)
    code, said, calls = down(tree)
    assert len(calls) == len(SERVERS)
    assert code == 1
    assert f"could not stop {' '.join(stubborn)}:" in said
    # What still runs can be found.
    assert (tree / ".userflow/env").exists()


def test_the_parts_of_a_server_are_all_stopped(capsys):
    spec = importlib.util.spec_from_file_location("process", DEPLOY / "servers/process.py")
    process = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(process)
    stopped = []

    class Part:
        def __init__(self, name, may=True):
            self.folder, self.may = name, may

        def stop(self, sig):
            if not self.may:
                raise PermissionError("not ours")
            stopped.append((self.folder, sig))
            return True

    parts = [Part("worker"), Part("scheduler", may=False), Part("api")]
    with pytest.raises(process.Failed, match="scheduler: not ours"):
        process.stop_all(parts, signal.SIGTERM, "airflow is stopped")
    assert [name for name, _ in stopped] == ["worker", "api"]
    process.stop_all([parts[0]], signal.SIGTERM, "airflow is stopped")
    assert "airflow is stopped" in capsys.readouterr().err
