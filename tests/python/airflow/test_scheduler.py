"""What really runs: a real scheduler, real workers, the real jobs on a real lake. What is expected is written out by hand.

The tests share one Airflow and one lake, and each looks only at what changed while it ran.
"""

import os
import shutil
import signal
import subprocess
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from conftest import DAMAGED, DAYS, FIRST, GOLD, PUBLISHED, TABLES, World, call, simulate
from rest import wait_for

SILVER, GOLD_DAG, BACKFILL, QUALITY = "webtoon_silver_hourly", "webtoon_gold_daily", "webtoon_backfill", "webtoon_quality"
OCT31, NOV1, NOV2, NOV3 = "2026-10-31", "2026-11-01", "2026-11-02", "2026-11-03"


@pytest.fixture
def silver(world: World):
    """The silver DAG switched on, with the run that its schedule makes of that behind it."""
    yield from switched_on(world, SILVER)


@pytest.fixture
def gold(world: World):
    """The gold DAG, likewise."""
    yield from switched_on(world, GOLD_DAG)


def switched_on(world: World, dag: str):
    world.airflow.pause(dag, False)
    wait_for(lambda: scheduled(world, dag), f"a scheduled run of {dag}")
    for run in scheduled(world, dag):
        world.airflow.ended(dag, run["dag_run_id"])
    yield
    world.airflow.pause(dag, True)


def scheduled(world: World, dag: str) -> list[dict]:
    return [run for run in world.airflow.runs(dag) if run["run_type"] == "scheduled"]


def the_scheduled_run(world: World, dag: str) -> dict:
    """The one run that a schedule makes when its DAG is switched on for the first time: the newest interval that is over."""
    assert scheduled(world, dag) == [], "another test was first"
    world.airflow.pause(dag, False)
    [run] = wait_for(lambda: scheduled(world, dag), f"a scheduled run of {dag}")
    assert world.airflow.ended(dag, run["dag_run_id"]) == "success", world.airflow.states(dag, run["dag_run_id"])
    world.airflow.pause(dag, True)
    return world.airflow.run(dag, run["dag_run_id"])


def the_triggered_run(world: World, seen: set[str]) -> dict:
    """The one run that an asset's event makes."""

    def triggered():
        return [
            run for run in world.airflow.runs(GOLD_DAG) if run["run_type"] == "asset_triggered" and run["dag_run_id"] not in seen
        ]

    [run] = wait_for(triggered, "the triggered run")
    assert world.airflow.ended(GOLD_DAG, run["dag_run_id"]) == "success", world.airflow.states(GOLD_DAG, run["dag_run_id"])
    return run


def run_by_hand(world: World, dag: str, **params: object) -> tuple[str, str]:
    world.airflow.pause(dag, False)
    run_id = world.airflow.trigger(dag, **params)
    return run_id, world.airflow.ended(dag, run_id)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


def test_every_dag_is_there_with_its_docs_and_no_import_error(world: World):
    assert world.airflow.get("importErrors")["import_errors"] == []
    dags = {dag["dag_id"]: dag for dag in world.airflow.get("dags")["dags"]}
    rooms = ["bronze", "silver_hourly", "gold_daily", "quality", "maintenance", "backfill"]
    assert sorted(dags) == sorted(f"{domain}_{room}" for domain in ("ecommerce", "webtoon") for room in rooms)
    for name in dags:
        assert "# " in world.airflow.get(f"dags/{name}/details")["doc_md"], name


def test_the_hourly_schedule_runs_the_days_of_its_hour_and_no_other(world: World):
    before = world.lake.versions()
    run = the_scheduled_run(world, SILVER)
    start, end = moment(run["data_interval_start"]), moment(run["data_interval_end"])
    assert end - start == timedelta(hours=1)
    # A session of the hour may have begun two hours earlier.
    days = sorted({(start - timedelta(hours=2)).date(), start.date()})
    assert world.lake.replaced(before, by_schedule=True) == {"silver.webtoon_sessions": [str(day) for day in days]}


