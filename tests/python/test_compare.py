"""The checks themselves, on small lakes made here: each must pass when all is right and find what is not."""

import base64
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow
import pytest
from deltalake import write_deltalake

import compare
import hard_messages
import history_check
import oracle
import readers_agree
from delta_read import table_path
from oracle.metrics import Difference

DAY = date(2026, 11, 1)


def messages() -> list[oracle.Message]:
    """The hard ones, and a few good sessions of the day so that every table has rows."""
    made = [
        oracle.Message(0, offset, hard_messages.NOON_MS, None, value)
        for offset, value in enumerate(hard_messages.messages())
    ]
    for user in range(6):
        for number, event_type in enumerate(
            ("enter", "scroll", "complete" if user % 2 else "exit")
        ):
            event = hard_messages.event(
                event_id=f"good-{user}-{number}",
                event_type=event_type,
                user_id=user,
                session_id=f"good-{user}",
                utimestamptz=f"2026-11-01T0{user}:00:0{number}Z",
                scroll_ratio=0.3 * number + 0.05 * user,
                dwell_time_ms=number * 6_000 + user,
                experiment_name="layout",
                experiment_group="control" if user < 3 else "wide",
            )
            value = json.dumps(event).encode()
            made.append(oracle.Message(1, len(made), hard_messages.NOON_MS, None, value))
    return made


@pytest.fixture(scope="module")
def expected() -> dict[str, list[dict]]:
    """What the oracle makes of them."""
    return oracle.all_tables(messages(), [DAY])


def write(lake: Path, table: str, rows: list[dict], schema: pyarrow.Schema | None = None) -> None:
    """Writes rows as a Delta table."""
    plain = [{k: float(v) if isinstance(v, float) else v for k, v in row.items()} for row in rows]
    write_deltalake(
        str(table_path(lake, table)),
        pyarrow.Table.from_pylist(plain, schema=schema),
        partition_by=["event_date"],
    )


def changed(rows: list[dict], **changes: object) -> list[dict]:
    """The rows, the first of them with changes."""
    return [{**rows[0], **changes}, *rows[1:]]


def found(lake: Path, table: str, rows: list[dict], stored: list[dict]) -> list[str]:
    """Stores one thing, expects another; the differences as text."""
    write(lake, table, stored)
    return [str(d) for d in compare.compare(lake, {table: rows})]


def test_equal_tables_have_no_differences(tmp_path, expected):
    for table, rows in expected.items():
        assert rows, f"the messages give {table} no row"
        write(tmp_path, table, rows)
    assert compare.compare(tmp_path, expected) == []


def test_every_kind_of_difference_is_found(tmp_path, expected):
    table = "gold.webtoon_user_daily"
    rows = expected[table]
    user = rows[0]["user_id"]

    def one(name: str, stored: list[dict]) -> str:
        (difference,) = found(tmp_path / name, table, rows, stored)
        return difference

    assert "row missing" in one("missing", rows[1:])
    assert "should not be" in one("extra", [*rows, {**rows[0], "user_id": "nobody"}])
    assert "repeated" in one("repeated", [*rows, rows[0]])
    assert "unknown to the oracle" in one("column", [{**row, "surplus": 1} for row in rows])
    kept = [{k: v for k, v in row.items() if k != "top_genre"} for row in rows]
    assert "no such column" in one("no column", kept)
    cell = one("integer", changed(rows, complete_sessions=77))
    assert f"2026-11-01/{user}" in cell and "complete_sessions" in cell and "found 77" in cell
    assert "top_genre" in one("text", changed(rows, top_genre="x"))
    nearly = rows[0]["avg_duration_ms"] * (1 + 1e-11)
    assert "avg_duration_ms" in one("double", changed(rows, avg_duration_ms=nearly))
    assert "expected" in one("null", changed(rows, avg_duration_ms=None))


def test_a_missing_table_is_a_difference(tmp_path):
    (difference,) = compare.compare(tmp_path, {"gold.webtoon_genre_daily": []})
    assert "no such table" in str(difference)


def test_partitions_outside_the_dates_can_be_left_out(tmp_path, expected):
    table = "gold.webtoon_genre_daily"
    rows = expected[table]
    write(tmp_path, table, [*rows, {**rows[0], "event_date": date(2026, 11, 9)}])
    assert len(compare.compare(tmp_path, {table: rows})) == 1
    assert compare.compare(tmp_path, {table: rows}, {DAY}) == []


