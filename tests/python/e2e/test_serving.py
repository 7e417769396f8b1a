"""userflow-serving on a real PostgreSQL: what it answers is what the store has, and what it must not answer it refuses."""

import contextlib
import hashlib
import http.client
import json
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from conftest import ROOT, attempt, run
from service import wait_for
from serving_stage import SERVICES, Serving, Stage, column, make_models, make_stage, sql

EPOCH = "1970-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def stage(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return make_stage(tmp_path_factory.mktemp("serving"), postgres_url)


@pytest.fixture(scope="module")
def serving(stage: Stage) -> Iterator[Serving]:
    serving = Serving(stage, stage.folder / "serving.log")
    wait_for("it is ready", serving.ready)
    yield serving
    assert serving.stop() == 0


def test_an_answer_is_in_request_order_with_the_values_of_the_store(stage: Stage, serving: Serving) -> None:
    features = ["items", "looks", "bought", "newest", "bought_at", "spent"]
    users = ["full", "nobody", "empty", "full"]
    answer = serving.ask({"features": [f"shelf_user:{name}" for name in features], "entities": {"user_id": users}})
    assert answer["metadata"] == {"feature_names": ["user_id", *features]}
    assert answer["results"][0] == {"values": users, "statuses": ["PRESENT"] * 4, "event_timestamps": [EPOCH] * 4}
    [row] = sql(
        stage.postgres,
        "SELECT json_build_array(items, looks, bought, newest, extract(epoch FROM date_trunc('second', "
        "bought_at))::bigint, spent) FROM online.shelf_user WHERE user_id = 'full'",
    )
    for place, (name, value) in enumerate(zip(features, json.loads(row), strict=True)):
        got = answer["results"][place + 1]
        missing = {"looks": (0, "PRESENT"), "bought": (False, "PRESENT")}.get(name, (None, "NULL_VALUE"))
        expected = [(value, "PRESENT"), (None, "NOT_FOUND"), missing, (value, "PRESENT")]
        assert list(zip(got["values"], got["statuses"], strict=True)) == expected, name
        assert got["event_timestamps"][1] == EPOCH
    # JSON tells a whole number from another one, and Feast's client makes int64 and double of them.
    spent = {"features": ["shelf_user:spent"], "entities": {"user_id": ["full"]}}
    _, text = serving.request("POST", "/get-online-features", spent)
    assert '"values":[1234.5]' in text
    [time_of] = sql(
        stage.postgres,
        "SELECT to_char(event_time AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US') FROM "
        "online.shelf_user WHERE user_id = 'full'",
    )
    sent = answer["results"][1]["event_timestamps"][0]
    assert datetime.fromisoformat(sent) == datetime.fromisoformat(time_of).replace(tzinfo=UTC) and sent.endswith("Z")
    times = answer["userflow"]["views"]["shelf_user"]
    assert times["event_times"][:2] == [sent, None] and times["ages_seconds"][1] is None
    age = datetime.fromisoformat(answer["userflow"]["as_of"]) - datetime.fromisoformat(sent)
    assert abs(times["ages_seconds"][0] - age.total_seconds()) < 0.01 and timedelta(minutes=4) < age < timedelta(minutes=60)


def test_a_value_that_is_too_old_is_null_whoever_forgot_to_remove_it(serving: Serving) -> None:
    asked = {
        "features": ["shelf_user:looks", "shelf_user_ever:looks"],
        "entities": {"user_id": ["old", "young"]},
        "full_feature_names": True,
    }
    answer = serving.ask(asked)
    assert column(answer, "shelf_user__looks") == [(None, "OUTSIDE_MAX_AGE"), (7, "PRESENT")]
    # A view without a ttl has no age.
    assert column(answer, "shelf_user_ever__looks") == [(40, "PRESENT"), (None, "NOT_FOUND")]
    # What was too old is said to be so, with its time.
    assert answer["results"][1]["event_timestamps"][0] != EPOCH
    status, row = serving.get("/features/shelf_user/old")
    assert status == 200 and row["status"] == "OUTSIDE_MAX_AGE" and set(row["features"].values()) == {None}
    assert 7200 < row["age_seconds"] < 9000 and row["ttl_seconds"] == 7200


