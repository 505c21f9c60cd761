"""A slowdown is called one if it is shown and large: more time a step, in yardsticks, beyond the threshold."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.judge import Outcome
from suite.judge.pairs import Pairs
from suite.judge.time import SLOWER, judge_time, log_ratios
from suite.judge.verdict import Judgement
from suite.trial import Status, Trial

ALPHA = 0.001
SEEDS = 20
"""Enough for an interval of that confidence."""

Timed = Callable[..., list[Trial]]
JudgeTime = Callable[..., Judgement]


@pytest.fixture(scope="module")
def timed(trial_of: Callable[..., Trial]) -> Timed:
    """Make trials that took the given multiples of a common time, one a seed."""

    def make(factors: Sequence[float], **given: Any) -> list[Trial]:
        return [trial_of(seed, **({"train_seconds": 0.002 * f} | given)) for seed, f in enumerate(factors)]

    return make


@pytest.fixture(scope="module")
def judged(pairs_of: Callable[..., Pairs]) -> JudgeTime:
    """Judge the times of trials against their baseline's, on the same machine."""

    def judge(ours: Sequence[Trial], theirs: Sequence[Trial]) -> Judgement:
        return judge_time(pairs_of(ours, theirs), same_machine=True, differs="", alpha=ALPHA)

    return judge


def spread(factor: float, seeds: int = SEEDS) -> list[float]:
    """Return factors within a thousandth of one, in no order."""
    return [factor * (1 + 1e-3 * math.sin(7 * seed)) for seed in range(seeds)]


JUST_SLOWER, NOT_YET = (1 + SLOWER) * 1.01, (1 + SLOWER) * 0.99


@pytest.mark.parametrize(
    ("factor", "outcome"),
    [
        (1.0, Outcome.PASS),
        (NOT_YET, Outcome.PASS),
        (JUST_SLOWER, Outcome.REGRESSED),
        (100.0, Outcome.REGRESSED),
        (1 / NOT_YET, Outcome.PASS),
        (1 / JUST_SLOWER, Outcome.IMPROVED),
        (0.01, Outcome.IMPROVED),
    ],
)
def test_slower_beyond_the_threshold_is_regressed_and_faster_is_improved(
    judged: JudgeTime, timed: Timed, factor: float, outcome: Outcome
) -> None:
    """More time is worse, less is better, and what lies within the threshold is neither."""
    found = judged(timed(spread(factor)), timed([1.0] * SEEDS))
    assert found.outcome is outcome
    assert f"({SEEDS} seeds)" in found.sentence


def test_the_sentence_tells_the_ratio_its_interval_and_its_confidence(judged: JudgeTime, timed: Timed) -> None:
    """Most seeds take twice the time; the interval of their median knows of the others."""
    found = judged(timed([2.0] * 17 + [1.0] * 3), timed([1.0] * SEEDS))
    told = "2.00 times the baseline's time a step, 1.00 to 2.00 with confidence 0.9996 (20 seeds)"
    assert found == Judgement(outcome=Outcome.PASS, sentence=f"{told}; a slowdown counts from {SLOWER:.0%}")


def test_a_slowdown_of_a_few_seeds_is_not_shown(judged: JudgeTime, timed: Timed) -> None:
    """An interruption of some trials is no slowdown of the step, however long it took."""
    assert judged(timed([100.0] * 5 + [1.0] * 15), timed([1.0] * SEEDS)).outcome is Outcome.PASS
    assert judged(timed([2.0] * 11 + [1.0] * 9), timed([1.0] * SEEDS)).outcome is Outcome.PASS


def test_a_few_quick_seeds_hide_no_slowdown(judged: JudgeTime, timed: Timed) -> None:
    """The median of all seeds is what counts."""
    assert judged(timed([1.0] * 2 + [2.0] * 18), timed([1.0] * SEEDS)).outcome is Outcome.REGRESSED