@pytest.mark.parametrize(
    ("column", "want", "have", "equal"),
    [
        ("a", 1, 1, True),
        ("a", 1, 1.0, False),
        ("a", 1.0, 1, False),
        ("a", None, None, True),
        ("a", None, 0, False),
        ("a", 0.0, None, False),
        ("a", Decimal("0.30"), Decimal("0.3"), True),
        ("a", Decimal("0.30"), 0.3, False),
        ("a", "1", 1, False),
        ("a", 0.1 + 0.2, 0.3, True),
        ("a", 1.0, 1.0 + 3e-12, False),
        ("a_p_value", 1.0, 1.0 + 3e-12, True),
        ("a_p_value", 1.0, 1.0 + 3e-9, False),
        ("a", 0.0, 1e-17, False),
        ("a", Difference.between(0.3, 0.3), 1e-17, True),
        ("a", Difference.between(1e5, 1e5), 1e-6, False),
        ("a", 0.0, float("nan"), False),
    ],
)
def test_cells(column, want, have, equal):
    assert compare.same_cell(column, want, have) is equal


def test_a_report_names_tables_columns_and_counts():
    differences = [
        compare.Difference("gold.t", (DAY, n), "c", "expected 1, found 2") for n in range(30)
    ]
    report = compare.report(differences)
    assert "gold.t: 30 differences (c 30)" in report
    assert "2026-11-01/19" in report and "2026-11-01/20" not in report
    assert "... and 10 more" in report


# ---- the history ----


def history() -> tuple[list[oracle.Message], list[dict], list[dict]]:
    """Messages with the bronze and quarantine rows that they should give."""
    sent = messages()
    limits = oracle.Limits.of_contract()
    ingested = datetime(2026, 11, 1, 12, 0, 1, tzinfo=UTC)
    bronze, quarantine = [], []
    for message in sent:
        outcome = oracle.decode(message, limits)
        place = {
            "_partition": message.partition,
            "_offset": message.offset,
            "_kafka_time": hard_messages.NOON,
            "_ingested_at": ingested,
        }
        if isinstance(outcome, oracle.Accepted):
            extra = outcome.columns["extra"]
            text = None if extra is None else json.dumps(extra)
            bronze.append({**outcome.columns, "extra": text, **place})
        else:
            quarantine.append(
                {
                    **place,
                    "event_date": DAY,
                    "_topic": "webtoon.events",
                    "reason": outcome.reason,
                    "problems": [{"reason": p.reason, "field": p.field} for p in outcome.problems],
                    "raw": message.value,
                }
            )
    return sent, bronze, quarantine


def test_a_right_history_has_no_findings():
    sent, bronze, quarantine = history()
    outcomes = {history_check.place(m): oracle.decode(m, oracle.Limits.of_contract()) for m in sent}
    assert history_check.check_offsets(sent, bronze, quarantine) == []
    for row in quarantine:
        outcome = outcomes[history_check.place_of(row)]
        assert history_check.check_quarantine_row(row, outcome, "webtoon.events") == []
    for row in bronze:
        if row["extra"] is None:
            assert history_check.check_bronze_row(row, outcomes[history_check.place_of(row)]) == []


def test_lost_and_repeated_and_invented_offsets_are_found():
    sent, bronze, quarantine = history()
    (lost,) = history_check.check_offsets(sent, bronze[2:], quarantine)
    assert lost.startswith("2 offsets are in the topic")
    (repeated,) = history_check.check_offsets(sent, [*bronze, quarantine[0]], quarantine)
    assert "1 offsets are more than once" in repeated
    (invented,) = history_check.check_offsets(
        sent, [*bronze, {"_partition": 9, "_offset": 3}], quarantine
    )
    assert "not in the topic: 9:3" in invented
    assert history_check.ranges({(0, 1), (0, 2), (0, 4), (1, 5)}) == "0:1-2 0:4 1:5"


