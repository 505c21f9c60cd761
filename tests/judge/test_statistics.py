"""What the gate counts with is exact at every sample size: false alarms stay below their level, intervals cover."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from suite.judge.statistics import (
    POWER,
    coincidences_allowed,
    counts_allowed,
    median_interval,
    quantile_of,
    rank_test,
    rates_caught,
    rates_differ,
    samples_needed,
    too_rare,
    trials_needed,
)

ALPHAS = (0.5, 0.1, 0.05, 0.01, 1e-4)
RATES = (0.0, 1e-3, 0.1, 0.25, 0.5, 0.9, 1.0)


@given(trials=st.integers(1, 300), data=st.data())
def test_a_count_is_as_rare_as_an_exact_binomial_test_says(trials: int, data: st.DataObject) -> None:
    """For one probability, it is twice the smaller of SciPy's one-sided tests, at most 1."""
    count = data.draw(st.integers(0, trials))
    rate = data.draw(st.floats(0.01, 0.99))
    tails = [stats.binomtest(count, trials, rate, alternative=side).pvalue for side in ("less", "greater")]
    assert too_rare(count, trials, rate, rate) == pytest.approx(min(1.0, 2 * min(tails)), rel=1e-9)


@pytest.mark.parametrize("trials", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("rate", [Fraction(1, 2), Fraction(1, 3), Fraction(9, 10)])
def test_the_smallest_samples_are_counted_out(trials: int, rate: Fraction) -> None:
    """For few trials it equals the count of all outcomes, in fractions."""
    chances = [math.comb(trials, k) * rate**k * (1 - rate) ** (trials - k) for k in range(trials + 1)]
    for count in range(trials + 1):
        tails = sum(chances[: count + 1]), sum(chances[count:])
        expected = min(1.0, 2 * float(min(tails)))
        assert too_rare(count, trials, float(rate), float(rate)) == pytest.approx(expected, rel=1e-12)


@given(trials=st.integers(1, 50), rate=st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), data=st.data())
def test_hits_and_misses_are_judged_alike(trials: int, rate: float, data: st.DataObject) -> None:
    """Counting the seeds that do not makes no difference."""
    count = data.draw(st.integers(0, trials))
    assert too_rare(count, trials, rate, rate) == pytest.approx(too_rare(trials - count, trials, 1 - rate, 1 - rate))


@given(trials=st.integers(1, 60), ends=st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted), data=st.data())
def test_an_interval_of_rates_is_as_lenient_as_the_best_rate_in_it(
    trials: int, ends: list[float], data: st.DataObject
) -> None:
    """A count that some allowed probability explains is not rare."""
    count = data.draw(st.integers(0, trials))
    between = data.draw(st.floats(ends[0], ends[1]))
    assert too_rare(count, trials, *ends) >= too_rare(count, trials, between, between) * (1 - 1e-9)


@pytest.mark.parametrize("trials", [1, 2, 3, 7, 20, 100])
@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("ends", [(0.0, 0.0), (0.1, 0.1), (0.5, 0.5), (0.2, 0.4), (1.0, 1.0), (0.0, 1.0)])
def test_false_alarms_are_at_most_as_frequent_as_their_level(
    trials: int, alpha: float, ends: tuple[float, float]
) -> None:
    """Whatever allowed probability is the true one, counts that are not allowed are at most as probable as alpha."""
    least, most = counts_allowed(trials, *ends, alpha)
    for rate in np.linspace(*ends, 5):
        chances = stats.binom.pmf(np.arange(trials + 1), trials, rate)
        assert chances[:least].sum() + chances[most + 1 :].sum() <= alpha * (1 + 1e-9)


@pytest.mark.parametrize("trials", [1, 2, 5, 40])
@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("rate", RATES)
def test_the_allowed_counts_are_those_that_are_not_too_rare(trials: int, alpha: float, rate: float) -> None:
    """They are one stretch without a gap, and none could be let pass besides them."""
    least, most = counts_allowed(trials, rate, rate, alpha)
    passing = [count for count in range(trials + 1) if too_rare(count, trials, rate, rate) > alpha]
    assert passing == list(range(least, most + 1))


@pytest.mark.parametrize("trials", [1, 10, 1000])
def test_what_never_happens_or_always_does_allows_no_exception(trials: int) -> None:
    """At the rates 0 and 1 a single exception is too rare, and no exception is certain."""
    assert counts_allowed(trials, 0.0, 0.0, 1e-6) == (0, 0)
    assert counts_allowed(trials, 1.0, 1.0, 1e-6) == (trials, trials)