def test_rows_are_found_by_several_keys_and_partials_are_merged(stage: Stage, serving: Serving) -> None:
    entities = {"item": ["x", "y", "x", "y", None], "user_id": ["full", "full", "old", "old", "full"]}
    answer = serving.ask({"features": ["shelf_pair:looks", "shelf_pair:avg_price"], "entities": entities})
    missing = (None, "NOT_FOUND")
    assert column(answer, "looks") == [(5, "PRESENT"), (1, "PRESENT"), (9, "PRESENT"), missing, missing]
    found = {
        (user, item): value
        for user, item, value in (
            line.split("|") for line in sql(stage.postgres, "SELECT user_id, item, avg_price FROM online.shelf_pair")
        )
    }
    full, old = ((float(found[user, "x"]), "PRESENT") for user in ("full", "old"))
    assert column(answer, "avg_price") == [full, (None, "NULL_VALUE"), old, missing, missing]
    assert answer["metadata"]["feature_names"][:2] == ["item", "user_id"]
    status, row = serving.get("/features/shelf_pair/full/x")
    assert (status, row["features"]["looks"]) == (200, 5)


def test_a_session_is_found_by_its_start(serving: Serving) -> None:
    for began in ("2026-11-02T03:04:05.678Z", "2026-11-02T12:04:05.678+09:00"):
        entities = {"user_id": ["full"], "began": [began]}
        answer = serving.ask({"features": ["shelf_stay:events", "shelf_stay:is_final"], "entities": entities})
        assert column(answer, "events") == [(4, "PRESENT")] and column(answer, "is_final") == [(True, "PRESENT")]
    status, row = serving.get("/features/shelf_stay/full/2026-11-02T03:04:05.678Z")
    assert (status, row["features"]["events"]) == (200, 4)


def test_a_service_is_a_list_with_a_version(serving: Serving) -> None:
    answer = serving.ask({"feature_service": "shelf_reader", "features": ["none:such"], "entities": {"user_id": ["full"]}})
    assert answer["metadata"]["feature_names"] == ["user_id", "looks", "spent", "items"]
    status, listed = serving.get("/services")
    services = {service["name"]: service for service in listed["services"]}
    assert status == 200 and {name: service["features"] for name, service in services.items()} == SERVICES
    assert answer["userflow"]["version"] == services["shelf_reader"]["version"]
    assert answer["userflow"]["feature_service"] == "shelf_reader"
    views = {view["name"]: view for view in listed["views"]}
    assert views["shelf_pair"]["key"] == ["user_id", "item"] and views["shelf_user"]["features"]["items"] == "text[]"
    asked = {"feature_service": "shelf_reader", "entities": {"user_id": []}, "include_feature_view_version_metadata": True}
    assert serving.ask(asked)["metadata"]["feature_view_metadata"] == [{"name": "shelf_user"}]


def test_the_catalogue_has_a_page_of_a_service_with_the_version_that_is_served(stage: Stage, serving: Serving) -> None:
    lake, pages = stage.folder / "lake", stage.folder / "pages"
    run("userflow-jobs", "docs", "--models", stage.models, "--lake", lake, "--into", pages, "--output", "json")
    page = (pages / "service.shelf_reader.html").read_text()
    [service] = (one for one in serving.get("/services")[1]["services"] if one["name"] == "shelf_reader")
    assert service["version"] in page and all(feature in page for feature in SERVICES["shelf_reader"])
    assert 'href="online.shelf_user.html"' in page


def test_whole_numbers_are_keys_too(stage: Stage, serving: Serving) -> None:
    stage.user("101267", "1 minute", looks="3")
    answer = serving.ask({"features": ["shelf_user:looks"], "entities": {"user_id": [101267, "101267"]}})
    assert column(answer, "looks") == [(3, "PRESENT")] * 2 and answer["results"][0]["values"] == [101267, "101267"]


ONE = {"user_id": ["full"]}


