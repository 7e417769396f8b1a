"""The hourly tables of paragraph 4: `webtoon_episode_hourly` and `webtoon_user_hourly`."""

from oracle import metrics
from oracle.metrics import Row
from oracle.sessions import Session


def episode_hourly(sessions: list[Session]) -> list[Row]:
    """`gold.webtoon_episode_hourly` (webtoon_id, episode_id, event_hour)."""
    groups = metrics.group(sessions, lambda s: (*s.episode, s.start_time.hour))
    return [
        {"webtoon_id": key[0], "episode_id": key[1], "event_hour": key[2], **summary(own)}
        for key, own in groups.items()
    ]


def user_hourly(sessions: list[Session]) -> list[Row]:
    """`gold.webtoon_user_hourly` (user_id, event_hour)."""
    groups = metrics.group(sessions, lambda s: (s.user_id, s.start_time.hour))
    return [
        {"user_id": user_id, "event_hour": hour, **summary(own)}
        for (user_id, hour), own in groups.items()
    ]


def summary(sessions: list[Session]) -> Row:
    """ "Sessions started in the hour, completes, exits, unique_users, averages"; hours are UTC."""
    return {
        "sessions": len(sessions),
        "completes": len(metrics.completes(sessions)),
        "exits": len(metrics.exits(sessions)),
        "unique_users": len(metrics.users(sessions)),
        **metrics.averages(sessions),
    }