def test_the_daily_schedule_runs_the_day_that_became_final_and_no_other(world: World):
    before = world.lake.versions()
    run = the_scheduled_run(world, GOLD_DAG)
    start, end = moment(run["data_interval_start"]), moment(run["data_interval_end"])
    assert (end - start, start.hour) == (timedelta(days=1), 3)
    assert world.lake.replaced(before, by_schedule=True) == {f"gold.{name}": [str(start.date())] for name in GOLD}


def test_the_first_hour_of_a_day_runs_the_day_before_as_well(world: World, silver):
    """Midnight in UTC, of the night in which clocks of some zones are put back."""
    before = world.lake.versions()
    hour = f"{NOV1}T00:00:00Z"
    body = {
        "dag_id": SILVER,
        "from_date": hour,
        "to_date": hour,
        "max_active_runs": 1,
        "dag_run_conf": {},
        "reprocess_behavior": "none",
    }
    world.airflow.post("backfills", body)

    def made():
        return [run for run in world.airflow.runs(SILVER) if run["run_type"] == "backfill"]

    [run] = wait_for(made, "the run of the hour")
    assert world.airflow.ended(SILVER, run["dag_run_id"]) == "success"
    assert moment(run["data_interval_start"]) == moment(hour)
    assert world.lake.replaced(before) == {"silver.webtoon_sessions": [OCT31, NOV1]}


def test_gold_runs_for_the_days_that_silver_replaced_also_while_gold_was_paused(world: World, silver, gold):
    before = world.lake.versions()
    seen = {run["dag_run_id"] for run in world.airflow.runs(GOLD_DAG)}
    _, state = run_by_hand(world, SILVER, **{"from": NOV2, "to": NOV3})
    assert state == "success"
    run = the_triggered_run(world, seen)
    assert (run["logical_date"], run["run_type"]) == (None, "asset_triggered")
    # All events since gold ran for one: those of the tests before this one were waiting.
    [asset] = world.airflow.get("assets", name_pattern="silver of webtoon")["assets"]
    events = world.airflow.get("assets/events", asset_id=asset["id"], limit=100)["asset_events"]
    waiting = sorted({day for event in events for day in event["extra"]["windows"]})
    assert NOV2 in waiting
    assert world.airflow.value(GOLD_DAG, run["dag_run_id"], "done")["windows"] == waiting
    replaced = world.lake.replaced(before, by_schedule=True)
    assert NOV2 in replaced["silver.webtoon_sessions"]
    assert all(set(replaced[f"gold.{name}"]) >= set(waiting) for name in GOLD)


def test_gold_runs_for_the_days_of_its_event_and_leaves_the_gap_between_them_alone(world: World, gold):
    before = world.lake.versions()
    seen = {run["dag_run_id"] for run in world.airflow.runs(GOLD_DAG)}
    [asset] = world.airflow.get("assets", name_pattern="silver of webtoon")["assets"]
    world.airflow.post("assets/events", {"asset_id": asset["id"], "extra": {"windows": [OCT31, NOV2]}})
    the_triggered_run(world, seen)
    assert world.lake.replaced(before) == {f"gold.{name}": [OCT31, NOV2] for name in GOLD}


def test_gold_by_hand_shows_what_it_did_and_says_so(world: World, gold):
    before = world.lake.versions()
    run_id, state = run_by_hand(world, GOLD_DAG, **{"from": NOV2, "to": NOV3})
    assert state == "success"
    assert world.lake.replaced(before) == {f"gold.{name}": [NOV2] for name in GOLD}
    summary = world.airflow.value(GOLD_DAG, run_id, GOLD[0])
    rows = len([row for row in world.lake.rows(f"gold.{GOLD[0]}") if NOV2 in row])
    assert (summary["command"], summary["windows"], summary["rows_written"]) == ("run", [NOV2], rows)
    assert world.airflow.value(GOLD_DAG, run_id, GOLD[0], "rows") == rows
    version = world.lake.versions()[f"gold.{GOLD[0]}"]
    assert world.airflow.value(GOLD_DAG, run_id, GOLD[0], "version") == {f"gold.{GOLD[0]}": version}
    events = world.airflow.get("assets/events", source_dag_id=GOLD_DAG, source_run_id=run_id, limit=50)["asset_events"]
    extras = {event["name"]: event["extra"] for event in events}
    assert extras[f"gold.{GOLD[0]}"]["tables"] == {f"gold.{GOLD[0]}": version}
    assert extras["gold of webtoon"]["windows"] == [NOV2]
    [text] = world.slack.about(run_id)
    assert "*done*" in text and f"{GOLD[0]} {rows}" in text


