"""The tables by content of paragraph 4: `webtoon_episode_daily` and `webtoon_title_daily`."""

from collections import defaultdict
from decimal import Decimal
from fractions import Fraction

from oracle import metrics
from oracle.metrics import Row
from oracle.sessions import Episode, Session

# "left closed; last closed on both sides"
SCROLL_BUCKETS = {
    "scroll_bucket_0_20": (Decimal("0.00"), Decimal("0.20")),
    "scroll_bucket_20_40": (Decimal("0.20"), Decimal("0.40")),
    "scroll_bucket_40_60": (Decimal("0.40"), Decimal("0.60")),
    "scroll_bucket_60_80": (Decimal("0.60"), Decimal("0.80")),
    "scroll_bucket_80_100": (Decimal("0.80"), Decimal("1.01")),
}


def episode_daily(sessions: list[Session]) -> list[Row]:
    """`gold.webtoon_episode_daily` (webtoon_id, episode_id)."""
    continued = continued_users(sessions)
    rows = []
    for episode, own in metrics.group(sessions, lambda s: s.episode).items():
        rows.append(
            {
                "webtoon_id": episode[0],
                "episode_id": episode[1],
                **metrics.session_counts(own),
                **metrics.rates(own),
                **metrics.averages(own),
                "scroll_dropoff_point": metrics.scroll_dropoff_point(own),
                **scroll_buckets(own),
                "continued_user_count": len(continued[episode]),
                "episode_attractiveness_index": metrics.divide(
                    len(continued[episode]), len(metrics.users(own))
                ),
            }
        )
    return rows


def scroll_buckets(sessions: list[Session]) -> Row:
    """How many rows reached which fifth; a row without a ratio is in none."""
    ratios = [s.max_scroll_ratio for s in sessions if s.max_scroll_ratio is not None]
    return {
        name: sum(low <= ratio < high for ratio in ratios)
        for name, (low, high) in SCROLL_BUCKETS.items()
    }


def continued_users(sessions: list[Session]) -> dict[Episode, set[str]]:
    """ "Users who completed this episode and, that day, also a later episode of the same webtoon".

    The later one must be completed too; whether it was read earlier in the day does not matter.
    """
    continued: dict[Episode, set[str]] = defaultdict(set)
    complete = metrics.completes(sessions)
    for (user_id, _), own in metrics.group(complete, lambda s: (s.user_id, s.webtoon_id)).items():
        for one in own:
            if any(is_later(other, one) for other in own):
                continued[one.episode].add(user_id)
    return continued


def is_later(other: Session, one: Session) -> bool:
    """ ""Later" is by episode_no, and by episode_id where the dimension has none"."""
    if other.episode_no is not None and one.episode_no is not None:
        return other.episode_no > one.episode_no
    return other.episode_id > one.episode_id


def title_daily(sessions: list[Session], yesterday: list[Session]) -> list[Row]:
    """`gold.webtoon_title_daily` (webtoon_id); "a webtoon unread today has no row"."""
    readers_yesterday = {
        webtoon_id: metrics.users(own)
        for webtoon_id, own in metrics.group(yesterday, lambda s: s.webtoon_id).items()
    }
    rows = []
    for webtoon_id, own in metrics.group(sessions, lambda s: s.webtoon_id).items():
        readers = metrics.users(own)
        before = readers_yesterday.get(webtoon_id, set())
        rows.append(
            {
                "webtoon_id": webtoon_id,
                **metrics.session_counts(own),
                **metrics.rates(own),
                **metrics.averages(own),
                "scroll_dropoff_point": metrics.scroll_dropoff_point(own),
                "deepest_episode_reached": deepest_episode(own),
                "binge_read_ratio": metrics.divide(len(binge_readers(own)), len(readers)),
                "webtoon_retention_rate": metrics.divide(len(before & readers), len(before)),
            }
        )
    return rows


def deepest_episode(sessions: list[Session]) -> str:
    """ "Episode with the highest avg_scroll_ratio of the day, ties by smallest episode_id".

    Compared as exact fractions: two equal means must tie.
    """
    depth = {}
    for episode_id, own in metrics.group(sessions, lambda s: s.episode_id).items():
        ratios = [s.max_scroll_ratio for s in own if s.max_scroll_ratio is not None]
        depth[episode_id] = Fraction(sum(ratios)) / len(ratios) if ratios else Fraction(0)
    return min(depth, key=lambda episode_id: (-depth[episode_id], episode_id))


def binge_readers(sessions: list[Session]) -> list[str]:
    """Users with at least two episodes of the webtoon."""
    by_user = metrics.group(sessions, lambda s: s.user_id)
    return [user for user, own in by_user.items() if len({s.episode for s in own}) >= 2]