@pytest.mark.parametrize("slowed", [True, False])
def test_a_machine_that_is_slower_altogether_is_no_slowdown(judged: JudgeTime, timed: Timed, slowed: bool) -> None:
    """The yardstick beside each trial takes out what has nothing to do with the network."""
    ours = timed([3.0] * SEEDS, yardstick_seconds=0.003 if slowed else 0.001)
    assert judged(ours, timed([1.0] * SEEDS)).outcome is (Outcome.PASS if slowed else Outcome.REGRESSED)


@given(factor=st.sampled_from([0.25, 0.5, 2.0, 4.0]), steps=st.integers(1, 1000), together=st.integers(1, 64))
@settings(max_examples=10)
def test_times_are_counted_by_step_and_seed(
    pairs_of: Callable[..., Pairs], timed: Timed, factor: float, steps: int, together: int
) -> None:
    """Training several seeds at once, or for longer, is not slower: the ratio is that of one step of one seed."""
    ours = timed([factor * steps * together] * 3, steps=steps, seeds_together=together)
    found = log_ratios(pairs_of(ours, timed([1.0] * 3, steps=1)))
    np.testing.assert_allclose(found, math.log(factor), atol=1e-12)


@given(factors=st.lists(st.floats(0.1, 10.0), min_size=2, max_size=8))
@settings(max_examples=10)
def test_the_ratio_of_both_ways_round_is_one(
    pairs_of: Callable[..., Pairs], timed: Timed, factors: list[float]
) -> None:
    """Judging the baseline against the run turns every ratio round."""
    ours, theirs = timed(factors), timed(factors[::-1])
    np.testing.assert_allclose(log_ratios(pairs_of(ours, theirs)), -log_ratios(pairs_of(theirs, ours)), atol=1e-12)


def test_times_of_another_machine_are_not_compared(pairs_of: Callable[..., Pairs], timed: Timed) -> None:
    """Not even a hundredfold difference; the sentence says what differs."""
    pairs = pairs_of(timed([100.0] * SEEDS), timed([1.0] * SEEDS))
    found = judge_time(pairs, same_machine=False, differs="cores 2 (baseline: 64)", alpha=ALPHA)
    told = "times of another machine: cores 2 (baseline: 64)"
    assert found == Judgement(outcome=Outcome.INCOMPARABLE, sentence=told)


@pytest.mark.parametrize(
    "given",
    [
        {"yardstick_seconds": math.nan},
        {"yardstick_seconds": 0.0},
        {"train_seconds": 0.0},
        {"train_seconds": math.nan},
        {"steps": 0},
        {"status": Status.ERROR},
    ],
    ids=str,
)
def test_seeds_that_were_not_timed_alone_are_left_out(judged: JudgeTime, timed: Timed, given: dict[str, Any]) -> None:
    """What was trained in company, or not at all, has no time of its own, on whichever side."""
    untimed, alone = timed([1.0] * 3, **given), timed([1.0] * SEEDS)
    for ours, theirs in ((untimed + alone[3:], alone), (alone, untimed + alone[3:])):
        found = judged(ours, theirs)
        assert found.outcome is Outcome.PASS
        assert f"({SEEDS - 3} seeds)" in found.sentence
    none = judged(untimed, alone)
    assert none == Judgement(outcome=Outcome.INCOMPARABLE, sentence="no seed was timed alone on both sides")


def test_without_a_seed_in_common_no_time_is_compared(judged: JudgeTime, trial_of: Callable[..., Trial]) -> None:
    """The sentence says so."""
    assert judged([trial_of(0)], [trial_of(1)]).outcome is Outcome.INCOMPARABLE


def test_a_single_seed_of_equal_time_passes(judged: JudgeTime, timed: Timed) -> None:
    """It shows no slowdown, and is told to be a single one."""
    found = judged(timed([1.0]), timed([1.0]))
    assert found.outcome is Outcome.PASS
    assert "(1 seeds)" in found.sentence
