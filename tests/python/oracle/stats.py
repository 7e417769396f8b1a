"""The statistics that an experiment needs, from their textbook formulas and `math` alone."""

import math
from dataclasses import dataclass
from fractions import Fraction

Z_95 = 1.959963984540054  # the 97.5 % point of the standard normal distribution


@dataclass(frozen=True)
class Interval:
    """A confidence interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """A difference between two groups, its 95 % interval and its two-sided p-value."""

    difference: float
    interval: Interval
    p_value: float


def wilson(successes: int, trials: int) -> Interval:
    """The 95 % Wilson score interval of a proportion; 0 to 0 without trials."""
    if trials == 0:
        return Interval(0.0, 0.0)
    z2 = Z_95 * Z_95
    proportion = successes / trials
    center = (proportion + z2 / (2 * trials)) / (1 + z2 / trials)
    spread = proportion * (1 - proportion) / trials + z2 / (4 * trials * trials)
    half = Z_95 * math.sqrt(spread) / (1 + z2 / trials)
    return Interval(max(0.0, center - half), min(1.0, center + half))


def two_sided_p(z: float) -> float:
    """How likely a standard normal value is at least as far from 0 as z, either way."""
    return math.erfc(abs(z) / math.sqrt(2))


def compare_proportions(
    successes: int, trials: int, control_successes: int, control_trials: int
) -> Comparison:
    """Two proportions of at least one trial each: Newcombe's interval, the pooled z-test.

    Newcombe 1998, Statistics in Medicine 17:873, method 10: the interval of a difference from the
    Wilson intervals of its parts.
    """
    p, q = successes / trials, control_successes / control_trials
    own, others = wilson(successes, trials), wilson(control_successes, control_trials)
    interval = Interval(
        p - q - math.hypot(p - own.low, others.high - q),
        p - q + math.hypot(own.high - p, q - others.low),
    )
    pool = (successes + control_successes) / (trials + control_trials)
    error = math.sqrt(pool * (1 - pool) * (1 / trials + 1 / control_trials))
    return Comparison(p - q, interval, two_sided_p(_standardised(p - q, error)))


@dataclass(frozen=True)
class Sample:
    """A mean with its sample variance and the number of values."""

    mean: float
    variance: float
    n: int


def sample(values: list[Fraction]) -> Sample:
    """Mean and variance (n - 1 in the denominator) computed exactly, rounded once; 0 where undefined."""
    n = len(values)
    if n == 0:
        return Sample(0.0, 0.0, 0)
    mean = sum(values, Fraction(0)) / n
    squares = sum(((value - mean) ** 2 for value in values), Fraction(0))
    return Sample(float(mean), float(squares / (n - 1)) if n > 1 else 0.0, n)


def compare_means(group: Sample, control: Sample) -> Comparison:
    """Two means: Welch's standard error, normal approximation."""
    difference = group.mean - control.mean
    error = math.sqrt(group.variance / group.n + control.variance / control.n)
    interval = Interval(difference - Z_95 * error, difference + Z_95 * error)
    return Comparison(difference, interval, two_sided_p(_standardised(difference, error)))


def chi_square_p(statistic: float, degrees: int) -> float:
    """The upper tail of the chi-square distribution; 1 without a degree of freedom."""
    if degrees < 1 or statistic <= 0:
        return 1.0
    return _upper_gamma(degrees / 2, statistic / 2)


def sample_ratio_mismatch_p(counts: list[int]) -> float:
    """How likely group sizes so uneven are when every group was to be equally large."""
    expected = sum(counts) / len(counts) if counts else 0
    if expected == 0:
        return 1.0
    statistic = sum((count - expected) ** 2 for count in counts) / expected
    return chi_square_p(statistic, len(counts) - 1)


def _standardised(difference: float, error: float) -> float:
    """A difference in units of its error; without any error only equality is unsurprising."""
    if error:
        return difference / error
    return math.inf if difference else 0.0


def _upper_gamma(shape: float, x: float) -> float:
    """The regularised upper incomplete gamma function for a shape that is a multiple of 1/2.

    By its recurrence: Q(a + 1, x) = Q(a, x) + x^a e^-x / Gamma(a + 1), from Q(1/2, x) = erfc(sqrt x)
    or Q(1, x) = e^-x.
    """
    if shape % 1 == 0.5:
        a, tail = 0.5, math.erfc(math.sqrt(x))
    else:
        a, tail = 1.0, math.exp(-x)
    while a < shape:
        tail += math.exp(a * math.log(x) - x - math.lgamma(a + 1))
        a += 1
    return tail
