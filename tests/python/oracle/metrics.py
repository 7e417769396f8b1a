"""What the daily tables of paragraph 4 share: exact means, the rates, the averages, counts.

"Rates and averages are doubles computed from exact sums (decimals or integers), not rounded."
"Divisions by zero give 0." Every function here takes rows of silver.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

from oracle.sessions import Session

BOUNCE_MS = 10_000

Row = dict[str, object]
Key = TypeVar("Key", bound=Hashable)


class Difference(float):
    """A double that came from subtracting; `scale` is the size of what was subtracted.

    Near zero a difference keeps the rounding errors of its operands, so it is compared with them
    in mind (see compare.py).
    """

    scale: float

    @classmethod
    def between(cls, left: float, right: float) -> "Difference":
        """left - right."""
        return cls.of(left - right, max(abs(left), abs(right)))

    @classmethod
    def of(cls, difference: float, scale: float) -> "Difference":
        """A difference made elsewhere."""
        made = cls(difference)
        made.scale = scale
        return made


def divide(dividend: float, divisor: float) -> float:
    """A quotient; "divisions by zero give 0"."""
    return dividend / divisor if divisor else 0.0


def mean(values: Iterable[int | Decimal | None]) -> float:
    """The mean of what is there, from the exact sum; 0 when nothing is there."""
    present = [value for value in values if value is not None]
    return float(Fraction(sum(present)) / len(present)) if present else 0.0


def group(sessions: Iterable[Session], key: Callable[[Session], Key]) -> dict[Key, list[Session]]:
    """Rows by key."""
    groups: dict[Key, list[Session]] = defaultdict(list)
    for session in sessions:
        groups[key(session)].append(session)
    return groups


def users(sessions: Iterable[Session]) -> set[str]:
    """The distinct users."""
    return {session.user_id for session in sessions}


def completes(sessions: Iterable[Session]) -> list[Session]:
    """The rows that are COMPLETE."""
    return [session for session in sessions if session.is_complete]


def exits(sessions: Iterable[Session]) -> list[Session]:
    """The rows that are EXIT or TIMEOUT_EXIT."""
    return [session for session in sessions if session.is_exit]


def incompletes(sessions: Iterable[Session]) -> list[Session]:
    """The rows still IN_PROGRESS."""
    return [session for session in sessions if session.session_state == "IN_PROGRESS"]


def completion_rate(sessions: Collection[Session]) -> float:
    """The mean of is_complete."""
    return mean(session.is_complete for session in sessions)


def rates(sessions: Collection[Session]) -> Row:
    """ ""rates" = completion_rate, exit_rate, timeout_exit_rate"."""
    return {
        "completion_rate": completion_rate(sessions),
        "exit_rate": mean(session.is_exit for session in sessions),
        "timeout_exit_rate": mean(
            int(session.session_state == "TIMEOUT_EXIT") for session in sessions
        ),
    }


def avg_scroll_ratio(sessions: Iterable[Session]) -> float:
    """The mean depth of the rows that have one."""
    return mean(session.max_scroll_ratio for session in sessions)


def avg_duration_ms(sessions: Iterable[Session]) -> float:
    """The mean duration of the rows that have one."""
    return mean(session.duration_ms for session in sessions)


def averages(sessions: Collection[Session]) -> Row:
    """ ""averages" = avg_scroll_ratio, avg_duration_ms, bounce_ratio".

    "A session without a duration is not a bounce and stays in the denominator."
    """
    bounces = [s for s in sessions if s.duration_ms is not None and s.duration_ms <= BOUNCE_MS]
    return {
        "avg_scroll_ratio": avg_scroll_ratio(sessions),
        "avg_duration_ms": avg_duration_ms(sessions),
        "bounce_ratio": divide(len(bounces), len(sessions)),
    }


def session_counts(sessions: Collection[Session]) -> Row:
    """The counts that the episode and the title have in common."""
    return {
        "total_sessions": len(sessions),
        "complete_sessions": len(completes(sessions)),
        "exit_sessions": len(exits(sessions)),
        "incomplete_sessions": len(incompletes(sessions)),
        "unique_users": len(users(sessions)),
        "unique_complete_users": len(users(completes(sessions))),
        "unique_exit_users": len(users(exits(sessions))),
    }


def scroll_dropoff_point(sessions: Iterable[Session]) -> float:
    """ "Mean max_scroll_ratio of is_exit rows, 0 if none"."""
    return avg_scroll_ratio(exits(sessions))


def top_genre(sessions: Iterable[Session]) -> str:
    """The genre with the most sessions, ties by the smallest name; UNKNOWN counts as a genre."""
    counts = Counter(session.genre for session in sessions)
    return min(counts, key=lambda genre: (-counts[genre], genre))
