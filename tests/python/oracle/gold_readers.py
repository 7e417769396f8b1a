"""The tables by user of paragraph 4: `webtoon_user_daily`, `webtoon_user_7d`, `webtoon_user_30d`."""

from collections import Counter
from datetime import date
from itertools import pairwise

from oracle import metrics
from oracle.metrics import Row
from oracle.sessions import Session
from oracle.timestamps import whole_seconds


def user_daily(sessions: list[Session]) -> list[Row]:
    """`gold.webtoon_user_daily` (user_id)."""
    rows = []
    for user_id, own in metrics.group(sessions, lambda s: s.user_id).items():
        # "distinct session_id, episode_id", and ep_3 of two webtoons are two episodes
        total = len({(s.session_id, s.episode) for s in own})
        complete_sessions = len(metrics.completes(own))
        exit_sessions = len(metrics.exits(own))
        viewed = {s.episode for s in own}
        completed = Counter(s.episode for s in metrics.completes(own))
        rows.append(
            {
                "user_id": user_id,
                "total_episode_sessions": total,
                "complete_sessions": complete_sessions,
                "exit_sessions": exit_sessions,
                "incomplete_sessions": len(metrics.incompletes(own)),
                **metrics.averages(own),
                "distinct_episode_views": len(viewed),
                "distinct_episode_completes": len(completed),
                "completion_rate": metrics.divide(complete_sessions, total),
                "exit_rate": metrics.divide(exit_sessions, total),
                "multi_episode_read_flag": len(viewed) > 1,
                "avg_return_interval_sec": avg_return_interval_sec(own),
                "repeat_episode_complete_count": sum(n - 1 for n in completed.values()),
                "top_genre": metrics.top_genre(own),
                "active_hours": len({s.local_hour for s in own}),
            }
        )
    return rows


def avg_return_interval_sec(sessions: list[Session]) -> float:
    """How long a user stayed away between two sessions of the day.

    "Mean over the user's sessions of the day, ordered by start_time, of max(0, whole seconds of
    start - whole seconds of previous end); 0 with one session". The first session has no previous
    end and is not part of the mean. Equal starts are ordered by session_id, then by episode.
    """
    ordered = sorted(sessions, key=lambda s: (s.start_time, s.session_id, s.episode))
    return metrics.mean(
        max(0, whole_seconds(later.start_time) - whole_seconds(earlier.end_time))
        for earlier, later in pairwise(ordered)
    )


def user_trailing(sessions: list[Session], day: date) -> list[Row]:
    """`gold.webtoon_user_7d` and `_30d` (user_id): the sessions of a window that ends with `day`."""
    rows = []
    for user_id, own in metrics.group(sessions, lambda s: s.user_id).items():
        rows.append(
            {
                "user_id": user_id,
                "active_days": len({s.event_date for s in own}),
                "sessions": len(own),
                "completes": len(metrics.completes(own)),
                "completion_rate": metrics.completion_rate(own),
                "distinct_webtoons": len({s.webtoon_id for s in own}),
                "distinct_episodes": len({s.episode for s in own}),
                "top_genre": metrics.top_genre(own),
                "avg_duration_ms": metrics.avg_duration_ms(own),
                "days_since_last": (day - max(s.event_date for s in own)).days,
            }
        )
    return rows
