"""The tables by audience of paragraph 4: country, platform and device, genre, part of the day."""

from collections.abc import Callable

from oracle import metrics
from oracle.metrics import Difference, Row
from oracle.sessions import Session


def country_daily(sessions: list[Session], yesterday: list[Session]) -> list[Row]:
    """`gold.webtoon_country_daily` (country)."""
    users_yesterday = {
        country: metrics.users(own)
        for country, own in metrics.group(yesterday, lambda s: s.country).items()
    }
    # "against all countries together"
    everyone = {**metrics.rates(sessions), **metrics.averages(sessions)}
    rows = []
    for country, own in metrics.group(sessions, lambda s: s.country).items():
        users = metrics.users(own)
        returning = users & users_yesterday.get(country, set())
        rates, averages = metrics.rates(own), metrics.averages(own)
        rows.append(
            {
                "country": country,
                **sessions_and_users(own),
                **rates,
                **averages,
                # "distinct user-episodes ÷ users"
                "active_user_depth": metrics.divide(
                    len({(s.user_id, s.episode) for s in own}), len(users)
                ),
                "returning_users": len(returning),
                "new_users": len(users) - len(returning),
                "return_user_ratio": metrics.divide(len(returning), len(users)),
                "new_user_ratio": metrics.divide(len(users) - len(returning), len(users)),
                "completion_rate_gap_vs_global": Difference.between(
                    rates["completion_rate"], everyone["completion_rate"]
                ),
                "scroll_depth_index": metrics.divide(
                    averages["avg_scroll_ratio"], everyone["avg_scroll_ratio"]
                ),
                "avg_duration_index": metrics.divide(
                    averages["avg_duration_ms"], everyone["avg_duration_ms"]
                ),
                "completion_exit_ratio": metrics.divide(
                    rates["completion_rate"], rates["exit_rate"]
                ),
            }
        )
    return rows


def platform_device_daily(sessions: list[Session]) -> list[Row]:
    """`gold.webtoon_platform_device_daily` (platform, device, browser)."""
    groups = metrics.group(sessions, lambda s: (s.platform, s.device, s.browser))
    completion = {key: metrics.completion_rate(own) for key, own in groups.items()}
    duration = {key: metrics.avg_duration_ms(own) for key, own in groups.items()}
    scroll = {key: metrics.avg_scroll_ratio(own) for key, own in groups.items()}

    def gap(
        values: dict[tuple[str, str, str], float],
        within: Callable[[tuple[str, str, str]], tuple[str, str]],
        key: tuple[str, str, str],
    ) -> Difference:
        """Max - min over the rows that share two of the three."""
        siblings = [value for other, value in values.items() if within(other) == within(key)]
        return Difference.between(max(siblings), min(siblings))

    return [
        {
            "platform": key[0],
            "device": key[1],
            "browser": key[2],
            **sessions_and_users(own),
            **metrics.rates(own),
            **metrics.averages(own),
            # "max − min completion_rate within platform, device"
            "cross_browser_completion_gap": gap(completion, lambda k: (k[0], k[1]), key),
            # "within platform, browser"
            "cross_device_duration_gap": gap(duration, lambda k: (k[0], k[2]), key),
            # "within device, browser"
            "cross_platform_scroll_gap": gap(scroll, lambda k: (k[1], k[2]), key),
        }
        for key, own in groups.items()
    ]


def genre_daily(sessions: list[Session]) -> list[Row]:
    """`gold.webtoon_genre_daily` (genre): "sessions, users, rates, averages"."""
    return [
        {"genre": genre, **plain_summary(own)}
        for genre, own in metrics.group(sessions, lambda s: s.genre).items()
    ]


def daypart_daily(sessions: list[Session]) -> list[Row]:
    """`gold.webtoon_daypart_daily` (daypart, country): "sessions, users, rates, averages"."""
    groups = metrics.group(sessions, lambda s: (daypart(s.local_hour), s.country))
    return [
        {"daypart": band, "country": country, **plain_summary(own)}
        for (band, country), own in groups.items()
    ]


def daypart(local_hour: int) -> str:
    """ "Local hour band: night 0-5, morning 6-11, afternoon 12-17, evening 18-23"."""
    return ("night", "morning", "afternoon", "evening")[local_hour // 6]


def sessions_and_users(sessions: list[Session]) -> Row:
    """total_sessions, unique_users, sessions_per_user."""
    unique_users = len(metrics.users(sessions))
    return {
        "total_sessions": len(sessions),
        "unique_users": unique_users,
        "sessions_per_user": metrics.divide(len(sessions), unique_users),
    }


def plain_summary(sessions: list[Session]) -> Row:
    """ "Sessions, users, rates, averages"."""
    return {
        "sessions": len(sessions),
        "users": len(metrics.users(sessions)),
        **metrics.rates(sessions),
        **metrics.averages(sessions),
    }
