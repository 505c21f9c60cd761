"""What is repeated for long in one process takes no more memory, files or threads than at first."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.soaked import Soaked
from tests.torture.tally import Tallies

pytestmark = pytest.mark.torture


def test_small_runs_over_and_over(soak: Callable[[float], Soaked], tally: Tallies, pytestconfig: pytest.Config) -> None:
    """Training, recording, judging, accepting and drawing, for as long as was asked for."""
    minutes = float(pytestconfig.getoption("--soak-minutes", default=5.0))
    counted = tally(f"no growth over {minutes:g} minutes of small runs")
    soaked = soak(60 * minutes)
    with counted.one_try():
        soaked.check()
    print("MiB after each round:", *(f"{held / 2**20:.0f}" for held in soaked.memory))
    assert not counted.losses
