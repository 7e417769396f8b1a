"""The oracle itself, on cases small enough to compute by hand from the domain description."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

import oracle
from oracle import Accepted, Limits, Message, decode, stats, strict_json
from oracle.catalogue import EpisodeMetadata
from oracle.sessions import Events, sessions_of_day
from oracle.tables import tables_of_events

DAY = date(2026, 11, 2)  # a Monday
NEXT = DAY + timedelta(days=1)
LIMITS = Limits(max_depth=4)
CATALOGUE = {
    ("w1", "ep_2"): EpisodeMetadata("drama", 2),
    ("w1", "ep_10"): EpisodeMetadata("drama", 10),
    ("w2", "ep_2"): EpisodeMetadata("action", 2),
}


def at(clock: str, day: date = DAY) -> datetime:
    """`at("10:00:00")` on the day of the tests."""
    return datetime.fromisoformat(f"{day}T{clock}+00:00")


class Topic:
    """Events in the making: each call adds one, at its place in the topic."""

    def __init__(self) -> None:
        self.accepted: list[Accepted] = []

    def send(
        self,
        event_id: str,
        event_type: str,
        when: datetime,
        place: tuple[int, int] | None = None,
        topic_id: str = "",
        **fields: object,
    ) -> "Topic":
        """Adds an event; defaults: user u, session s, episode ep_2 of w1."""
        event = {
            "event_id": event_id,
            "event_type": event_type,
            "user_id": "u",
            "session_id": "s",
            "webtoon_id": "w1",
            "episode_id": "ep_2",
            "utimestamptz": when.isoformat(),
            **fields,
        }
        partition, offset = place or (0, len(self.accepted))
        message = Message(partition, offset, None, None, json.dumps(event).encode(), topic_id)
        outcome = decode(message, LIMITS)
        assert isinstance(outcome, Accepted), outcome
        self.accepted.append(outcome)
        return self

    def session(
        self,
        session_id: str,
        start: str,
        end: str,
        outcome: str | None,
        ratio: float,
        day: date = DAY,
        **fields: object,
    ) -> "Topic":
        """Adds a whole session of an enter and its last event."""
        begin, finish = at(start, day), at(end, day)
        fields = {"session_id": session_id, **fields}
        self.send(f"{session_id}-1", "enter", begin, **fields)
        dwell = (finish - begin) // timedelta(milliseconds=1)
        last = {"scroll_ratio": ratio, "dwell_time_ms": dwell, **fields}
        return self.send(f"{session_id}-2", outcome or "scroll", finish, **last)

    def sessions(self, day: date = DAY, as_of: datetime | None = None) -> list:
        """Silver of a day."""
        return sessions_of_day(Events(self.accepted), day, CATALOGUE, as_of)

    def rows(self, table: str, day: date = DAY, silver: list[date] | None = None) -> list[dict]:
        """Gold of a day."""
        dates = [day] if silver is None else silver
        tables = tables_of_events(Events(self.accepted), [day], CATALOGUE, silver_dates=dates)
        return tables[f"gold.webtoon_{table}"]


# ---- paragraph 1: the event ----


EVENT = {
    "event_id": "e",
    "event_type": "enter",
    "user_id": 42,
    "session_id": "s",
    "webtoon_id": "w",
    "episode_id": "ep",
    "utimestamptz": "2026-11-02T10:00:00.5+09:00",
}


def outcome(kafka_time: datetime | None = None, **changes: object):
    """Decodes a good event with changes; None removes nothing, a null is absent anyway."""
    return decode_text(json.dumps({**EVENT, **changes}), kafka_time)


def decode_text(text: str | bytes, kafka_time: datetime | None = None):
    """Decodes a message."""
    raw = text.encode() if isinstance(text, str) else text
    millis = None if kafka_time is None else int(kafka_time.timestamp() * 1000)
    return decode(Message(0, 0, millis, None, raw), LIMITS)


def problems(found) -> list[tuple[str, str]]:
    """What is wrong, as pairs."""
    return [] if isinstance(found, Accepted) else [(p.reason, p.field) for p in found.problems]


def test_a_good_event_becomes_columns():
    columns = outcome(scroll_ratio=0.295, dwell_time_ms=5.0, novelty={"a": 1}).columns
    assert columns["user_id"] == "42"
    assert columns["event_time"] == datetime(2026, 11, 2, 1, 0, 0, 500_000, UTC)
    assert columns["event_date"] == date(2026, 11, 2)
    assert columns["scroll_ratio"] == Decimal("0.295")
    assert columns["dwell_time_ms"] == 5
    assert columns["extra"] == {"novelty": {"a": "1"}}
    assert columns["country"] is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"event_id": ""}, [("missing_field", "event_id")]),
        ({"user_id": None}, [("missing_field", "user_id")]),
        ({"user_id": 4.5}, [("wrong_type", "user_id")]),
        ({"session_id": 7}, [("wrong_type", "session_id")]),
        ({"event_type": "purchase"}, [("unknown_event_type", "event_type")]),
        ({"scroll_ratio": 1.01}, [("out_of_range", "scroll_ratio")]),
        ({"scroll_ratio": "0.5"}, [("wrong_type", "scroll_ratio")]),
        ({"scroll_event_count": -1}, [("out_of_range", "scroll_event_count")]),
        ({"dwell_time_ms": 2**63}, [("out_of_range", "dwell_time_ms")]),
        ({"dwell_time_ms": 0.5}, [("wrong_type", "dwell_time_ms")]),
        ({"platform": "fridge"}, []),
        ({"platform": 1}, [("wrong_type", "platform")]),
        ({"utimestamptz": None}, [("missing_field", "event_time")]),
        ({"utimestamptz": "soon"}, [("wrong_type", "event_time")]),
        ({"utimestamptz": "2026-11-02T10:00:00"}, [("wrong_type", "event_time")]),
        ({"utimestamptz": "1969-12-31T23:59:59Z"}, [("out_of_range", "event_time")]),
        ({"utimestamptz": "2201-01-01T00:00:00Z"}, [("out_of_range", "event_time")]),
        ({"local_timestamptz": "2026-11-02T10:00:00"}, [("wrong_type", "local_timestamptz")]),
        ({"experiment_name": "x"}, [("missing_field", "experiment_group")]),
        ({"experiment_group": "x"}, [("missing_field", "experiment_name")]),
        (
            {"scroll_ratio": -1, "event_type": "x", "user_id": []},
            [
                ("unknown_event_type", "event_type"),
                ("wrong_type", "user_id"),
                ("out_of_range", "scroll_ratio"),
            ],
        ),
    ],
)
def test_problems_are_found_in_the_order_of_the_columns(changes, expected):
    assert problems(outcome(**changes)) == expected


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"x" * 65_537, "too_large"),
        (b"\xff", "invalid_utf8"),
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b'{"a": NaN}', "invalid_json"),
        (b'{"a": "\\ud800"}', "invalid_json"),
        (b'{"a": ["\\ud800"], "a": 1}', "invalid_json"),
        (b'{"\\udc00": 1}', "invalid_json"),
        (b'{"a": [[[[1]]]]}', "invalid_json"),
        (b'{"a": 01}', "invalid_json"),
        (b"[]", "wrong_type"),
    ],
)
def test_a_message_can_be_wrong_as_a_whole(raw, reason):
    assert problems(decode_text(raw)) == [(reason, "")]


def test_depth_counts_no_brackets_in_strings():
    assert strict_json.parse('{"a": "[[[[[[[[\\"[["}', max_depth=1) == {"a": '[[[[[[[["[['}
    assert strict_json.parse('{"a": "\\ud83d\\ude00"}', max_depth=1) == {"a": "\U0001f600"}


def test_the_last_of_duplicate_keys_wins():
    text = (
        '{"event_id": 1, "event_id": "e", "event_type": "exit", "user_id": "u", "session_id": "s",'
    )
    text += '"webtoon_id": "w", "episode_id": "p", "timestamp": 0, "timestamp": 1000}'
    columns = decode_text(text).columns
    assert columns["event_id"] == "e"
    assert columns["event_time"] == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)


def test_event_time_is_the_first_name_present_and_the_others_are_extra():
    columns = outcome(utimestamptz=None, event_time=1793580000000, timestamp="x").columns
    assert columns["event_time"].timestamp() == 1793580000
    assert columns["extra"] == {"timestamp": "x"}
    assert outcome(event_time=None).columns["extra"] is None
    # only the aliases may be numbers
    assert problems(outcome(utimestamptz=1000)) == [("wrong_type", "event_time")]
    assert problems(outcome(utimestamptz="x", timestamp=1000)) == [("wrong_type", "event_time")]


def test_ids_are_kept_as_text():
    for written, kept in (("7", "7"), ("-0", "0"), ("5.0", "5"), ("5e1", "50"), ('"07"', "07")):
        text = json.dumps(EVENT).replace("42", written)
        assert decode_text(text).columns["user_id"] == kept
    assert decode_text(json.dumps(EVENT).replace("42", "9" * 512)).columns["user_id"] == "9" * 512
    assert problems(decode_text(json.dumps(EVENT).replace("42", "9" * 513))) == [
        ("too_large", "user_id")
    ]
    assert outcome(session_id="ä" * 256).columns["session_id"] == "ä" * 256
    assert problems(outcome(session_id="ä" * 257)) == [("too_large", "session_id")]
    assert problems(decode_text(json.dumps(EVENT).replace("42", "1e64"))) == [
        ("out_of_range", "user_id")
    ]


def test_clock_skew_is_measured_against_kafka():
    sent = datetime(2026, 11, 2, 0, 0, 0, 500_000, UTC)  # the event is exactly 1 h later
    assert problems(outcome(kafka_time=sent)) == []
    earlier = sent - timedelta(milliseconds=1)
    assert problems(outcome(kafka_time=earlier)) == [("clock_skew", "event_time")]
    late = datetime(2026, 11, 2, 1, 0, 0, 500_000, UTC) + timedelta(days=400)
    assert problems(outcome(kafka_time=late)) == []
    later = late + timedelta(milliseconds=1)
    assert problems(outcome(kafka_time=later)) == [("clock_skew", "event_time")]


def test_times_are_cut_to_milliseconds():
    columns = outcome(utimestamptz="2026-11-02T23:59:59.9999Z").columns
    assert columns["event_time"].isoformat() == "2026-11-02T23:59:59.999000+00:00"


# ---- paragraph 3: sessions ----


@pytest.mark.parametrize(
    ("written", "rounded"),
    [("0.295", "0.30"), ("0.945", "0.95"), ("0.9449999999999999", "0.94"), ("0.005", "0.01"),
     ("0.0049", "0.00"), ("1", "1.00"), ("0.995", "1.00"), ("2.95e-1", "0.30")],
)  # fmt: skip
def test_ratio_is_rounded_half_up_as_written(written, rounded):
    # through the text, so that no double comes between
    text = json.dumps(
        {"event_id": "a", "event_type": "scroll", "user_id": "u", "session_id": "s",
         "webtoon_id": "w1", "episode_id": "ep_2", "utimestamptz": at("10:00:00").isoformat(),
         "scroll_ratio": "@"}
    ).replace('"@"', written)  # fmt: skip
    (session,) = sessions_of_day(Events([decode_text(text)]), DAY, CATALOGUE)
    assert session.max_scroll_ratio == Decimal(rounded)


def test_a_rounded_ratio_decides_the_state():
    topic = Topic().session("a", "10:00:00", "10:01:00", "complete", 0.945)
    topic.session("b", "10:00:00", "10:01:00", "complete", 0.9449)
    topic.session("c", "10:00:00", "10:01:00", "exit", 0.9449)
    topic.session("d", "10:00:00", "10:01:00", "exit", 0.945)
    states = {s.session_id: (s.session_state, s.is_complete, s.is_exit) for s in topic.sessions()}
    assert states == {
        "a": ("COMPLETE", 1, 0),
        "b": ("TIMEOUT_EXIT", 0, 1),
        "c": ("EXIT", 0, 1),
        "d": ("TIMEOUT_EXIT", 0, 1),
    }


def test_a_complete_comes_before_an_exit_and_no_ratio_decides_nothing():
    topic = Topic().session("a", "10:00:00", "10:01:00", "complete", 1)
    topic.send("a-3", "exit", at("10:02:00"), session_id="a", scroll_ratio=0.1)
    topic.send("b-1", "exit", at("10:02:00"), session_id="b")
    states = {s.session_id: s.session_state for s in topic.sessions()}
    assert states == {"a": "COMPLETE", "b": "TIMEOUT_EXIT"}


def test_timeout_is_more_than_600_seconds_before_the_as_of_time():
    topic = Topic().send("1", "enter", at("10:00:00"))
    (exactly,) = topic.sessions(as_of=at("10:10:00"))
    (longer,) = topic.sessions(as_of=at("10:10:00.001"))
    assert (exactly.session_state, exactly.is_exit) == ("IN_PROGRESS", 0)
    assert longer.session_state == "TIMEOUT_EXIT"


def test_the_default_as_of_time_is_the_end_of_the_window_plus_the_margin():
    topic = Topic().send("1", "enter", at("23:59:00"))
    topic.send("2", "scroll", at("01:50:00", NEXT))
    (session,) = topic.sessions()
    assert session.session_state == "IN_PROGRESS"  # exactly 10 minutes before 02:00
    assert session.end_time == at("01:50:00", NEXT)


def test_a_session_over_midnight_is_whole_and_in_the_date_of_its_start():
    topic = Topic().session("s", "23:50:00", "23:59:00", None, 0.5)
    topic.send("3", "complete", at("00:05:00", NEXT), scroll_ratio=1.0, dwell_time_ms=900_000)
    (session,) = topic.sessions(DAY)
    assert (session.event_count, session.duration_ms) == (3, 900_000)
    assert session.session_state == "COMPLETE"
    assert session.event_date == DAY
    assert topic.sessions(NEXT) == []


def test_a_session_at_the_edges_of_the_window():
    topic = Topic().send("1", "enter", at("00:00:00"), session_id="first")
    topic.send("2", "enter", at("23:59:59.999"), session_id="last")
    topic.send("3", "enter", at("00:00:00", NEXT), session_id="next")
    # an event beyond the margin is not seen
    topic.send("4", "complete", at("02:00:00", NEXT), session_id="last", scroll_ratio=1)
    assert {s.session_id for s in topic.sessions()} == {"first", "last"}
    assert {s.session_id for s in topic.sessions(NEXT)} == {"next"}
    assert all(s.event_count == 1 for s in topic.sessions())


def test_duplicates_keep_the_latest_then_the_highest_partition_then_the_offset():
    topic = Topic()
    topic.send("x", "scroll", at("10:00:00"), place=(3, 9), scroll_ratio=0.1, device="a")
    topic.send("x", "scroll", at("10:00:01"), place=(0, 1), scroll_ratio=0.2, device="b")
    topic.send("x", "scroll", at("10:00:01"), place=(1, 0), scroll_ratio=0.3, device="c")
    topic.send("x", "scroll", at("10:00:01"), place=(1, 2), scroll_ratio=0.4, device="d")
    topic.send("x", "scroll", at("10:00:01"), place=(1, 1), scroll_ratio=0.5, device="e")
    (session,) = topic.sessions()
    assert session.device == "d"
    assert session.max_scroll_ratio == Decimal("0.40")
    assert session.start_time == at("10:00:01")
    assert (session.event_count, session.duplicate_count) == (1, 4)


def test_duplicates_of_two_topics_are_told_apart_by_the_topic_id():
    ids = ["", "-", "Zx", "a"]
    for sent in (ids, list(reversed(ids))):
        topic = Topic()
        for topic_id in sent:
            topic.send("x", "scroll", at("10:00:00"), (0, 0), topic_id, device=f"of {topic_id}")
        (session,) = topic.sessions()
        assert (session.device, session.duplicate_count) == ("of a", 3)


def test_attributes_come_from_the_earliest_event_that_has_them():
    topic = Topic()
    topic.send(
        "b", "enter", at("10:00:00"), country="JP", local_timestamptz="2026-11-02T19:00:00+09:00"
    )
    topic.send("a", "enter", at("10:00:00"), country="KR", browser=None)
    topic.send("c", "scroll", at("10:00:01"), platform="ios", browser="safari", network_type="5g")
    (session,) = topic.sessions()
    assert (session.country, session.platform, session.browser) == ("KR", "ios", "safari")
    assert (session.device, session.network_type) == ("UNKNOWN", "5g")
    assert session.experiment_name is None
    # the first event is "a", which has no local time: UTC counts, a Monday
    assert (session.local_hour, session.local_day_of_week) == (10, 1)
    assert (session.genre, session.episode_no) == ("drama", 2)


def test_local_time_is_read_off_the_readers_clock():
    topic = Topic()
    topic.send("a", "enter", at("18:00:00"), local_timestamptz="2026-11-03T03:00:00+09:00")
    (session,) = topic.sessions()
    assert (session.local_hour, session.local_day_of_week) == (3, 2)
    assert session.event_date == DAY


def test_the_grain_has_four_parts_and_unknown_episodes_have_no_genre():
    topic = Topic().send("1", "enter", at("10:00:00"))
    topic.send("2", "enter", at("10:00:00"), user_id=7)
    topic.send("3", "enter", at("10:00:00"), webtoon_id="w9")
    topic.send("4", "enter", at("10:00:00"), episode_id="ep_10")
    sessions = topic.sessions()
    assert len(sessions) == 4
    assert {(s.genre, s.episode_no) for s in sessions if s.webtoon_id == "w9"} == {
        ("UNKNOWN", None)
    }


# ---- paragraph 4: gold ----


def test_user_daily():
    topic = Topic().session("a", "10:00:00.900", "10:00:10.800", "exit", 0.2)  # 9,900 ms: a bounce
    topic.session("b", "10:01:00.100", "10:01:10.101", "complete", 0.95)  # 10,001 ms: none
    topic.session("c", "10:01:05", "10:02:00", "complete", 1.0)  # starts before b ends
    topic.send("d-1", "enter", at("11:00:00"), session_id="d", webtoon_id="w2")  # no duration
    (row,) = topic.rows("user_daily")
    assert row == {
        "event_date": DAY,
        "user_id": "u",
        "total_episode_sessions": 4,
        "complete_sessions": 2,
        "exit_sessions": 2,
        "incomplete_sessions": 0,
        "avg_scroll_ratio": pytest.approx(2.15 / 3, rel=1e-15),
        "avg_duration_ms": pytest.approx((9_900 + 10_001 + 55_000) / 3, rel=1e-15),
        "bounce_ratio": 0.25,
        "distinct_episode_views": 2,
        "distinct_episode_completes": 1,
        "completion_rate": 0.5,
        "exit_rate": 0.5,
        "multi_episode_read_flag": True,
        # 10:01:00 - 10:00:10 = 50 s, then max(0, 10:01:05 - 10:01:10) = 0, then 58 min
        "avg_return_interval_sec": pytest.approx((50 + 0 + 3480) / 3),
        "repeat_episode_complete_count": 1,
        "top_genre": "drama",
        "active_hours": 2,
    }


def test_one_session_has_no_return_interval_and_a_bounce_ends_at_10_seconds():
    (row,) = Topic().session("a", "10:00:00", "10:00:10", "exit", 0.2).rows("user_daily")
    assert row["avg_return_interval_sec"] == 0
    assert row["bounce_ratio"] == 1
    assert row["multi_episode_read_flag"] is False


def test_top_genre_ties_go_to_the_smallest_name():
    topic = Topic().session("a", "10:00:00", "10:01:00", "exit", 0.2)
    topic.session("b", "11:00:00", "11:01:00", "exit", 0.2, webtoon_id="w2")
    assert topic.rows("user_daily")[0]["top_genre"] == "action"


def test_episode_daily():
    topic = Topic()
    for number, ratio in enumerate((0.0, 0.19, 0.2, 0.4, 0.6, 0.8, 0.94)):
        topic.session(f"x{number}", "10:00:00", "10:01:00", "exit", ratio)
    # u completes ep_2 after ep_10: the order in time does not matter
    topic.session("later", "09:00:00", "09:30:00", "complete", 1, episode_id="ep_10")
    topic.session("one", "11:00:00", "11:30:00", "complete", 1)
    # v completes ep_2 and only looks at ep_10; and completes ep_2 of another webtoon
    topic.session("v1", "11:00:00", "11:30:00", "complete", 1, user_id="v")
    topic.session("v2", "12:00:00", "12:30:00", "exit", 0.5, user_id="v", episode_id="ep_10")
    topic.session("v3", "12:00:00", "12:30:00", "complete", 1, user_id="v", webtoon_id="w2")
    rows = {(row["webtoon_id"], row["episode_id"]): row for row in topic.rows("episode_daily")}
    row = rows["w1", "ep_2"]
    assert row["total_sessions"] == 9
    assert (row["complete_sessions"], row["exit_sessions"], row["incomplete_sessions"]) == (2, 7, 0)
    assert (row["unique_users"], row["unique_complete_users"], row["unique_exit_users"]) == (
        2,
        2,
        1,
    )
    buckets = [value for name, value in row.items() if name.startswith("scroll_bucket")]
    assert buckets == [2, 1, 1, 1, 4]
    assert row["scroll_dropoff_point"] == pytest.approx(3.13 / 7, rel=1e-15)
    assert (row["continued_user_count"], row["episode_attractiveness_index"]) == (1, 0.5)
    assert rows["w1", "ep_10"]["continued_user_count"] == 0
    assert rows["w2", "ep_2"]["continued_user_count"] == 0


def test_later_is_by_id_where_the_dimension_has_no_number():
    topic = Topic().session("a", "10:00:00", "10:01:00", "complete", 1, episode_id="x1")
    topic.session("b", "10:00:00", "10:01:00", "complete", 1, episode_id="x2")
    continued = {r["episode_id"]: r["continued_user_count"] for r in topic.rows("episode_daily")}
    assert continued == {"x1": 1, "x2": 0}


def test_title_daily():
    yesterday = DAY - timedelta(days=1)
    topic = Topic().session("y1", "10:00:00", "10:01:00", "exit", 0.1, day=yesterday)
    topic.session("y2", "10:00:00", "10:01:00", "exit", 0.1, day=yesterday, user_id="gone")
    topic.session("y3", "10:00:00", "10:01:00", "exit", 0.1, day=yesterday, webtoon_id="w2")
    # means of 0.87/3 and of 0.29 tie exactly, though not as doubles; the smaller id is ep_10
    for name, ratio in (("a", 0.29), ("b", 0.28), ("c", 0.30)):
        topic.session(name, "10:00:00", "10:01:00", "exit", ratio)
    topic.session("d", "10:00:00", "10:01:00", "exit", 0.29, user_id="v", episode_id="ep_10")
    topic.session("e", "12:00:00", "12:01:00", "exit", 0.1, user_id="v", episode_id="ep_1")
    (row,) = topic.rows("title_daily", silver=[yesterday, DAY])
    assert row["webtoon_id"] == "w1"
    assert row["deepest_episode_reached"] == "ep_10"
    assert row["binge_read_ratio"] == 0.5
    assert row["webtoon_retention_rate"] == 0.5
    assert topic.rows("title_daily")[0]["webtoon_retention_rate"] == 0


def test_country_daily():
    yesterday = DAY - timedelta(days=1)
    topic = Topic().session("y", "10:00:00", "10:01:00", "exit", 0.1, day=yesterday, country="KR")
    topic.session("a", "10:00:00", "10:01:00", "complete", 1, country="KR")
    topic.session("b", "11:00:00", "11:02:00", "exit", 0.5, country="KR")
    topic.session("c", "11:00:00", "11:01:00", "exit", 0.5, country="KR", user_id="v")
    topic.session("d", "11:00:00", "11:04:00", "exit", 0.4, country="JP", user_id="v")
    rows = {r["country"]: r for r in topic.rows("country_daily", silver=[yesterday, DAY])}
    korea, japan = rows["KR"], rows["JP"]
    assert (korea["total_sessions"], korea["unique_users"], korea["sessions_per_user"]) == (
        3,
        2,
        1.5,
    )
    assert korea["active_user_depth"] == 1.0  # u and v each read ep_2
    assert (korea["returning_users"], korea["new_users"]) == (1, 1)
    assert (korea["return_user_ratio"], korea["new_user_ratio"]) == (0.5, 0.5)
    assert korea["completion_rate_gap_vs_global"] == pytest.approx(1 / 3 - 1 / 4)
    assert korea["scroll_depth_index"] == pytest.approx((2.0 / 3) / (2.4 / 4))
    assert korea["avg_duration_index"] == pytest.approx(80_000 / 120_000)
    assert korea["completion_exit_ratio"] == pytest.approx(0.5)
    assert (japan["new_users"], japan["completion_exit_ratio"]) == (1, 0)


def test_platform_device_daily():
    topic = Topic()
    web = {"platform": "web", "device": "pc"}
    topic.session("a", "10:00:00", "10:01:00", "complete", 1, browser="x", **web)
    topic.session("b", "10:00:00", "10:01:00", "exit", 0.5, browser="y", **web)
    topic.session(
        "c", "10:00:00", "10:03:00", "exit", 0.5, browser="x", platform="web", device="tv"
    )
    topic.session(
        "d", "10:00:00", "10:03:00", "exit", 0.2, browser="x", platform="ios", device="pc"
    )
    rows = {
        (r["platform"], r["device"], r["browser"]): (
            r["cross_browser_completion_gap"],
            r["cross_device_duration_gap"],
            r["cross_platform_scroll_gap"],
        )
        for r in topic.rows("platform_device_daily")
    }
    assert rows == {
        ("web", "pc", "x"): (1.0, 120_000.0, 0.8),
        ("web", "pc", "y"): (1.0, 0.0, 0.0),
        ("web", "tv", "x"): (0.0, 120_000.0, 0.0),
        ("ios", "pc", "x"): (0.0, 0.0, 0.8),
    }


def test_dayparts_and_hours():
    topic = Topic()
    for hour in (0, 5, 6, 11, 12, 17, 18, 23):
        local = f"2026-11-02T{hour:02}:30:00+00:00"
        topic.send(
            str(hour), "enter", at("09:30:00"), session_id=str(hour), local_timestamptz=local
        )
    dayparts = {r["daypart"]: r["sessions"] for r in topic.rows("daypart_daily")}
    assert dayparts == {"night": 2, "morning": 2, "afternoon": 2, "evening": 2}
    (row,) = topic.rows("user_hourly")
    assert (row["event_hour"], row["sessions"], row["unique_users"]) == (9, 8, 1)


def test_trailing_windows():
    topic = Topic().session("a", "10:00:00", "10:01:00", "complete", 1, day=DAY - timedelta(days=6))
    topic.session("b", "10:00:00", "10:01:00", "exit", 0.1, day=DAY - timedelta(days=2))
    topic.session(
        "c", "10:00:00", "10:03:00", "complete", 1, day=DAY - timedelta(days=7), user_id="v"
    )
    silver = [DAY - timedelta(days=n) for n in range(31)]
    (row,) = topic.rows("user_7d", silver=silver)
    assert row == {
        "event_date": DAY,
        "user_id": "u",
        "active_days": 2,
        "sessions": 2,
        "completes": 1,
        "completion_rate": 0.5,
        "distinct_webtoons": 1,
        "distinct_episodes": 1,
        "top_genre": "drama",
        "avg_duration_ms": 60_000.0,
        "days_since_last": 2,
    }
    assert {r["user_id"]: r["days_since_last"] for r in topic.rows("user_30d", silver=silver)} == {
        "u": 2,
        "v": 7,
    }


def test_experiment_daily():
    topic = Topic()

    def read(user: str, group: str, outcome: str, minutes: int, n: int = 1) -> None:
        for number in range(n):
            topic.session(
                f"{user}{group}{number}", "10:00:00", f"10:{minutes:02}:00", outcome,
                1 if outcome == "complete" else 0.5,
                user_id=user, experiment_name="x", experiment_group=group,
            )  # fmt: skip

    read("a", "control", "complete", 1, n=3)
    read("b", "control", "exit", 3)
    read("c", "treatment", "complete", 2)
    read("d", "treatment", "complete", 4)
    read("e", "treatment", "complete", 6)
    read("mixed", "control", "exit", 9)
    read("mixed", "treatment", "exit", 9)
    rows = {r["experiment_group"]: r for r in topic.rows("experiment_daily")}
    control, treatment = rows["control"], rows["treatment"]
    assert (control["users"], control["sessions"], control["completed_users"]) == (2, 4, 1)
    assert control["completion_rate"] == 0.5
    assert (control["mean_duration_ms"], control["duration_n"]) == (180_000.0, 2)
    assert control["duration_variance"] == 0.0
    assert control["completion_rate_diff"] is None and control["duration_p_value"] is None
    assert treatment["excluded_users"] == control["excluded_users"] == 1
    assert treatment["completion_rate_diff"] == 0.5
    # 2 against 3 users where 2.5 each were expected: chi-square 0.2 with one degree of freedom
    assert treatment["srm_p_value"] == pytest.approx(0.6547208460185768, rel=1e-12)
    assert treatment["duration_diff_ms"] == 60_000.0
    assert (control["is_control"], treatment["is_control"]) == (True, False)


# ---- statistics against published values ----


def test_wilson_against_published_intervals():
    # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3: 81/263, 15/148, 0/20, 1/29
    for successes, trials, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        interval = stats.wilson(successes, trials)
        assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)
    assert stats.wilson(0, 0) == stats.Interval(0.0, 0.0)
    assert stats.wilson(7, 7).high == 1.0


def test_p_values_against_tables():
    assert stats.two_sided_p(1.959963984540054) == pytest.approx(0.05, rel=1e-12)
    assert stats.two_sided_p(-2.5758293035489004) == pytest.approx(0.01, rel=1e-12)
    assert stats.two_sided_p(0) == 1


@pytest.mark.parametrize(
    ("degrees", "critical", "tail"),
    [(1, 3.841, 0.05), (2, 5.991, 0.05), (3, 7.815, 0.05), (4, 9.488, 0.05), (5, 11.070, 0.05),
     (1, 6.635, 0.01), (2, 9.210, 0.01), (3, 11.345, 0.01), (10, 23.209, 0.01), (7, 2.167, 0.95)],
)  # fmt: skip
def test_chi_square_against_the_table(degrees, critical, tail):
    assert stats.chi_square_p(critical, degrees) == pytest.approx(tail, abs=1e-4)


def test_sample_ratio_mismatch():
    assert stats.sample_ratio_mismatch_p([50, 50]) == 1
    # (25 + 25) / 75 ... 100 against 50: expected 75 each, chi-square 2 * 625 / 75 = 16.67
    assert stats.sample_ratio_mismatch_p([100, 50]) == pytest.approx(4.4561e-5, rel=1e-4)
    assert stats.sample_ratio_mismatch_p([5]) == 1
    assert stats.sample_ratio_mismatch_p([]) == 1


def test_comparing_groups():
    # the pooled z-test of 15/50 against 30/50: z = -0.3 / sqrt(0.45 * 0.55 * 0.04) = -3.0151
    found = stats.compare_proportions(15, 50, 30, 50)
    assert found.difference == pytest.approx(-0.3)
    assert found.p_value == pytest.approx(0.002569, abs=1e-6)
    # Newcombe 1998, Statistics in Medicine 17:873, table II, method 10: 56/70 - 48/80
    interval = stats.compare_proportions(56, 70, 48, 80).interval
    assert interval.low == pytest.approx(0.0524, abs=5e-5)
    assert interval.high == pytest.approx(0.3339, abs=5e-5)
    assert stats.compare_proportions(1, 1, 2, 2).p_value == 1
    one = stats.sample([Fraction(n) for n in (1, 2, 3, 4)])
    assert (one.mean, one.variance, one.n) == (2.5, pytest.approx(5 / 3), 4)
    assert stats.sample([Fraction(3)]) == stats.Sample(3.0, 0.0, 1)
    means = stats.compare_means(stats.Sample(12.0, 4.0, 100), stats.Sample(11.0, 12.0, 100))
    assert means.p_value == pytest.approx(0.012419, abs=1e-6)  # z = 1 / sqrt(0.16) = 2.5


# ---- the whole ----


def test_all_tables_have_their_grain():
    topic = Topic().session(
        "a", "10:00:00", "10:01:00", "complete", 1, experiment_name="x", experiment_group="y"
    )
    tables = tables_of_events(Events(topic.accepted), [DAY], CATALOGUE)
    assert tables.keys() == oracle.KEYS.keys()
    for table, rows in tables.items():
        assert len(rows) == 1, table
        assert {"event_date", *oracle.KEYS[table]} <= rows[0].keys()


def test_days_end_before_the_last():
    assert oracle.days("2026-11-01", "2026-11-03") == [date(2026, 11, 1), date(2026, 11, 2)]