@pytest.mark.parametrize(
    ("body", "status", "name", "said"),
    [
        ({"features": ["nope:looks"], "entities": ONE}, 404, "FeatureViewNotFoundException", "`nope`"),
        ({"features": ["shelf_user:nope"], "entities": ONE}, 404, "SpecifiedFeaturesNotPresentError", "`nope`"),
        ({"features": ["shelf_user@v2:looks"], "entities": ONE}, 404, "FeatureViewNotFoundException", "shelf_user@v2"),
        ({"feature_service": "nope", "entities": ONE}, 404, "FeatureServiceNotFoundException", "`nope`"),
        ({"features": ["shelf_pair:looks"], "entities": ONE}, 422, "RequestDataNotFoundInEntityRowsException", "lacks `item`"),
        ({"features": ["shelf_user:looks"], "entities": {}}, 422, "RequestDataNotFoundInEntityRowsException", "lacks `user_id`"),
        ({"feature_service": "shelf_all", "entities": ONE}, 400, "FeatureNameCollisionError", "full_feature_names"),
        (
            {"features": ["shelf_user:looks"], "entities": {"user_id": ["a"], "item": ["x", "y"]}},
            422,
            "FeastError",
            "`item` has 2",
        ),
        ({"features": ["looks"], "entities": ONE}, 422, "FeastError", "view:feature"),
        ({"entities": ONE}, 422, "FeastError", "name what is to be read"),
        ({"features": ["shelf_user:looks"]}, 422, "FeastError", "missing field `entities`"),
        ({"features": ["shelf_user:looks"], "entities": {"user_id": [["full"]]}}, 422, "FeastError", "a text, a number"),
        ({"features": ["shelf_user:looks"], "entities": {"user_id": [1.5]}}, 422, "FeastError", "a text or a whole number"),
        ({"features": ["shelf_user:looks"], "entities": {"user_id": ["x" * 5000]}}, 422, "FeastError", "at most 4096 bytes"),
        ({"features": ["shelf_user:looks"], "entities": {"user_id": ["x"] * 1001}}, 422, "FeastError", "1000 of a request"),
        ({"features": ["shelf_user:looks"] * 501, "entities": ONE}, 422, "FeastError", "500 of a request"),
        ({"features": ["shelf_stay:events"], "entities": {"user_id": ["full"], "began": ["today"]}}, 422, "FeastError", "a time"),
        ({"features": ["shelf_stay:events"], "entities": {"user_id": ["a"], "began": [-(10**13)]}}, 422, "FeastError", "a time"),
        ([], 422, "FeastError", "not as it should be"),
    ],
)
def test_a_fault_of_the_client_is_told_with_its_fix(serving: Serving, body: object, status: int, name: str, said: str) -> None:
    refused = serving.refuses(body)
    assert refused[:2] == (status, name) and said in refused[2]


def test_what_is_no_request_is_refused_without_harm(serving: Serving) -> None:
    deep = b'{"entities":' + b"[" * 100_000
    for raw, status in ((b"", 400), (b"{", 400), (b"\xff\xfe", 400), (deep, 422), (b"x" * (1 << 21), 413)):
        assert serving.refuses(raw=raw)[0] == status, raw[:20]
    assert serving.refuses(raw=b"{}", headers={"Content-Encoding": "gzip"})[0] == 415
    odd = ["a\0b", "'; DROP TABLE x; --", "%s", "\U0001f600"]
    zero = serving.ask({"features": ["shelf_user:looks"], "entities": {"user_id": odd}})
    assert column(zero, "looks") == [(None, "NOT_FOUND")] * 4
    for path, status in (
        ("/nope", 404),
        ("/features/nope/x", 404),
        ("/features/shelf_user/a/b", 422),
        ("/features/shelf_pair/a", 422),
        ("/features/shelf_user/nobody", 404),
        ("/features/shelf_user/%ff", 400),
    ):
        assert serving.get(path)[0] == status, path
    assert serving.request("GET", "/get-online-features")[0] == 405
    assert serving.request("GET", "/health") == (200, "ok\n")
    document = serving.get("/openapi.json")[1]
    for path, methods in document["paths"].items():
        for method in methods:
            if path.startswith("/stream"):
                continue  # it does not end
            status, text = serving.request(method.upper(), path.replace("{view}", "shelf_user").replace("{key}", "full"))
            assert status not in (404, 405), (path, text)
    assert serving.process.poll() is None


