"""`gold.webtoon_experiment_daily` of paragraph 4. "Unit of analysis: the user"."""

from fractions import Fraction

from oracle import metrics, stats
from oracle.metrics import Difference, Row
from oracle.sessions import Session

CONTROL = "control"


def experiment_daily(sessions: list[Session]) -> list[Row]:
    """One row per experiment and group seen that day."""
    in_experiment = [s for s in sessions if s.experiment_name is not None]
    rows = []
    for name, own in metrics.group(in_experiment, lambda s: s.experiment_name).items():
        rows.extend({"experiment_name": name, **row} for row in experiment(own))
    return rows


def experiment(sessions: list[Session]) -> list[Row]:
    """The groups of one experiment, each compared with the control group."""
    mixed = users_in_several_groups(sessions)
    groups = {
        group: Arm([s for s in own if s.user_id not in mixed])
        for group, own in metrics.group(sessions, lambda s: s.experiment_group).items()
    }
    control = groups[control_group(list(groups))]
    mismatch = stats.sample_ratio_mismatch_p([len(arm.users) for arm in groups.values()])
    return [
        {
            "experiment_group": group,
            "is_control": arm is control,
            "users": len(arm.users),
            "sessions": len(arm.sessions),
            **arm.own_figures(),
            **compared(arm, control),
            "srm_p_value": mismatch,
            "excluded_users": len(mixed),
        }
        for group, arm in groups.items()
    ]


def users_in_several_groups(sessions: list[Session]) -> set[str]:
    """ "Users seen in more than one group (excluded and counted)"."""
    by_user = metrics.group(sessions, lambda s: s.user_id)
    return {user for user, own in by_user.items() if len({s.experiment_group for s in own}) > 1}


def control_group(groups: list[str]) -> str:
    """The group named `control`, else the first by name."""
    return CONTROL if CONTROL in groups else min(groups)


class Arm:
    """The sessions of one group, seen as users."""

    def __init__(self, sessions: list[Session]) -> None:
        self.sessions = sessions
        self.users = metrics.group(sessions, lambda s: s.user_id)
        # A user counts once: as complete with at least one complete session that day ...
        self.completed_users = len(metrics.users(metrics.completes(sessions)))
        # ... and with the time read that day, if any of the sessions has a duration.
        self.duration = stats.sample(
            [
                Fraction(sum(durations))
                for own in self.users.values()
                if (durations := [s.duration_ms for s in own if s.duration_ms is not None])
            ]
        )

    def own_figures(self) -> Row:
        """ "Completion_rate with a 95 % Wilson interval; mean duration with its variance and n"."""
        interval = stats.wilson(self.completed_users, len(self.users))
        return {
            "completed_users": self.completed_users,
            "completion_rate": metrics.divide(self.completed_users, len(self.users)),
            "completion_rate_low": interval.low,
            "completion_rate_high": interval.high,
            "mean_duration_ms": self.duration.mean,
            "duration_variance": self.duration.variance,
            "duration_n": self.duration.n,
        }


def compared(arm: Arm, control: Arm) -> Row:
    """ "Difference to the control group with interval and p-value"; null for the control itself."""
    completion = duration = None
    if arm is not control and arm.users and control.users:
        completion = stats.compare_proportions(
            arm.completed_users, len(arm.users), control.completed_users, len(control.users)
        )
    if arm is not control and min(arm.duration.n, control.duration.n) > 1:
        duration = stats.compare_means(arm.duration, control.duration)
    return {
        **_differences("completion_rate", "", completion, 1.0),
        **_differences("duration", "_ms", duration, max(arm.duration.mean, control.duration.mean)),
    }


def _differences(
    figure: str, unit: str, comparison: stats.Comparison | None, scale: float
) -> Row:
    """Names the parts; `scale` is the size of the figures that were subtracted."""
    if comparison is None:
        parts = dict.fromkeys(("diff", "diff_low", "diff_high"))
    else:
        parts = {
            "diff": Difference.of(comparison.difference, scale),
            "diff_low": Difference.of(comparison.interval.low, scale),
            "diff_high": Difference.of(comparison.interval.high, scale),
        }
    named = {f"{figure}_{part}{unit}": value for part, value in parts.items()}
    return {**named, f"{figure}_p_value": comparison.p_value if comparison else None}