def test_a_run_without_a_window_says_what_to_do_and_touches_nothing(world: World, gold):
    before = world.lake.versions()
    run_id, state = run_by_hand(world, GOLD_DAG)
    assert state == "failed"
    assert world.airflow.tasks(GOLD_DAG, run_id)["gate"]["try_number"] == 1
    assert "trigger it with the params from and to" in world.airflow.log(GOLD_DAG, run_id, "gate", 1)
    assert world.lake.replaced(before) == {}


def test_the_gate_blocks_gold_and_the_next_good_run_says_it_is_over(world: World, gold):
    before, content = world.lake.versions(), world.lake.content()
    run_id, state = run_by_hand(world, GOLD_DAG, **{"from": str(DAMAGED), "to": str(DAMAGED + timedelta(days=1))})
    assert state == "failed"
    states = world.airflow.states(GOLD_DAG, run_id)
    assert states == {"tables": "success", "gate": "success", "blocked": "failed", "done": "skipped"} | dict.fromkeys(
        [*GOLD, PUBLISHED], "skipped"
    )
    assert world.airflow.value(GOLD_DAG, run_id, "gate", "quality") == "block"
    assert (world.lake.replaced(before), world.lake.content()) == ({}, content)
    # What Slack says is what the log has, and both are what the simulator spoilt.
    [logged] = world.sql(
        "select failed, total, model from ops.quality_log join ops.job_runs using (run_id, model, window_date)"
        f" where asked_by like '%{run_id}%' and test = 'rows' and status = 'block'"
    )
    failed, total, model = logged.split("|")
    assert (int(failed), model) == (world.damaged, "bronze.webtoon_events")
    [text] = world.slack.about(run_id)
    assert "*blocked*" in text and f"rows failed for {failed} of {total} rows" in text

    again, state = run_by_hand(world, GOLD_DAG, **{"from": NOV1, "to": NOV2})
    assert state == "success"
    [text] = world.slack.about(again)
    assert "*recovered*" in text and run_id in text
    # Readers of the online store keep the newest day that passed, which this one is not.
    assert world.airflow.states(GOLD_DAG, again)[PUBLISHED] == "success"
    assert world.sql("select max(version / 10000000000) from online.webtoon_user_7d") == [NOV2.replace("-", "")]


def test_a_cleared_run_runs_again_and_changes_nothing(world: World, gold):
    run_id, _ = run_by_hand(world, GOLD_DAG, **{"from": OCT31, "to": NOV3})
    before, content = world.lake.versions(), world.lake.content()
    body = {"dry_run": False, "dag_run_id": run_id, "only_failed": False, "reset_dag_runs": True}
    world.airflow.post(f"dags/{GOLD_DAG}/clearTaskInstances", body)
    wait_for(lambda: world.airflow.run(GOLD_DAG, run_id)["state"] != "success", "the run to start again")
    assert world.airflow.ended(GOLD_DAG, run_id) == "success"
    assert world.lake.replaced(before) == {f"gold.{name}": [OCT31, NOV1, NOV2] for name in GOLD}
    assert world.lake.content() == content


def test_a_worker_that_is_killed_after_its_commit_is_replaced_and_gold_is_the_same(world: World, gold):
    content = world.lake.content()
    world.faults.write("hold", f"gold.{GOLD[0]}")
    before = world.lake.versions()
    run_id = world.airflow.trigger(GOLD_DAG, **{"from": NOV1, "to": NOV2})
    job = held(world, GOLD_DAG, run_id)
    assert world.lake.replaced(before)[f"gold.{GOLD[0]}"] == [NOV1]
    worker, supervisor = parent(job), parent(parent(job))
    for pid in (supervisor, worker):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not alive(job), "the job to go with its worker")
    assert world.airflow.ended(GOLD_DAG, run_id) == "success"
    assert world.airflow.tasks(GOLD_DAG, run_id)[GOLD[0]]["try_number"] == 2
    assert world.lake.replaced(before)[f"gold.{GOLD[0]}"] == [NOV1, NOV1]
    assert world.lake.content() == content


