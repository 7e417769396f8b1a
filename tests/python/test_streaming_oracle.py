"""The streaming oracle on cases small enough to be counted by hand."""

import json
from datetime import UTC, datetime, timedelta

import oracle
import streaming_oracle as streaming

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


class Topic:
    def __init__(self):
        self.messages = []

    def send(self, after, kind, session="s", user=1, sent=None, partition=0, event_id=None, **fields):
        """An event so many seconds after noon, which arrives `sent` seconds after noon (at once when not given)."""
        event = {
            "event_id": event_id or f"{session}-{kind}-{after}-{len(self.messages)}", "event_type": kind, "user_id": user,
            "session_id": session, "webtoon_id": "w", "episode_id": fields.pop("episode", "e1"),
            "utimestamptz": (NOON + timedelta(seconds=after)).isoformat(), **fields,
        }  # fmt: skip
        arrived = NOON + timedelta(seconds=after if sent is None else sent)
        value = json.dumps(event).encode()
        self.messages.append(oracle.Message(partition, len(self.messages), int(arrived.timestamp() * 1000), None, value))

    def rows(self, view, minutes):
        return streaming.rows(self.messages, NOON + timedelta(minutes=minutes))[view]


def test_a_window_ends_after_the_present_and_begins_a_size_before():
    topic = Topic()
    topic.send(60, "enter")
    topic.send(15 * 60, "enter", session="t")
    assert topic.rows("webtoon_user_1h", 20)[("1",)]["sessions"] == 2
    assert topic.rows("webtoon_user_1h", 59)[("1",)]["sessions"] == 2, "[12:00, 13:00)"
    assert topic.rows("webtoon_user_1h", 60)[("1",)]["sessions"] == 1, "[12:10, 13:10)"
    assert topic.rows("webtoon_user_1h", 70) == {("1",): {
        "sessions": 0, "events": 0, "completes": 0, "exits": 0, "completion_rate": 0, "avg_scroll_ratio": None,
        "distinct_episodes": 0, "distinct_webtoons": 0,
    }}  # fmt: skip


def test_an_event_whose_last_window_has_ended_is_late():
    topic = Topic()
    topic.send(0, "enter")
    topic.send(5, "scroll", session="late", user=2, sent=3600 + 9)
    topic.send(3600 + 10, "enter", session="t", user=3)
    topic.send(6, "scroll", session="late", user=2, sent=3600 + 11)
    # [11:10, 12:10) to [12:00, 13:00) hold 12:00:06; the watermark stood at 13:00:00 when it came.
    events = {key: row["events"] for key, row in topic.rows("webtoon_user_1h", 61).items()}
    assert events == {("1",): 0, ("2",): 0, ("3",): 1}
    used = streaming.partitions(topic.messages)[0].used
    windows = streaming.sliding(used, ("user_id",), timedelta(hours=2), timedelta(minutes=10), NOON + timedelta(hours=1.5))
    assert len(windows[("2",)]) == 2, "a longer window takes it"


def test_a_repeat_counts_once_however_late_it_is():
    topic = Topic()
    topic.send(0, "enter", event_id="a")
    topic.send(0, "enter", event_id="a", sent=60)
    topic.send(20 * 60, "enter", session="t")
    topic.send(60, "scroll", event_id="b", sent=20 * 60)
    topic.send(60, "scroll", event_id="b", sent=21 * 60)
    assert streaming.partitions(topic.messages)[0].duplicates == 2
    topic.send(40 * 60, "enter", session="u")
    topic.send(60, "scroll", event_id="b", sent=40 * 60)
    assert topic.rows("webtoon_session", 60)[("s", "1", "w", "e1")]["event_count"] == 3, "beyond the horizon it counts again"


def test_outcomes():
    topic = Topic()
    topic.send(0, "enter", country=None)
    topic.send(10, "scroll", scroll_ratio=0.945, country="KR")
    topic.send(20, "complete")
    topic.send(0, "enter", session="t")
    topic.send(9, "exit", session="t", scroll_ratio=0.944)
    topic.send(0, "enter", session="u")
    topic.send(9, "complete", session="u")
    rows = topic.rows("webtoon_session", 60)
    assert {key[0]: row["session_state"] for key, row in rows.items()} == {"s": "COMPLETE", "t": "EXIT", "u": "TIMEOUT_EXIT"}
    assert rows[("s", "1", "w", "e1")]["country"] == "KR" and rows[("t", "1", "w", "e1")]["country"] == "UNKNOWN"
    assert rows[("s", "1", "w", "e1")]["last_event_at"] == NOON + timedelta(seconds=20)


def test_two_readers_of_one_session_id_are_two_sessions_and_two_partitions_are_one():
    topic = Topic()
    topic.send(0, "enter", user=1)
    topic.send(1, "enter", user=2, episode="e2")
    topic.send(2, "exit", user=1, partition=1, scroll_ratio=0.5)
    rows = topic.rows("webtoon_session", 60)
    assert {key: row["event_count"] for key, row in rows.items()} == {("s", "1", "w", "e1"): 2, ("s", "2", "w", "e2"): 1}
    assert rows[("s", "1", "w", "e1")]["session_state"] == "EXIT"


def test_recent_values_stand_where_they_were_last_seen():
    topic = Topic()
    for number, episode in enumerate(["e1", "e2", "e1", "e3"]):
        topic.send(number, "scroll", episode=episode)
    topic.send(1.5, "scroll", episode="e4", sent=30)
    assert topic.rows("webtoon_user_recent", 1)[("1",)]["recent_episodes"] == ["e2", "e4", "e1", "e3"]
    for number in range(50):
        topic.send(100 + number, "scroll", episode="e9")
    assert topic.rows("webtoon_user_recent", 5)[("1",)]["recent_episodes"] == ["e9"]


def test_a_streak_begins_after_the_newest_exit():
    topic = Topic()
    for after, kind in [(1, "complete"), (2, "exit"), (3, "complete"), (4, "complete")]:
        topic.send(after, kind)
    assert topic.rows("webtoon_user_lifetime", 1)[("1",)]["current_complete_streak"] == 2
    topic.send(3.5, "exit", sent=30)
    assert topic.rows("webtoon_user_lifetime", 1)[("1",)]["current_complete_streak"] == 1


def test_differences_are_told():
    expected = {("a",): {"rate": streaming.ratio(1, 3), "count": 1}, ("b",): {"count": 0}}
    assert streaming.differences(expected, {("a",): {"rate": 1 / 3, "count": 1}, ("b",): {"count": 0}}) == []
    found = streaming.differences(expected, {("a",): {"rate": 0.3333, "count": 1.0}, ("c",): {}})
    assert len(found) == 4, found