def test_what_is_asked_and_who_is_in_no_log(serving: Serving) -> None:
    serving.ask({"features": ["shelf_user:newest"], "entities": {"user_id": ["full", "secret-user"]}})
    serving.refuses({"features": ["shelf_user:newest"], "entities": {"user_id": [["secret-user"]]}})
    log = serving.log.read_text()
    assert "secret-user" not in log and 'a \\"b\\"' not in log


def test_requests_and_values_are_counted(serving: Serving) -> None:
    def metrics() -> list[float]:
        return [
            serving.metric(name)
            for name in (
                'userflow_serving_requests_total{service="shelf_reader",status="200"}',
                'userflow_serving_request_seconds_count{service="shelf_reader"}',
                'userflow_serving_values_total{status="OUTSIDE_MAX_AGE",view="shelf_user"}',
                'userflow_serving_read_seconds_count{store="postgres"}',
            )
        ]

    before = metrics()
    serving.ask({"feature_service": "shelf_reader", "entities": {"user_id": ["full", "old"]}})
    assert [now - then for then, now in zip(before, metrics(), strict=True)] == [1, 1, 3, 1]


def test_all_views_of_a_request_are_one_statement_that_reads_only_the_rows_asked_for(stage: Stage, serving: Serving) -> None:
    """The merging view is computed for the pairs that are asked for, and not for the 20,000 others."""
    sql(
        stage.postgres,
        """INSERT INTO online.shelf_user_id__item__rows (user_id, item, _partition, "shelf_pair.looks",
        "shelf_pair.avg_price", "shelf_pair.avg_price__n", "shelf_pair.event_time", "shelf_pair.version")
        SELECT 'u' || n, 'i', 0, 1, 1, 1, now(), 1
        FROM generate_series(1, 20000) AS n ON CONFLICT DO NOTHING""",
    )
    sql(stage.postgres, "ANALYZE")
    asked = {
        "features": ["shelf_pair:looks", "shelf_user_ever:looks"],
        "full_feature_names": True,
        "entities": {"user_id": ["full", "u7"], "item": ["x", "i"]},
    }
    before = _rows_read(stage)
    for _ in range(8):  # more than PostgreSQL needs to choose a plan for all values
        answer = serving.ask(asked)
    assert column(answer, "shelf_pair__looks") == [(5, "PRESENT"), (1, "PRESENT")]
    # Eight times three partials; it counts a moment later, when its session is idle.
    wait_for("the server counts", lambda: _rows_read(stage) >= before + 24)
    assert _rows_read(stage) < before + 200, "the whole table was read"


def _rows_read(stage: Stage) -> int:
    """Rows of the table of pairs that scans of any kind have met."""
    select = """SELECT t.seq_tup_read + sum(i.idx_tup_read)
        FROM pg_stat_user_tables AS t JOIN pg_stat_user_indexes AS i USING (relid)
        WHERE t.relname = 'shelf_user_id__item__rows' GROUP BY t.seq_tup_read"""
    return int(sql(stage.postgres, select)[0])


def test_a_connection_that_was_lost_costs_no_request(stage: Stage, serving: Serving) -> None:
    asked = {"feature_service": "shelf_reader", "entities": ONE}
    for _ in range(5):
        assert column(serving.ask(asked), "looks") == [(7, "PRESENT")]
        sql(
            stage.postgres,
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'userflow-serving' "
            "AND datname = current_database()",
        )