@pytest.mark.parametrize(("code", "state", "tries"), [(1, "success", 2), (4, "success", 2), (2, "failed", 1)])
def test_exit_codes_decide_about_retries_and_a_webhook_that_is_down_about_nothing(
    world: World, code: int, state: str, tries: int
):
    world.faults.write("code", code)
    world.slack.broken = True
    try:
        run_id, found = run_by_hand(world, BACKFILL, **{"from": NOV1, "to": NOV2, "models": ["silver.*"]})
    finally:
        world.slack.broken = False
    assert found == state
    task = world.airflow.tasks(BACKFILL, run_id)["silver.webtoon_sessions"]
    assert task["try_number"] == tries
    assert f"the stand-in ends with {code}" in world.airflow.log(BACKFILL, run_id, "silver.webtoon_sessions", 1)


def test_a_backfill_of_thirty_days_goes_on_after_a_kill_and_leaves_what_the_command_leaves(world: World):
    by_hand = world.folder / "by_hand"
    shutil.copytree(world.lake.path / "bronze", by_hand / "bronze")
    world.jobs("init", lake=by_hand)
    first, to = str(FIRST), str(FIRST + timedelta(days=DAYS))
    world.jobs("backfill", "*", "--from", first, "--to", to, lake=by_hand)
    # Nothing of silver and gold is left over from other tests, and the tables of the models are made again.
    for layer in ("silver", "gold"):
        shutil.rmtree(world.lake.path / layer)
    world.faults.write("hold", "silver.webtoon_sessions")
    world.airflow.pause(BACKFILL, False)
    run_id = world.airflow.trigger(BACKFILL, **{"from": first, "to": to, "models": ["+gold.*"]})
    os.kill(parent(held(world, BACKFILL, run_id)), signal.SIGKILL)
    assert world.airflow.ended(BACKFILL, run_id) == "success", world.airflow.states(BACKFILL, run_id)
    summary = world.airflow.value(BACKFILL, run_id, "silver.webtoon_sessions")
    assert (summary["skipped"], summary["partitions"]) == (DAYS, 0)
    every_day = [str(FIRST + timedelta(days=number)) for number in range(DAYS)]
    assert world.lake.replaced(dict.fromkeys(TABLES, 0)) == dict.fromkeys(TABLES, every_day)
    assert world.lake.content() == type(world.lake)(by_hand).content()
    assert len(world.lake.rows("silver.webtoon_sessions")) > 500


def test_a_backfill_runs_what_was_selected_and_passes_over_what_is_up_to_date(world: World):
    days = {"from": str(FIRST), "to": str(FIRST + timedelta(days=DAYS))}
    world.jobs("backfill", f"+gold.{GOLD[1]}", "--from", days["from"], "--to", days["to"])
    before = world.lake.versions()
    run_id, state = run_by_hand(world, BACKFILL, models=[f"gold.{GOLD[1]}"], **days)
    assert state == "success"
    chosen = {"tables", "select", "done", f"gold.{GOLD[1]}"}
    states = world.airflow.states(BACKFILL, run_id)
    assert states == dict.fromkeys(chosen, "success") | dict.fromkeys(set(TABLES) - chosen, "skipped")
    summary = world.airflow.value(BACKFILL, run_id, f"gold.{GOLD[1]}")
    assert (summary["skipped"], summary["partitions"], world.lake.replaced(before)) == (DAYS, 0, {})


