"""Which Java deploy/servers/trino takes, and what it says where there is none."""

import importlib.util
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

SERVERS = Path(__file__).resolve().parents[3] / "deploy/servers"
sys.path.insert(0, str(SERVERS))


@pytest.fixture
def trino():
    spec = importlib.util.spec_from_loader("server_trino", SourceFileLoader("server_trino", str(SERVERS / "trino")))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def jdk(folder: Path, version: str) -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/java").touch()
    (folder / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return folder


@pytest.mark.parametrize(("version", "good"), [("24.0.1", True), ("25", True), ("24", False), ("17.0.15", False)])
def test_the_oldest_java_that_it_takes_is_the_one_that_trino_asks_for(trino, tmp_path, version, good):
    assert (trino._version(jdk(tmp_path / "jdk", version)) >= trino.JAVA) == good


def test_java_home_comes_first(trino, tmp_path, monkeypatch):
    home = jdk(tmp_path / "mine", "99.0.1")
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert trino.java_home() == home


def test_without_one_it_says_what_it_found_and_what_to_do(trino, tmp_path, monkeypatch):
    monkeypatch.setattr(trino, "JAVA", (1000,))
    monkeypatch.setenv("JAVA_HOME", str(jdk(tmp_path / "old", "17.0.15")))
    with pytest.raises(trino.process.Failed, match=r"needs Java 1000 or newer; found: .*old \(17\.0\.15\).*set JAVA_HOME"):
        trino.java_home()
