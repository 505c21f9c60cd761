"""Limits are what a user may mean by them, and hold as far as the system lets them."""

from __future__ import annotations

import math
import resource
import sys
from collections.abc import Callable

import pytest

from suite.errors import SuiteError
from suite.limits import Limits, parse_limits

Limit = tuple[int, int]


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[Limit]]:
    """Stand in for the system, which lets this process hold so much; give what it is asked for."""

    def letting(most: int) -> list[Limit]:
        asked: list[Limit] = []
        monkeypatch.setattr(resource, "getrlimit", lambda _: (most, most))
        monkeypatch.setattr(resource, "setrlimit", lambda _, limit: asked.append(limit))
        return asked

    return letting


@pytest.mark.parametrize("seconds", [math.nan, math.inf])
def test_a_time_that_is_none_is_refused(seconds: float) -> None:
    """It would limit nothing, and look as if it did."""
    with pytest.raises(SuiteError, match=rf"^--cell-timeout {seconds} is no time; leave it out for none$"):
        parse_limits(seconds, None)


def test_a_process_may_hold_no_more_than_the_system_lets_it(system: Callable[[int], list[Limit]]) -> None:
    """What the system allows at most stays that, and is put back afterwards."""
    asked = system(2**30)
    with Limits(memory=2**40).held():
        pass
    assert asked == [(2**30, 2**30), (2**30, 2**30)]


def test_a_size_beyond_all_sizes_is_the_largest_that_the_system_knows(system: Callable[[int], list[Limit]]) -> None:
    """It has no number for more."""
    asked = system(resource.RLIM_INFINITY)
    with parse_limits(None, "20EB").held():
        pass
    assert asked[0] == (sys.maxsize, resource.RLIM_INFINITY)
