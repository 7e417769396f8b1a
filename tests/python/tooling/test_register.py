"""`userflow-jobs register` against a pretended Trino: what it asks, and what it makes of answers that a real one seldom gives."""

import json
import os
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
JOBS = Path(os.environ.get("USERFLOW_TEST_BIN", ROOT / "target/release")) / "userflow-jobs"


class Pretended:
    """Answers every statement at once with no rows, unless a test says otherwise."""

    def __init__(self):
        self.statements: list[str] = []
        self.users: set[str] = set()
        self.answers: list[tuple[int, object]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                outer.statements.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
                self.answer()

            def do_GET(self):
                self.answer()

            def answer(self):
                outer.users.add(self.headers["X-Trino-User"])
                status, body = outer.answers.pop(0) if outer.answers else (200, {"id": "q", "stats": {}})
                text = (body if isinstance(body, str) else json.dumps(body)).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def trino():
    pretended = Pretended()
    yield pretended
    pretended.server.shutdown()


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Path:
    """A lake that lacks one of its tables."""
    folder = tmp_path_factory.mktemp("lake")
    subprocess.run([JOBS, "init", "--lake", folder, "--domain", "webtoon"], check=True, capture_output=True)
    shutil.rmtree(folder / "gold/webtoon_user_daily")
    return folder


def register(lake: Path, url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    settings = ("USERFLOW_", "HTTP_PROXY", "ALL_PROXY")
    environment = {key: value for key, value in os.environ.items() if not key.upper().startswith(settings)}
    command = [JOBS, "register", "--lake", lake, "--trino-url", url, "--output", "json", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def refusal(kind: str) -> dict:
    return {"id": "q", "error": {"message": "no", "errorCode": 1, "errorName": "SOME_NAME", "errorType": kind}}


def test_it_makes_schemas_and_registers_the_tables_that_are_there(trino, lake):
    done = register(lake, trino.url, "--catalog", "other", "--location", "s3://bucket/prefix/")
    assert done.returncode == 0, done.stderr
    tables = [line["table"] for line in json.loads(done.stdout)["tables"]]
    assert "gold.webtoon_user_daily" not in tables and "gold.webtoon_user_hourly" in tables
    assert trino.statements[0] == "show schemas from other"
    assert "create schema if not exists other.gold with (location = 's3://bucket/prefix/gold')" in trino.statements
    calls = [text for text in trino.statements if text.startswith("call ")]
    assert calls == [
        f"call other.system.register_table(schema_name => '{layer}', table_name => '{name}', "
        f"table_location => 's3://bucket/prefix/{layer}/{name}')"
        for layer, name in (table.split(".") for table in tables)
    ]
    assert trino.users == {"userflow"}


def test_a_dry_run_changes_nothing(trino, lake):
    done = register(lake, trino.url, "--dry-run")
    assert done.returncode == 0 and {line["action"] for line in json.loads(done.stdout)["tables"]} == {"registered"}
    assert trino.statements == ["show schemas from delta"]


def test_a_busy_server_is_asked_again(trino, lake):
    page = {"id": "q", "nextUri": f"{trino.url}/next"}
    trino.answers = [(503, "later"), (429, "later"), (200, page), (502, ""), (200, {"id": "q"})]
    assert register(lake, trino.url, "--dry-run").returncode == 0
    assert trino.answers == []


@pytest.mark.parametrize(("answer", "code", "said"), [
    ((200, refusal("USER_ERROR")), 2, "SOME_NAME"),
    ((200, refusal("INTERNAL_ERROR")), 1, "SOME_NAME"),
    ((200, refusal("INSUFFICIENT_RESOURCES")), 1, "SOME_NAME"),
    ((200, "<html>a proxy's page</html>"), 1, "not Trino's"),
    ((401, "who?"), 2, "USERFLOW_TRINO_URL"),
    ((500, "broken"), 1, "broken"),
])  # fmt: skip
def test_exit_codes_tell_what_a_retry_mends(trino, lake, answer, code, said):
    trino.answers = [answer]
    done = register(lake, trino.url)
    assert done.returncode == code and said in done.stderr, done.stderr


def test_it_follows_nobody_to_another_server(trino, lake):
    other = Pretended()
    trino.answers = [(200, {"id": "q", "nextUri": f"{other.url}/v1/statement/q/1"})]
    done = register(lake, trino.url)
    other.server.shutdown()
    assert done.returncode == 2 and other.url in done.stderr
    assert other.users == set()