@pytest.mark.parametrize("size", [*range(1, 13)])
@pytest.mark.parametrize("alpha", ALPHAS)
def test_the_interval_covers_the_median_as_often_as_it_says(size: int, alpha: float) -> None:
    """Counted out over all signs about the median: the stated confidence is the real one.

    The interval depends on the order of the values alone, so every continuous distribution is one of these.
    """
    sizes = np.arange(1.0, size + 1)
    intervals = [median_interval(sizes * signs, alpha) for signs in product((-1.0, 1.0), repeat=size)]
    covered = sum(low <= 0.0 <= high for low, high, _ in intervals) / len(intervals)
    (confidence,) = {confidence for *_, confidence in intervals}
    assert confidence == pytest.approx(covered, abs=1e-12)


@pytest.mark.parametrize("size", [*range(1, 40)])
@pytest.mark.parametrize("alpha", ALPHAS)
def test_the_interval_is_the_narrowest_of_its_confidence(size: int, alpha: float) -> None:
    """One rank narrower would be too little; the whole range is given only where nothing else is enough."""
    low, high, confidence = median_interval(np.arange(float(size)), alpha)
    assert low + high == size - 1
    narrower = 1.0 - 2.0 * float(stats.binom.cdf(low + 1, size, 0.5))
    if confidence >= 1.0 - alpha:
        assert narrower < 1.0 - alpha or low + 1 >= high - 1
    else:
        assert low == 0.0


def test_one_value_gives_no_confidence() -> None:
    """The interval is the value, and says that it shows nothing."""
    assert median_interval(np.array([3.0]), 0.01) == (3.0, 3.0, 0.0)


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), alpha=st.sampled_from(ALPHAS))
def test_the_interval_holds_the_samples_median_and_knows_no_order(values: list[float], alpha: float) -> None:
    """Both ends are values of the sample, on either side of its median; the order of the values is nothing to it."""
    low, high, _ = interval = median_interval(np.array(values), alpha)
    assert {low, high} <= set(values)
    assert low <= float(np.median(values)) <= high
    assert interval == median_interval(np.array(values[::-1]), alpha)


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), q=st.floats(0, 1))
def test_a_quantile_of_finite_values_is_numpys(values: list[float], q: float) -> None:
    """Between order statistics it is linear."""
    found = quantile_of(np.array(values), q)
    assert float(found) == pytest.approx(float(np.quantile(values, q)), rel=1e-9, abs=1e-6)


@pytest.mark.parametrize(
    ("values", "q", "expected"),
    [
        ([1.0, 2.0, math.inf], 0.5, 2.0),
        ([math.inf, 1.0], 0.5, math.inf),
        ([math.inf, math.inf], 0.5, math.inf),
        ([-math.inf, 1.0, 2.0], 0.5, 1.0),
        ([math.inf, 1.0, 2.0], 0.0, 1.0),
        ([math.inf, 1.0, 2.0], 1.0, math.inf),
        ([math.inf], 0.3, math.inf),
        ([-math.inf, math.inf], 0.5, math.nan),
        ([1.0, 2.0, math.nan], 0.5, math.nan),
    ],
)
def test_a_quantile_knows_infinities(values: list[float], q: float, expected: float) -> None:
    """A diverged seed lies at the end, and takes no other seed's place; what is undefined is NaN."""
    assert quantile_of(np.array(values), q).item() == pytest.approx(expected, nan_ok=True)


def test_quantiles_are_taken_over_seeds() -> None:
    """Each element has its own: ``(seeds, elements)`` gives ``(elements,)``."""
    assert quantile_of(np.array([[1.0, 30.0], [3.0, 10.0], [2.0, 20.0]]), 0.5).tolist() == [2.0, 20.0]


@pytest.mark.parametrize("trials", [1, 2, 7, 40, 100])
@pytest.mark.parametrize(("low", "high"), [(0.0, 0.1), (0.5, 0.5), (0.9, 1.0), (0.2, 0.7)])
@pytest.mark.parametrize("alpha", ALPHAS)
def test_the_rates_that_are_caught_are_those_with_the_power(trials: int, low: float, high: float, alpha: float) -> None:
    """At each named rate a count lies outside just with the stated probability; where no count is outside, none is."""
    least, most = counts_allowed(trials, low, high, alpha)
    below, above = rates_caught(trials, least, most)
    assert below == 0.0 if least == 0 else stats.binom.cdf(least - 1, trials, below) == pytest.approx(POWER)
    assert above == 1.0 if most == trials else stats.binom.sf(most, trials, above) == pytest.approx(POWER)
    assert below <= low <= high <= above or least > most


