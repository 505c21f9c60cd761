"""Times taken in turns: a slowdown needs evidence, size, and a second sample that shows it too."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.judge import Outcome
from suite.judge.statistics import median_interval
from suite.judge.verdict import ALL
from suite.versus.times import Key, Ratios, Sample, enough, judge_times, look_again, pooled, threshold

CELLS: tuple[Key, ...] = tuple((f"case{n}", "cpu", "float32") for n in range(25))
TOGETHER = (ALL, "cpu", ALL)
NOISE, LUCK, SHARED_LUCK = 0.05, 0.015, 0.008
"""Spread of pairs, of cells, and of processes between two of one Python, as measured with other work beside."""


def drawn(generator: np.random.Generator, slower: Mapping[Key, float] | None = None, rounds: int = 20) -> Ratios:
    """Draw a sample, with cells slower by these shares."""
    shared = generator.normal(0.0, SHARED_LUCK)
    return {
        key: generator.normal(
            np.log1p((slower or {}).get(key, 0.0)) + shared + generator.normal(0.0, LUCK), NOISE, rounds
        )
        for key in CELLS
    }


def outcomes(generator: np.random.Generator, slower: Mapping[Key, float] | None = None) -> dict[Key, Outcome]:
    """Judge a sitting of two samples, with cells slower by these shares."""
    first = drawn(generator, slower)
    again = look_again(first)
    second = {key: ratios for key, ratios in drawn(generator, slower, 40).items() if key in again}
    return {key: timing.verdict.outcome for key, timing in judge_times(Sample(first=first, second=second)).items()}


def test_two_of_one_python_are_not_told_apart() -> None:
    """Of a hundred sittings in which nothing differs but luck, none calls anything slower or faster."""
    generator = np.random.default_rng(0)
    found = [outcome for _ in range(100) for outcome in outcomes(generator).values()]
    assert set(found) == {Outcome.PASS}


def test_a_small_slowdown_of_all_is_seen() -> None:
    """A slowdown of 5 % in every cell is seen in all of them together, in 38 of 40 sittings at least."""
    generator = np.random.default_rng(0)
    found = [outcomes(generator, dict.fromkeys(CELLS, 0.05))[TOGETHER] for _ in range(40)]
    assert found.count(Outcome.REGRESSED) >= 38
    assert Outcome.IMPROVED not in found


def test_a_slowdown_of_one_cell_is_seen_there() -> None:
    """A slowdown of one cell fails that one, and not all of them together."""
    found = outcomes(np.random.default_rng(0), {CELLS[3]: 0.3})
    assert [key for key, outcome in found.items() if outcome is Outcome.REGRESSED] == [CELLS[3]]


def test_what_is_faster_is_shown() -> None:
    """A speed-up is called one, and does not fail."""
    found = outcomes(np.random.default_rng(0), dict.fromkeys(CELLS, -0.2))
    assert set(found.values()) == {Outcome.IMPROVED}


def test_the_second_sample_decides() -> None:
    """What looks slower in the first sample and not in the second is not slower."""
    slow, even = ({CELLS[0]: np.full(20, value)} for value in (0.5, 0.0))
    assert look_again(slow) == {CELLS[0]}
    assert look_again(even) == set()
    assert {t.verdict.outcome for t in judge_times(Sample(first=slow, second=even)).values()} == {Outcome.PASS}
    assert {t.verdict.outcome for t in judge_times(Sample(first=slow, second=slow)).values()} == {Outcome.REGRESSED}


def test_all_of_a_device_are_timed_again_together() -> None:
    """A device whose cells are slower together is timed again with all of them; another device is not."""
    first = {key: np.full(20, 0.05) for key in CELLS} | {
        (f"case{n}", "cuda", "float32"): np.zeros(20) for n in range(2)
    }
    assert look_again(first) == set(CELLS)
    assert look_again(first | {CELLS[0]: np.full(20, 0.5)}) == set(CELLS)
    assert {key for key in judge_times(Sample(first=first, second=first)) if key[0] == ALL} == {
        TOGETHER,
        (ALL, "cuda", ALL),
    }


@given(st.floats(1e-6, 0.5))
def test_so_many_pairs_are_enough(alpha: float) -> None:
    """With so many pairs an interval can have the confidence that is asked for, and with one fewer it cannot."""
    values = np.arange(enough(alpha), dtype=float)
    assert median_interval(values, alpha)[2] >= 1.0 - alpha
    assert len(values) == 1 or median_interval(values[:-1], alpha)[2] < 1.0 - alpha


def test_one_cell_is_judged_once() -> None:
    """Where a device has one cell only, nothing is said of all of them."""
    assert list(judge_times(Sample(first={CELLS[0]: np.zeros(20)}))) == [CELLS[0]]


def test_too_few_pairs_tell_nothing() -> None:
    """However slow it looks, too few pairs are inconclusive, and the sentence says how many would do."""
    slow = {CELLS[0]: np.full(4, 1.0)}
    found = judge_times(Sample(first=slow, second=slow))
    assert {timing.verdict.outcome for timing in found.values()} == {Outcome.INCONCLUSIVE}
    assert f"give --rounds {enough(0.01)}" in found[CELLS[0]].verdict.sentence


def test_the_power_that_is_stated_is_there() -> None:
    """A median a little above the slowdown that would have been seen is seen, and one a little below is not."""
    first = drawn(np.random.default_rng(3))
    middle = float(np.median(pooled(first)[TOGETHER]))
    (found,) = re.findall(r"a slowdown of (.*)% would", judge_times(Sample(first=first))[TOGETHER].verdict.sentence)
    for beside, outcome in ((0.001, Outcome.REGRESSED), (-0.001, Outcome.PASS)):
        slow = {key: ratios - middle + np.log1p(float(found) / 100 + beside) for key, ratios in first.items()}
        assert judge_times(Sample(first=slow, second=slow))[TOGETHER].verdict.outcome is outcome


@pytest.mark.parametrize(("cells", "least"), [(1, 0.08), (4, 0.04), (16, 0.02), (100, 0.02)])
def test_the_more_cells_the_less_counts(cells: int, least: float) -> None:
    """A slowdown of many cells together counts from a smaller size than one of a single cell, down to 2 %."""
    keys = [(f"case{n}", "cpu", "float32") for n in range(cells)]
    assert threshold(TOGETHER, keys) == pytest.approx(least)
    assert threshold(keys[0], keys) == 0.08
