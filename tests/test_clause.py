"""A clause holds bounds by dtype, however its author wrote them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.clause import Clause, interval


@given(near=st.floats(-1e6, 1e6), atol=st.floats(0, 1e3))
def test_near_and_atol_are_the_ends_of_an_interval(near: float, atol: float) -> None:
    """Bounds near a value reach from near − atol to near + atol, in every dtype."""
    assert interval(near, atol, None, None) == {"*": ([near - atol], [near + atol])}


@pytest.mark.parametrize(
    ("low", "high", "ends"),
    [(1.0, 2.0, ([1.0], [2.0])), (1.0, None, ([1.0], [np.inf])), (None, 2.0, ([-np.inf], [2.0]))],
)
def test_an_end_that_is_not_given_is_infinite(low: Any, high: Any, ends: Any) -> None:
    """Low alone bounds from below, high alone from above."""
    assert interval(None, None, low, high) == {"*": ends}


def test_bounds_have_one_number_or_one_for_each_element() -> None:
    """Arrays are flattened in C order, and a single number goes with each of their elements."""
    assert interval([[1, 2], [3, 4]], 0.5, None, None) == {"*": ([0.5, 1.5, 2.5, 3.5], [1.5, 2.5, 3.5, 4.5])}
    assert interval([1, 2], [0.5, 1], None, None) == {"*": ([0.5, 1.0], [1.5, 3.0])}


def test_a_dtype_that_a_mapping_leaves_out_is_one_in_which_nothing_is_expected() -> None:
    """Mappings give bounds by dtype; what only one of them names falls away; a plain number goes with each."""
    bounds = interval({"float64": 5.0, "float32": 4.0}, {"float64": 0.5, "float16": 1.0}, None, None)
    assert bounds == {"float64": ([4.5], [5.5])}
    assert interval(5.0, {"float32": 1.0, "float16": 2.0}, None, None).keys() == {"float16", "float32"}


def test_a_dtype_finds_its_own_bounds_before_those_of_any_other() -> None:
    """``*`` stands for the dtypes that are not named; without it they have no bounds."""
    named, other = ([0.0], [1.0]), ([0.0], [2.0])
    clause = Clause(observation="w", bounds={"float16": named, "*": other})
    assert (clause.within("float16"), clause.within("float64")) == (named, other)
    assert Clause(observation="w", bounds={"float16": named}).within("float64") is None
