"""The tolerance of a loss is a share of the baseline and of the first loss, by dtype."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.judge.tolerance import DRAWN, ROUNDING, TOLERANCES, Tolerance, tolerance_for
from suite.plan import DTYPES

LOSSES = st.floats(0, 1e100)
SHARES = st.floats(0, 1)
TABLE = st.sampled_from(list(TOLERANCES.values()))


@given(relative=SHARES, absolute=SHARES, baseline=LOSSES, first=LOSSES)
def test_the_allowance_is_a_share_of_the_baseline_and_of_the_first_loss(
    relative: float, absolute: float, baseline: float, first: float
) -> None:
    """By hand: relative times the baseline's size, and absolute times the first loss's."""
    tolerance = Tolerance(relative=relative, absolute=absolute)
    for sign in (1.0, -1.0):
        found = tolerance.allowed(np.array([[sign * baseline]]), np.array([sign * first]))
        assert found.tolist() == [[relative * baseline + absolute * first]]


def test_each_seed_has_its_own_first_loss() -> None:
    """``(seeds, points)`` and ``(seeds,)`` give ``(seeds, points)``."""
    found = Tolerance(relative=0.5, absolute=2.0).allowed(np.array([[2.0, 0.0], [4.0, 8.0]]), np.array([1.0, 10.0]))
    assert found.tolist() == [[3.0, 2.0], [22.0, 24.0]]


@given(
    tolerance=TABLE,
    baseline=st.floats(1e-3, 1e3),
    first=st.floats(1e-3, 1e3),
    scale=st.sampled_from([0.25, 2.0, 1024.0]),
)
def test_a_loss_in_other_units_is_allowed_as_much(
    tolerance: Tolerance, baseline: float, first: float, scale: float
) -> None:
    """Scaling all losses scales the allowance: no number in the table has a unit."""
    small = tolerance.allowed(np.array([[baseline]]), np.array([first])).item()
    large = tolerance.allowed(np.array([[scale * baseline]]), np.array([scale * first])).item()
    assert large == pytest.approx(scale * small, rel=1e-12)


@pytest.mark.parametrize("first", [math.nan, math.inf, -math.inf])
def test_a_first_loss_that_is_not_finite_allows_nothing(first: float) -> None:
    """A trial that diverged at once must not make every later difference pass."""
    found = Tolerance(relative=0.5, absolute=1.0).allowed(np.array([[2.0]]), np.array([first]))
    assert found.tolist() == [[1.0]]


def test_every_dtype_has_a_tolerance() -> None:
    """Both numbers are given, above zero, and below the loss itself."""
    assert set(TOLERANCES) == set(DTYPES)
    assert all(0 < number < 1 for t in TOLERANCES.values() for number in (t.relative, t.absolute))


@pytest.mark.parametrize(
    ("finer", "coarser"), [("float64", "float32"), ("float32", "float16"), ("float16", "bfloat16")]
)
def test_a_finer_dtype_is_allowed_less(finer: str, coarser: str) -> None:
    """Fewer bits round further."""
    assert TOLERANCES[finer].relative < TOLERANCES[coarser].relative
    assert TOLERANCES[finer].absolute < TOLERANCES[coarser].absolute


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_same_start_is_judged_by_its_own_dtype(dtype: str) -> None:
    """Nothing but the kernels of that dtype can have moved the loss."""
    assert tolerance_for(dtype, same_start=True) == TOLERANCES[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
def test_another_rounding_of_the_start_allows_what_its_dtype_does_at_least(dtype: str) -> None:
    """Parameters are drawn in float32, so float64 cannot be nearer than that; coarser dtypes keep their own."""
    found, own, drawn = tolerance_for(dtype, same_start=False), TOLERANCES[dtype], TOLERANCES[DRAWN]
    assert found.relative == max(own.relative, drawn.relative)
    assert found.absolute == max(own.absolute, drawn.absolute)


def test_rounding_is_a_few_units_of_the_dtype_that_is_drawn_in() -> None:
    """It tells two roundings of one stream from two streams: above one unit, far below any draw's spread."""
    assert np.finfo(DRAWN).eps <= ROUNDING < 1e-3