def test_wrong_rows_are_found():
    sent, bronze, quarantine = history()
    limits = oracle.Limits.of_contract()
    outcomes = {history_check.place(m): oracle.decode(m, limits) for m in sent}

    def bronze_findings(**changes: object) -> list[str]:
        row = {**next(r for r in bronze if r["extra"] is None), **changes}
        return history_check.check_bronze_row(row, outcomes[history_check.place_of(row)])

    assert bronze_findings() == []
    assert "user_id should be" in bronze_findings(user_id="x")[0]
    assert "scroll_ratio should be" in bronze_findings(scroll_ratio=0.5)[0]
    assert "extra should be None" in bronze_findings(extra="{}")[0]
    assert "_ingested_at" in bronze_findings(_ingested_at=None)[0]
    assert "surplus" in bronze_findings(surplus=1)[0]
    wrong = {**bronze[0], "_offset": quarantine[3]["_offset"]}
    assert (
        "should be in quarantine"
        in history_check.check_bronze_row(wrong, outcomes[history_check.place_of(wrong)])[0]
    )

    def quarantine_findings(**changes: object) -> list[str]:
        row = {**quarantine[-1], **changes}
        outcome = outcomes[history_check.place_of(row)]
        return history_check.check_quarantine_row(row, outcome, "webtoon.events")

    assert quarantine_findings() == []
    assert "raw is not" in quarantine_findings(raw=b"x")[0]
    assert "should be [" in quarantine_findings(reason="wrong_type")[0]
    assert "should be [" in quarantine_findings(problems=quarantine[-1]["problems"][:1])[0]
    assert "_topic" in quarantine_findings(_topic="x")[0]
    assert "_kafka_time" in quarantine_findings(event_date=date(2026, 11, 2))[0]


def test_extra_is_compared_as_json():
    parsed = oracle.strict_json.parse('{"a": [1.50, {"b": "\u00e9"}], "c": null}', 9)
    assert history_check.same_extra(parsed, '{"c":null,"a":[15e-1,{"b":"\\u00e9"}]}')
    assert not history_check.same_extra(parsed, '{"c":null,"a":["1.5",{"b":"\u00e9"}]}')
    assert not history_check.same_extra(parsed, None)
    assert not history_check.same_extra(parsed, "no json")


def test_a_dump_is_read_back(tmp_path):
    path = tmp_path / "topic.jsonl"
    value = base64.b64encode(b"\xff\n").decode()
    path.write_text(
        f'{{"p":3,"o":7,"t":12,"k":null,"v":"{value}"}}\n{{"p":0,"o":0,"t":1,"k":"aw==","v":null}}\n'
    )
    assert oracle.load_dump(path) == [
        oracle.Message(3, 7, 12, None, b"\xff\n"),
        oracle.Message(0, 0, 1, b"k", None),
    ]
    path.write_bytes(b"one\n\ntwo\r\n")
    assert [m.value for m in oracle.load_lines(path)] == [b"one", b"", b"two\r"]


# ---- other readers ----


def test_readers_agree_on_every_type(tmp_path, expected):
    _, _, quarantine = history()
    for table, rows in expected.items():
        write(tmp_path, table, rows)
    write(tmp_path, "bronze.webtoon_quarantine", quarantine)
    seen, findings = readers_agree.check(tmp_path)
    assert findings == []
    assert {table: own.rows for table, own in seen.items()} == {
        **{table: len(rows) for table, rows in expected.items()},
        "bronze.webtoon_quarantine": len(quarantine),
    }


def test_readers_find_times_that_are_not_utc_milliseconds(tmp_path):
    moment = datetime(2026, 11, 1, 1, 2, 3, 456_789)
    naive = pyarrow.schema([("event_date", pyarrow.date32()), ("t", pyarrow.timestamp("us"))])
    write(tmp_path, "gold.naive", [{"event_date": DAY, "t": moment}], naive)
    fine = pyarrow.schema([("event_date", pyarrow.date32()), ("t", pyarrow.timestamp("us", "UTC"))])
    write(tmp_path, "gold.micros", [{"event_date": DAY, "t": moment.replace(tzinfo=UTC)}], fine)
    _, findings = readers_agree.check(tmp_path)
    assert any("gold.naive: reader protocol 3" in finding for finding in findings)
    assert any("gold.naive: t is timestamp[us] in" in finding for finding in findings)
    assert any("gold.micros: t has parts of a millisecond" in finding for finding in findings)


def test_a_fingerprint_sees_every_cell_and_no_order():
    rows = [{"a": 1, "b": "x"}, {"a": 2, "b": None}]
    seen = readers_agree.fingerprint(rows, ["a", "b"])
    assert seen == readers_agree.fingerprint(rows[::-1], ["a", "b"])
    assert seen != readers_agree.fingerprint([{"a": 1, "b": None}, {"a": 2, "b": "x"}], ["a", "b"])