def test_bronze_takes_what_is_new_in_the_topic_and_only_once(world: World):
    simulate(world.brokers, world.topic, 23, FIRST + timedelta(days=DAYS), 1, 20, world.folder)
    world.airflow.pause("webtoon_bronze", False)
    written, landed, judged = [], set(), set()
    for _ in range(2):
        # Without a window: what was landed says which days are to be judged.
        run_id = world.airflow.trigger("webtoon_bronze")
        assert world.airflow.ended("webtoon_bronze", run_id) == "success"
        written.append(world.airflow.value("webtoon_bronze", run_id, "ingest")["rows_written"])
        lag = world.airflow.value("webtoon_bronze", run_id, "lag")
        assert (lag["lag"], lag["error"]) == (0, None) and lag["newest_event"] > str(FIRST + timedelta(days=DAYS))
    world.airflow.pause("webtoon_bronze", True)
    scheduled = [run for run in world.airflow.runs("webtoon_bronze") if run["run_type"] == "scheduled"]
    for run in world.airflow.runs("webtoon_bronze"):
        landed |= set(world.airflow.value("webtoon_bronze", run["dag_run_id"], "ingest")["dates"])
        judged |= set(world.airflow.value("webtoon_bronze", run["dag_run_id"], "check")["windows"])
    assert str(FIRST + timedelta(days=DAYS)) in landed and judged == landed
    written += [world.airflow.value("webtoon_bronze", run["dag_run_id"], "ingest")["rows_written"] for run in scheduled]
    assert sorted(written)[:-1] == [0] * (len(written) - 1) and max(written) > 20


def test_the_live_rows_of_a_day_are_held_against_silver_and_a_difference_is_red(world: World):
    world.jobs("backfill", "+gold.webtoon_*", "--from", NOV1, "--to", NOV3)
    run_id, state = run_by_hand(world, QUALITY, **{"from": NOV1, "to": NOV3})
    assert state == "success", world.airflow.states(QUALITY, run_id)
    summary = world.airflow.value(QUALITY, run_id, "skew")
    sessions = [row for row in world.lake.rows("silver.webtoon_sessions") if NOV1 in row or NOV2 in row]
    assert (summary["matching"], summary["passed"], summary["windows"]) == (len(sessions), True, [NOV1, NOV2])

    # A day that the stream has not read: the lake is as good as before, and the night is red.
    day, end = str(FIRST + timedelta(days=DAYS + 1)), str(FIRST + timedelta(days=DAYS + 2))
    simulate(world.brokers, world.topic, 25, date.fromisoformat(day), 1, 20, world.folder)
    ingest = ["ingest", "--domain", "webtoon", "--brokers", world.brokers, "--topic", world.topic, "--group", world.topic]
    call("userflow-ingester", *ingest, "--lake", world.lake.path, "--until-caught-up")
    world.jobs("backfill", "silver.webtoon_*", "--from", day, "--to", end)
    run_id, state = run_by_hand(world, QUALITY, **{"from": day, "to": end})
    world.airflow.pause(QUALITY, True)
    states = world.airflow.states(QUALITY, run_id)
    assert (state, states["skew"], states["done"]) == ("failed", "failed", "upstream_failed")
    assert states["silver.webtoon_sessions"] == "success"
    assert world.airflow.tasks(QUALITY, run_id)["skew"]["try_number"] == 1
    missing = len([row for row in world.lake.rows("silver.webtoon_sessions") if day in row])
    [text] = [text for text in world.slack.about(run_id) if "`skew`" in text]
    assert "*blocked*" in text and f"skew on {day}: rows that differ: 0, missing online: {missing}," in text


def test_a_new_model_file_is_a_new_task_and_a_table(world: World, gold):
    gold = world.models / "webtoon/gold"
    known = {task["task_id"] for task in world.airflow.get(f"dags/{GOLD_DAG}/tasks")["tasks"]}
    for suffix in ("sql", "yml"):
        source = Path(__file__).resolve().parents[3] / f"models/webtoon/gold/webtoon_country_daily.{suffix}"
        shutil.copy(source, gold)

    def added():
        return {task["task_id"] for task in world.airflow.get(f"dags/{GOLD_DAG}/tasks")["tasks"]} - known

    assert wait_for(added, "the task of the new model") == {"webtoon_country_daily"}
    _, state = run_by_hand(world, GOLD_DAG, **{"from": NOV1, "to": NOV2})
    assert state == "success"
    assert len(world.lake.rows("gold.webtoon_country_daily")) > 1


def held(world: World, dag: str, run_id: str) -> int:
    """The process id of the job that the stand-in holds, once it does."""
    path = world.faults.folder / "held"
    wait_for(path.exists, "the job to have committed", told=lambda: world.airflow.states(dag, run_id))
    pid = int(path.read_text())
    path.unlink()
    return pid


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def alive(pid: int) -> bool:
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return done.returncode == 0 and not done.stdout.startswith("Z")
