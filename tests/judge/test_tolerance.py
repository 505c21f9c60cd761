"""The tolerance is what the baseline's own probes measured, many times over."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.judge.tolerance import DRAWN, EPSILON, FACTOR, FLOOR, ROUNDING, SHORT, STRAY, Tolerance, tolerance_from
from suite.plan import DTYPES
from suite.trial import GRADIENT, LOSS, UPDATE, RunRecord, Trial

STEPS = (0, 1, 2, 4, 8, 9)
FAR = 1e-3
"""A distance above the floor of float32."""


def probes(losses: Sequence[Mapping[int, float]], *, gradient: float = FAR, update: float = FAR) -> pd.DataFrame:
    """Return the rows of probes, seed by seed, that moved the losses at these steps by so much."""
    rows = [
        (seed, part, step, distance)
        for seed, by_step in enumerate(losses)
        for part, step, distance in [
            (GRADIENT, 0, gradient),
            (UPDATE, 0, update),
            *((LOSS, step, distance) for step, distance in by_step.items()),
        ]
    ]
    return pd.DataFrame(rows, columns=["seed", "part", "step", "distance"])


def level(distance: float, seeds: int = 28, **at: float) -> pd.DataFrame:
    """Return probes that were all moved by as much at every step, but for those given as ``s4=0.1``."""
    there = {int(name[1:]): value for name, value in at.items()}
    return probes([dict.fromkeys(STEPS, distance) | there] * seeds)


def tolerance(rows: pd.DataFrame, dtype: str = "float32", *, same_start: bool = True) -> Tolerance:
    """Return the tolerance that probes measured."""
    found = tolerance_from(rows, dtype, same_start=same_start)
    assert found is not None
    return found


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_loss_may_move_many_times_as_far_as_its_probes(dtype: str) -> None:
    """By a factor of the dtype's, at every step; as may the gradient and the update."""
    far = 100 * EPSILON[dtype]
    found = tolerance(probes([dict.fromkeys(STEPS, far)] * 5, gradient=2 * far, update=3 * far), dtype)
    assert found.at(np.array(STEPS)).tolist() == [FACTOR[dtype] * far] * len(STEPS)
    assert (found.gradient, found.update) == (FACTOR[dtype] * 2 * far, FACTOR[dtype] * 3 * far)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_few_units_in_the_last_place_are_always_allowed(dtype: str) -> None:
    """Where no probe moved, as at a loss that stays what it is."""
    found = tolerance(probes([dict.fromkeys(STEPS, 0.0)] * 5, gradient=0.0, update=0.0), dtype)
    least = FACTOR[dtype] * FLOOR * EPSILON[dtype]
    assert found.at(np.array(STEPS)).tolist() == [least] * len(STEPS)
    assert (found.gradient, found.update) == (least, least)


def test_the_farthest_probe_counts_and_its_neighbours_in_time() -> None:
    """A loss that swings may be caught a step earlier or later by other kernels."""
    found = tolerance(pd.concat([level(FAR, 27), level(FAR, s4=5 * FAR, seeds=1).assign(seed=27)]))
    wide, plain = FACTOR["float32"] * 5 * FAR, FACTOR["float32"] * FAR
    assert found.at(np.array([[0, 1], [2, 4], [8, 9]])).tolist() == [[plain, plain], [wide, wide], [wide, plain]]