def test_tokens_say_who_reads_what_and_how_often(stage: Stage) -> None:
    def hashed(token: str) -> str:
        return hashlib.sha256(token.encode()).hexdigest()

    file = stage.folder / "tokens.yml"
    file.write_text(
        json.dumps(
            {
                "tokens": [
                    {"name": "all", "sha256": [hashed("old-token"), hashed("new-token")]},
                    {"name": "one", "sha256": [hashed("narrow")], "services": ["shelf_reader"]},
                    {"name": "slow", "sha256": [hashed("slow")], "rate": 2},
                ]
            }
        )
    )

    def bearer(token: str) -> dict[str, dict[str, str]]:
        return {"headers": {"Authorization": f"Bearer {token}"}}

    reader = {"feature_service": "shelf_reader", "entities": ONE}
    serving = Serving(stage, stage.folder / "tokens.log", "--tokens", file)
    try:
        assert serving.refuses(reader)[:2] == (401, "FeastPermissionError")
        assert serving.refuses(reader, **bearer("other"))[0] == 401
        for path in ("/services", "/features/shelf_user/full"):
            assert serving.get(path)[0] == 401
        for token in ("old-token", "new-token", "narrow"):
            assert column(serving.ask(reader, **bearer(token)), "looks") == [(7, "PRESENT")]
        narrow = bearer("narrow")
        assert serving.refuses({"feature_service": "shelf_all", "entities": ONE}, **narrow)[:2] == (403, "FeastPermissionError")
        assert serving.refuses({"features": ["shelf_user:newest"], "entities": ONE}, **narrow)[0] == 403
        assert serving.ask({"features": ["shelf_user:spent"], "entities": ONE}, **narrow)
        assert set(serving.get("/features/shelf_user/full", **narrow)[1]["features"]) == {"looks", "spent", "items"}
        assert serving.get("/features/shelf_pair/full/x", **narrow)[0] == 403
        assert [service["name"] for service in serving.get("/services", **narrow)[1]["services"]] == ["shelf_reader"]
        statuses = [serving.request("POST", "/get-online-features", reader, **bearer("slow"))[0] for _ in range(6)]
        assert statuses[:2] == [200, 200] and 429 in statuses
        assert serving.request("GET", "/readyz")[0] in (200, 503), "health needs no token"
        assert "token" not in re.sub(r"--tokens|tokens\.yml", "", serving.log.read_text())
    finally:
        assert serving.stop() == 0
    file.write_text("tokens: [{name: a, sha256: [abc]}]")
    wrong = attempt(
        "userflow-serving", "--models", stage.models, "--postgres-url", stage.postgres, "--tokens", file, "--addr", "127.0.0.1:0"
    )
    assert wrong.returncode == 2 and "tokens.yml" in wrong.stderr and "sha256sum" in wrong.stderr