@given(low=st.sampled_from(RATES), more=st.sampled_from(RATES), alpha=st.floats(1e-9, 0.9), spare=st.integers(0, 3))
def test_so_many_trials_are_needed_for_any_count_to_be_wrong(low: float, more: float, alpha: float, spare: int) -> None:
    """With one fewer every count passes; with so many, or more, not every one does."""
    high = max(low, more)
    needed = trials_needed(low, high, alpha)
    if needed == 0:
        assert (low, high) == (0.0, 1.0)
        return
    assert counts_allowed(needed + spare, low, high, alpha) != (0, needed + spare)
    assert needed == 1 or counts_allowed(needed - 1, low, high, alpha) == (0, needed - 1)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("seeds", [1, 2, 100, 10_000, 1_000_000])
def test_chance_lets_so_many_seeds_coincide(seeds: int, alpha: float) -> None:
    """The number of pairs that draw one number is Poisson's: the smallest count whose tail is within the level."""
    allowed = coincidences_allowed(seeds, 2**23, alpha)
    mean = math.comb(seeds, 2) / 2**23
    assert stats.poisson.sf(allowed, mean) <= alpha
    assert allowed == 0 or stats.poisson.sf(allowed - 1, mean) > alpha


SAMPLE = st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.5, math.inf]), min_size=1, max_size=5)


@given(ours=SAMPLE, theirs=SAMPLE)
def test_the_rank_test_counts_every_way_to_part_the_values(ours: list[float], theirs: list[float]) -> None:
    """By hand: of all choices of so many among both samples, those with as small a rank sum, or as large; with ties."""
    ranks = stats.rankdata([*ours, *theirs])
    found = ranks[: len(ours)].sum()
    sums = [sum(chosen) for chosen in combinations(ranks, len(ours))]
    tails = [sum(total <= found for total in sums), sum(total >= found for total in sums)]
    p, larger = rank_test(np.array(ours), np.array(theirs))
    assert p == pytest.approx(min(1.0, 2 * min(tails) / len(sums)))
    wins = sum((mine > yours) + (mine == yours) / 2 for mine, yours in product(ours, theirs))
    assert larger == pytest.approx(wins / len(ours) / len(theirs))


@given(data=st.data(), ours=st.integers(1, 30), theirs=st.integers(1, 30))
def test_the_rank_test_is_scipys_exact_one_where_no_values_are_equal(
    data: st.DataObject, ours: int, theirs: int
) -> None:
    """SciPy counts, too, but only without ties."""
    values = np.array(data.draw(st.permutations(range(ours + theirs))), dtype=float)
    test = stats.mannwhitneyu(values[:ours], values[ours:], alternative="two-sided", method="exact")
    assert rank_test(values[:ours], values[ours:])[0] == pytest.approx(float(test.pvalue), rel=1e-9)


def test_many_values_are_ranked_by_scipys_approximation() -> None:
    """Which is near what counting gives, at the number where one takes over from the other."""
    rng = np.random.default_rng(3)
    ours, theirs = rng.normal(0.8, size=31).round(1), rng.normal(size=30).round(1)
    far = stats.mannwhitneyu(ours, theirs, alternative="two-sided", method="asymptotic")
    p, larger = rank_test(ours, theirs)
    assert p == pytest.approx(float(far.pvalue))
    assert larger == pytest.approx(float(far.statistic) / 930)
    near, _ = rank_test(ours[:30], theirs)
    assert 0.5 < near / p < 2


@pytest.mark.parametrize("size", [3, 100])
def test_equal_values_have_no_rank(size: int) -> None:
    """All alike is no difference, however many there are."""
    assert rank_test(np.zeros(size), np.zeros(size)) == (1.0, 0.5)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_so_many_seeds_a_side_can_show_a_difference(alpha: float) -> None:
    """With samples that do not overlap the p-value is within the level; with one seed fewer it never is."""
    needed = samples_needed(alpha)
    values = np.arange(2.0 * needed)
    assert rank_test(values[:needed], values[needed:])[0] <= alpha
    assert needed == 1 or rank_test(values[: needed - 1], values[needed + 1 :])[0] > alpha


@given(seeds=st.integers(1, 12), data=st.data())
def test_two_rates_are_compared_by_fishers_exact_test(seeds: int, data: st.DataObject) -> None:
    """By hand: the chances of all tables with these margins that are no likelier than the one found."""
    ours, theirs = (data.draw(st.integers(0, seeds)) for _ in range(2))
    ways = [math.comb(seeds, k) * math.comb(seeds, ours + theirs - k) for k in range(ours + theirs + 1)]
    as_rare = sum(way for way in ways if way <= ways[ours])
    assert rates_differ(ours, theirs, seeds) == pytest.approx(as_rare / sum(ways))
