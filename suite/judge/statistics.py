"""Exact statistics, valid at every sample size: what the gate counts with."""

from __future__ import annotations

import math
from bisect import bisect_left
from itertools import count

import numpy as np
from scipy import special

from suite.observe import Array

POWER = 0.95
"""Probability with which a test that fails nothing would have caught what its sentence names."""


NUMBERS = 2**23
"""How many different numbers a random one in float32 has at least; a start draws one or more of them."""

COUNTED = 60
"""Values of two samples whose rank sums are counted out; above, normal tails are taken for them."""


def too_rare(successes: int, trials: int, low: float, high: float) -> float:
    """Return the two-sided exact p-value of a count, if the probability lies from ``low`` to ``high``.

    Twice the smaller binomial tail, at the end of the interval that makes it largest; at most 1.
    """
    return min(1.0, 2.0 * min(_so_few(successes, trials, low), _so_many(successes, trials, high)))


def _so_few(successes: int, trials: int, rate: float) -> float:
    """Return the probability of at most so many."""
    return float(special.bdtr(successes, trials, rate))


def _so_many(successes: int, trials: int, rate: float) -> float:
    """Return the probability of at least so many."""
    return 1.0 if successes == 0 else float(special.bdtrc(successes - 1, trials, rate))


def counts_allowed(trials: int, low: float, high: float, alpha: float) -> tuple[int, int]:
    """Return the smallest and the largest count that a test at level ``alpha`` lets pass.

    One tail grows with the count and the other shrinks, so that each end is found by halving.
    """
    counts = range(trials + 1)
    least = bisect_left(counts, x=True, key=lambda count: 2.0 * _so_few(count, trials, low) > alpha)
    beyond = bisect_left(counts, x=True, key=lambda count: 2.0 * _so_many(count, trials, high) <= alpha)
    return least, beyond - 1


def rates_caught(trials: int, least: int, most: int, power: float = POWER) -> tuple[float, float]:
    """Return the rates below and above which a count leaves ``least`` to ``most`` with probability ``power``.

    0 or 1 where no count is too small or too large.
    """
    low = float(special.bdtri(least - 1, trials, power)) if least > 0 else 0.0
    high = float(special.bdtri(most, trials, 1.0 - power)) if most < trials else 1.0
    return low, high


def trials_needed(low: float, high: float, alpha: float) -> int:
    """Return the smallest number of trials of which some count can show that a rate is not ``low`` to ``high``.

    0 if there is none, since every rate lies there.
    """
    rarest = min((rate for rate in (1.0 - low, high) if rate < 1.0), default=1.0)
    if rarest == 1.0:
        return 0
    return 1 if rarest == 0.0 else max(1, math.ceil(math.log(alpha / 2.0) / math.log(rarest)))


def coincidences_allowed(seeds: int, numbers: int, alpha: float) -> int:
    """Return how many of so many seeds may start as another one does, if each draws one of ``numbers`` at random.

    The number of such pairs is Poisson's; a test at level ``alpha`` lets so many pass.
    """
    pairs = seeds * (seeds - 1) / 2.0 / numbers
    counts = range(seeds)
    return bisect_left(counts, x=True, key=lambda count: float(special.pdtrc(count, pairs)) <= alpha)


def median_interval(values: Array, alpha: float) -> tuple[float, float, float]:
    """Return the sign-test interval of the median and the confidence that it really has.

    The narrowest pair of order statistics that covers the median with at least ``1 - alpha``;
    the whole range, with the confidence that it has, where the sample is too small for that.
    """
    ordered = np.sort(values)
    size = len(ordered)
    half = range((size - 1) // 2)
    rank = bisect_left(half, x=True, key=lambda k: 2.0 * float(special.bdtr(k, size, 0.5)) > alpha)
    outside = max(0, rank - 1)
    confidence = 1.0 - 2.0 * float(special.bdtr(outside, size, 0.5)) if size > 1 else 0.0
    return float(ordered[outside]), float(ordered[size - 1 - outside]), max(0.0, confidence)


def quantile_of(values: Array, q: float) -> Array:
    """Return the ``q``-quantile over the first axis, linear between order statistics: ``(seeds, …)`` to ``(…)``.

    NaN where any value is. NumPy's own gives NaN beside an infinity, too: as the median of 1, 2 and infinity.
    """
    ordered = np.sort(values, axis=0)
    place = q * (len(values) - 1)
    low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
    with np.errstate(invalid="ignore"):
        between = np.where(low == high, low, low + (high - low) * (place - math.floor(place)))
    return np.where(np.isnan(ordered[-1]), np.nan, between)


def rank_test(ours: Array, theirs: Array) -> tuple[float, float]:
    """Return the two-sided p-value of the rank-sum test, and the share of pairs in which ours is larger.

    Exact, ties included, for samples of up to :data:`COUNTED` values together; SciPy's normal approximation beyond,
    whose true level is up to 1.9 times what it says where nearly all values are one of two. Equal values of a pair
    count for half.
    """
    from scipy.stats import mannwhitneyu, rankdata

    if len(ours) + len(theirs) > COUNTED:
        test = mannwhitneyu(ours, theirs, alternative="two-sided", method="asymptotic")
        p = 1.0 if np.isnan(test.pvalue) else float(test.pvalue)
        return p, float(test.statistic) / (len(ours) * len(theirs))
    doubled = np.rint(2.0 * rankdata(np.concatenate([ours, theirs]))).astype(np.int64)
    found = int(doubled[: len(ours)].sum())
    ways = _rank_sums(doubled, len(ours))
    tails = ways[: found + 1].sum(), ways[found:].sum()
    above = found / 2.0 - len(ours) * (len(ours) + 1) / 2.0
    return min(1.0, 2.0 * float(min(tails) / ways.sum())), above / (len(ours) * len(theirs))


def _rank_sums(ranks: np.ndarray[tuple[int, ...], np.dtype[np.int64]], chosen: int) -> Array:
    """Count the ways in which so many of the given ranks add up to each sum: ``(largest sum + 1,)``."""
    ways = np.zeros((chosen + 1, int(ranks.sum()) + 1))
    ways[0, 0] = 1.0
    for rank in ranks:
        ways[1:, rank:] += ways[:-1, : ways.shape[1] - rank].copy()
    counted: Array = ways[chosen]
    return counted


def samples_needed(alpha: float) -> int:
    """Return how many seeds each of two samples must have, so that a rank-sum test at level ``alpha`` can fail."""
    return next(size for size in count(1) if 2.0 / math.comb(2 * size, size) <= alpha)


def rates_differ(ours: int, theirs: int, seeds: int) -> float:
    """Return the two-sided p-value of Fisher's exact test: so many of as many seeds on either side."""
    from scipy.stats import fisher_exact

    return float(fisher_exact(np.array([[ours, seeds - ours], [theirs, seeds - theirs]])).pvalue)