def test_slow_and_too_many_clients_are_cut(stage: Stage) -> None:
    serving = Serving(
        stage, stage.folder / "slow.log", "--header-timeout", "300ms", "--request-timeout", "500ms", "--max-connections", 20
    )
    try:
        wait_for("it is ready", serving.ready)
        wait_for("no connection is left", lambda: serving.metric("userflow_serving_connections") == 0)
        with contextlib.ExitStack() as stack:

            def connect() -> socket.socket:
                return stack.enter_context(socket.create_connection(("127.0.0.1", serving.port), timeout=10))

            loris, body = connect(), connect()
            loris.sendall(b"POST /get-online-features HTTP/1.1\r\nHost: x\r\nX: ")
            body.sendall(b"POST /get-online-features HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            assert loris.recv(100) == b"", "a head that does not come is waited for"
            assert b" 408 " in body.recv(1000)
            many = [connect() for _ in range(30)]
            wait_for("those beyond the limit are counted", lambda: _closed(many) >= 10)
        wait_for("the others go", lambda: serving.metric("userflow_serving_connections") == 0)
        assert serving.metric("userflow_serving_refused_connections_total") >= 10
        wait_for("it answers again", serving.ready)
    finally:
        assert serving.stop() == 0


def _closed(connections: list[socket.socket]) -> int:
    """How many of them the server has closed."""
    closed = 0
    for connection in connections:
        connection.setblocking(False)
        try:
            closed += connection.recv(1) == b""
        except BlockingIOError:
            pass
        except ConnectionError:
            closed += 1
    return closed


def test_at_the_end_it_says_so_first_and_answers_what_was_asked(stage: Stage) -> None:
    patient = ["--postgres-timeout", "30s", "--request-timeout", "60s"]
    serving = Serving(stage, stage.folder / "drain.log", *patient, drain="1s")
    wait_for("it is ready", serving.ready)
    # A lock keeps the answer back.
    lock = subprocess.Popen(["psql", "--no-psqlrc", "--quiet", stage.postgres], stdin=subprocess.PIPE, text=True)
    assert lock.stdin is not None
    lock.stdin.write("BEGIN; LOCK TABLE online.shelf_user_id__local IN ACCESS EXCLUSIVE MODE;\n")
    lock.stdin.flush()
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'online.shelf_user_id__local'::regclass"
    held = waiting.replace("NOT granted", "granted AND mode = 'AccessExclusiveLock'")
    wait_for("the lock", lambda: sql(stage.postgres, held) == ["1"])
    answers: list[dict] = []
    asking = threading.Thread(target=lambda: answers.append(serving.ask({"feature_service": "shelf_reader", "entities": ONE})))
    asking.start()
    wait_for("the request waits", lambda: sql(stage.postgres, waiting) != ["0"])
    serving.process.terminate()
    wait_for("it is not ready", lambda: not serving.ready())
    lock.stdin.close()
    assert lock.wait(10) == 0
    asking.join(30)
    assert column(answers[0], "looks") == [(7, "PRESENT")]
    assert serving.process.wait(30) == 0


def test_without_postgresql_it_says_so_and_recovers_by_itself(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("outage")
    script = [ROOT / "deploy/servers/postgres"]

    def server(command: str) -> str:
        return subprocess.run(
            [*script, command, "--dir", folder / "server"], check=True, stdout=subprocess.PIPE, text=True
        ).stdout

    url = dict(line.split("=", 1) for line in server("start").split())["USERFLOW_POSTGRES_URL"]
    try:
        stage = make_stage(folder, url)
        serving = Serving(stage, folder / "serving.log")
        try:
            wait_for("it is ready", serving.ready)
            reader = {"feature_service": "shelf_reader", "entities": ONE}
            assert column(serving.ask(reader), "looks") == [(7, "PRESENT")]
            server("stop")
            refused = serving.refuses(reader)
            assert refused[0] == 503 and "does not answer" in refused[2]
            wait_for("it is not ready", lambda: not serving.ready())
            assert serving.get("/features/shelf_user/full")[0] == 503
            server("start")
            wait_for("it answers", lambda: serving.request("POST", "/get-online-features", reader)[0] == 200)
            # Tables that are gone are no reason to say that a user is not there.
            sql(stage.postgres, "DROP VIEW online.shelf_user")
            refused = serving.refuses(reader)
            assert refused[0] == 503 and "userflow-jobs init" in refused[2]
            wait_for("it says why", lambda: "shelf_user" in serving.request("GET", "/readyz")[1])
            assert not serving.ready()
        finally:
            assert serving.stop() == 0
    finally:
        server("stop")


def test_models_that_are_wrong_end_it_and_init_with_the_fix(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("wrong")
    models = make_models(folder)
    file = models / "shelf/services/shelf_reader.yml"
    file.write_text(file.read_text().replace("shelf_user:spent", "shelf_user:spend"))
    for binary, arguments in (
        ("userflow-serving", ["--postgres-url", stage.postgres]),
        ("userflow-jobs", ["init", "--lake", folder / "lake"]),
    ):
        done = attempt(binary, *arguments, "--models", models)
        assert done.returncode == 2, done.stderr
        assert "shelf_reader.yml:6" in done.stderr and "has no feature `spend`" in done.stderr


def test_a_stream_sends_the_row_again_when_it_changes(stage: Stage, serving: Serving) -> None:
    stage.user("live", "1 minute", looks="1")
    connection = http.client.HTTPConnection("127.0.0.1", serving.port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", "/stream/shelf_user/live")
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("Content-Type")) == (200, "text/event-stream")

        def row() -> dict:
            lines = []
            while line := answer.readline().decode().strip():
                lines.append(line)
            assert lines[0] == "event: row", lines
            return json.loads(lines[1].removeprefix("data: "))

        assert row()["features"]["looks"] == 1
        stage.user("live", "1 minute", looks="2")
        assert row()["features"]["looks"] == 2
        # No write says that its time is up.
        stage.user("live", "7199 seconds", looks="2")
        assert (row()["status"], row()["status"]) == ("PRESENT", "OUTSIDE_MAX_AGE")
    assert serving.get("/stream/nope/x")[0] == 404