@pytest.mark.parametrize(("step", "among"), [(3, (1, 2, 4, 8)), (6, (2, 4, 8, 9)), (100, (8, 9)), (0, (0, 1))])
def test_a_step_that_was_not_measured_lies_between_those_that_were(step: int, among: Sequence[int]) -> None:
    """The most of two on either side, or of the last two after the end; so a shorter run has a tolerance, too."""
    by_step = {mark: FAR * (1 + place) for place, mark in enumerate((9, 0, 8, 1, 4, 2))}
    found = tolerance(probes([by_step] * 4))
    assert found.at(np.array([step])).tolist() == [max(FACTOR["float32"] * by_step[mark] for mark in among)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_start_that_was_rounded_otherwise_is_moved_by_an_ulp_of_the_draw(dtype: str) -> None:
    """Parameters are drawn in float32: float64 is moved by so much more; coarser dtypes are not moved by more."""
    rows = level(FAR)
    own, rounded = tolerance(rows, dtype), tolerance(rows, dtype, same_start=False)
    more = 2.0**29 if dtype == "float64" else 1.0
    assert rounded.losses.tolist() == (own.losses * more).tolist()
    assert (rounded.gradient, rounded.update) == (own.gradient * more, own.update * more)


@pytest.mark.parametrize("far", [STRAY * FAR * 1.01, math.inf, math.nan])
def test_a_probe_that_went_another_way_widens_no_tolerance(far: float) -> None:
    """It counts as a stray instead: so many of the seeds may go any way, whatever the dtype."""
    rows = pd.concat([level(FAR, 27), level(FAR, s8=far, seeds=1).assign(seed=27)])
    found = tolerance(rows)
    assert found.losses.tolist() == tolerance(level(FAR)).losses.tolist()
    assert found.strays == 2 / 30
    assert tolerance(level(FAR)).strays == 0.0


def test_a_few_times_as_far_as_most_is_no_stray() -> None:
    """It is the farthest of those that were measured."""
    found = tolerance(pd.concat([level(FAR, 27), level(FAR, s8=STRAY * FAR * 0.99, seeds=1).assign(seed=27)]))
    assert found.strays == 0.0
    assert found.losses.max() == FACTOR["float32"] * STRAY * FAR * 0.99


@pytest.mark.parametrize("dtype", DTYPES)
def test_any_cell_of_a_short_dtype_may_have_strays(dtype: str) -> None:
    """Of 28 probes none strayed, which is no proof that none of a hundred seeds does."""
    assert tolerance(level(FAR), dtype).strays == (1 / 30 if dtype in SHORT else 0.0)


@given(seeds=st.integers(1, 200), strays=st.floats(0.001, 0.5), alpha=st.floats(1e-9, 0.1))
def test_as_many_may_stray_as_chance_lets(seeds: int, strays: float, alpha: float) -> None:
    """More than a binomial count at that rate would reach are no strays; without a rate none is."""
    plain = Tolerance(steps=(0,), losses=np.ones(1), gradient=1.0, update=1.0, strays=strays)
    most = plain.strays_among(seeds, alpha)
    tails = [
        math.fsum(math.comb(seeds, k) * strays**k * (1 - strays) ** (seeds - k) for k in range(start, seeds + 1))
        for start in (most, most + 1)
    ]
    assert 2 * tails[1] <= alpha * (1 + 1e-9)
    assert most == 0 or 2 * tails[0] > alpha * (1 - 1e-9)
    assert replace(plain, strays=0.0).strays_among(seeds, alpha) == 0


def test_probes_are_read_as_they_were_recorded(
    trial_of: Callable[..., Trial], run_of: Callable[..., RunRecord]
) -> None:
    """Trials that were not probed say nothing."""
    run = run_of([trial_of(0), trial_of(1), trial_of(2, distances=())])
    found = tolerance(run.probes, "float64")
    assert found.steps == [0, 1, 2, 3]
    assert set(found.losses.tolist()) == {FACTOR["float64"] * 1e-4}
    assert tolerance_from(run_of([trial_of(0, distances=())]).probes, "float64", same_start=True) is None


def test_rounding_is_a_few_units_of_the_dtype_that_is_drawn_in() -> None:
    """It tells two roundings of one stream from two streams: above one unit, far below any draw's spread."""
    assert np.finfo(DRAWN).eps <= ROUNDING < 1e-3
    assert all(EPSILON[name] == np.finfo(name).eps for name in ("float64", "float32", "float16"))
